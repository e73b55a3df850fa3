#!/usr/bin/env bash
# End the SLURM that up.sh started, its jobs first, and say so if anything outlives that.
set -uo pipefail
cd "$(dirname "$0")"
. ./daemons.sh
status=0

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
for file in slurm.conf slurmdbd.conf gres.conf; do
  [ "$(readlink /etc/slurm/$file)" != "$HOME_OF_SLURM/etc/$file" ] || rm "/etc/slurm/$file"
done
rm -rf "$HOME_OF_SLURM"/{etc,pid,state,spool,database}
[ $status = 1 ] || echo "slurm: nothing is left running"
exit $status
