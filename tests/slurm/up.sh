#!/usr/bin/env bash
# Start SLURM with accounting on this machine alone, from Debian's packages, as root and without systemd. down.sh ends it.
# The node claims more processors and memory than there are, and a GPU that is none, so that every request can be tried.
# Exit status 77: SLURM cannot be had here, and the last line says why.
set -euo pipefail
cd "$(dirname "$0")"
. ./daemons.sh
PACKAGES="munge slurmctld slurmd slurm-client slurmdbd mariadb-server"
MACHINE=$(hostname -s)
CONF=/etc/slurm

cannot() { echo "slurm: not started, and nothing was tested: $*"; exit 77; }
failed() { echo "slurm: $* did not start; the ends of its logs:" >&2; tail -n 15 "$HOME_OF_SLURM"/log/* >&2; exit 1; }

[ "$(id -u)" = 0 ] || cannot "only root can start one"
command -v apt-get >/dev/null || cannot "there is no apt-get to install it with"
for file in slurm.conf slurmdbd.conf gres.conf; do
  [ ! -e $CONF/$file ] || [ -L $CONF/$file ] || cannot "$CONF/$file belongs to a SLURM of this machine"
done
mkdir -p "$HOME_OF_SLURM"/{etc,log,pid,state,spool,database}

# --- packages, whose scripts are kept from starting services
installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'; }
missing=$(for package in $PACKAGES; do installed "$package" || echo "$package"; done)
if [ -n "$missing" ]; then
  policy=/usr/sbin/policy-rc.d
  [ -e $policy ] && policy= || install -m 755 <(printf '#!/bin/sh\nexit 101\n') $policy
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing; } \
    >"$HOME_OF_SLURM/log/apt" 2>&1 </dev/null && could=true || could=false
  [ -z "$policy" ] || rm $policy
  $could || cannot "apt-get could not install" $missing "($HOME_OF_SLURM/log/apt)"
fi
getent hosts "$MACHINE" >/dev/null || echo "127.0.0.1 $MACHINE  $MARK" >>/etc/hosts

# --- configuration; linked from /etc, since the job step's executor takes SLURM_CONF out of the environment
cat >"$HOME_OF_SLURM/etc/slurm.conf" <<CONF
ClusterName=$CLUSTER
SlurmctldHost=$MACHINE(127.0.0.1)
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=$HOME_OF_SLURM/state
SlurmdSpoolDir=$HOME_OF_SLURM/spool
SlurmctldPidFile=$HOME_OF_SLURM/pid/slurmctld
SlurmdPidFile=$HOME_OF_SLURM/pid/slurmd
SlurmctldLogFile=$HOME_OF_SLURM/log/slurmctld
SlurmdLogFile=$HOME_OF_SLURM/log/slurmd
MailProg=/bin/true
MpiDefault=none
ReturnToService=2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# memory is looked at every second, and a job above its own is killed
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
KillWait=5
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0
SlurmdParameters=config_overrides
GresTypes=gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStorageEnforce=associations
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
NodeName=$MACHINE NodeAddr=127.0.0.1 Port=17001 CPUs=8 RealMemory=64000 Gres=gpu:1 State=UNKNOWN
PartitionName=short Nodes=ALL Default=YES DefaultTime=5 MaxTime=1440 State=UP
PartitionName=accelerated Nodes=ALL DefaultTime=5 MaxTime=2880 State=UP
CONF
cat >"$HOME_OF_SLURM/etc/slurmdbd.conf" <<CONF
AuthType=auth/munge
CommunicationParameters=NoInAddrAny
DbdHost=localhost
DbdAddr=127.0.0.1
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=33306
StorageUser=slurm
StoragePass=slurm
LogFile=$HOME_OF_SLURM/log/slurmdbd
PidFile=$HOME_OF_SLURM/pid/slurmdbd
CONF
echo "Name=gpu File=/dev/null" >"$HOME_OF_SLURM/etc/gres.conf"
chmod 600 "$HOME_OF_SLURM/etc/slurmdbd.conf"
mkdir -p $CONF
ln -sfn "$HOME_OF_SLURM"/etc/*.conf $CONF/

# --- daemons, each unless it runs already
if ! runs munged; then
  key=$HOME_OF_SLURM/etc/munge.key
  install -m 600 <(head -c 128 /dev/urandom) "$key"
  install -d -m 755 -o root -g root /run/munge
  munged --force --key-file="$key" --pid-file="$HOME_OF_SLURM/pid/munged" --log-file="$HOME_OF_SLURM/log/munged" \
    --seed-file="$HOME_OF_SLURM/state/munged.seed" || failed munged
fi
wait_until 10 sh -c 'munge -n | unmunge' || failed munged

socket=$HOME_OF_SLURM/database/socket
if ! runs mariadbd; then
  chown mysql:mysql "$HOME_OF_SLURM/database"
  mariadb-install-db --no-defaults --user=mysql --datadir="$HOME_OF_SLURM/database/data" --skip-test-db \
    --auth-root-authentication-method=socket >"$HOME_OF_SLURM/log/mariadb-install-db" 2>&1 || failed mariadb-install-db
  setsid mariadbd --no-defaults --user=mysql --datadir="$HOME_OF_SLURM/database/data" --socket="$socket" \
    --pid-file="$HOME_OF_SLURM/database/pid" --bind-address=127.0.0.1 --port=33306 --innodb-lock-wait-timeout=900 \
    --innodb-flush-log-at-trx-commit=0 >"$HOME_OF_SLURM/log/mariadbd" 2>&1 </dev/null &
  echo $! >"$HOME_OF_SLURM/pid/mariadbd"
  wait_until 60 mariadb-admin --no-defaults --socket="$socket" ping || failed mariadbd
  mariadb --no-defaults --socket="$socket" --execute="CREATE DATABASE slurm_acct_db;
    CREATE USER slurm@localhost IDENTIFIED BY 'slurm'; GRANT ALL ON slurm_acct_db.* TO slurm@localhost;"
fi

runs slurmdbd || slurmdbd || failed slurmdbd
wait_until 60 sacctmgr -n list cluster || failed slurmdbd
if ! sacctmgr -n list account | grep -q hyperkalemia; then
  { sacctmgr -i add cluster $CLUSTER && sacctmgr -i add account hyperkalemia && sacctmgr -i add user root DefaultAccount=hyperkalemia; } \
    >"$HOME_OF_SLURM/log/sacctmgr" 2>&1 || failed sacctmgr
fi
runs slurmctld || slurmctld || failed slurmctld
wait_until 30 sh -c 'scontrol ping | grep -q UP' || failed slurmctld
runs slurmd || slurmd || failed slurmd
wait_until 60 sh -c 'sinfo -h -N -o %T | grep -qE "^(idle|mixed|allocated)$"' || failed slurmd
echo "slurm: one node answers"
