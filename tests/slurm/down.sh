#!/usr/bin/env bash
# End the SLURM that up.sh started, its jobs first, and say so if anything outlives that. What up.sh wrote outside of the
# cluster's folder goes too.
set -uo pipefail
cd "$(dirname "$0")"
. ./daemons.sh
status=0

is_ours() { [ "$(readlink "/etc/slurm/$1")" = "$HOME_OF_SLURM/etc/$1" ]; }

kill_jobs() { kill -9 $(pids_of_jobs); no_jobs; }

if runs slurmctld; then
  scancel --user="$(id -un)"
  wait_until 30 sh -c '[ -z "$(squeue -h)" ]' || { echo "slurm: jobs do not end" >&2; status=1; }
fi
# the numbers first: a daemon takes away its own record before it has ended
declare -A pids
for daemon in $DAEMONS; do
  ! runs "$daemon" || pids[$daemon]=$(pid_of "$daemon")
done
for daemon in "${!pids[@]}"; do
  kill "${pids[$daemon]}"
done
for daemon in "${!pids[@]}"; do
  if ! wait_until 30 test ! -e "/proc/${pids[$daemon]}"; then
    echo "slurm: $daemon did not stop, and is killed" >&2
    kill -9 "${pids[$daemon]}"
    status=1
  fi
done
# where the configuration is another's, so may the jobs be
if is_ours slurm.conf && ! wait_until 5 no_jobs; then
  echo "slurm: processes of jobs did not end, and are killed:" $(pids_of_jobs) >&2
  wait_until 5 kill_jobs || echo "slurm: and still run:" $(pids_of_jobs) >&2
  status=1
fi
for file in slurm.conf slurmdbd.conf gres.conf; do
  ! is_ours $file || rm "/etc/slurm/$file"
done
# in place, since the file may be mounted
! grep -qF "$MARK" /etc/hosts || { kept=$(grep -vF "$MARK" /etc/hosts); echo "$kept" >/etc/hosts; }
rm -rf "$HOME_OF_SLURM"/{etc,pid,state,spool,database}
[ $status = 1 ] || echo "slurm: nothing is left running"
exit $status
