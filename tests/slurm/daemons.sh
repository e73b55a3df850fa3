# What up.sh and down.sh share: where the cluster lives, and how a daemon is known by its recorded process.
HOME_OF_SLURM=${KALEMIA_SLURM:-/tmp/kalemia-slurm}
DAEMONS="slurmd slurmctld slurmdbd mariadbd munged"

pid_of() { cat "$HOME_OF_SLURM/pid/$1" 2>/dev/null; }

runs() {
  local pid
  pid=$(pid_of "$1") && [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ]
}

wait_until() {  # SECONDS COMMAND...
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}
