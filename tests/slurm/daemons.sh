# What up.sh and down.sh share: where the cluster lives and its name, the mark of what up.sh writes in files of the
# machine, and how processes are known: a daemon's by its record, a job's by the name that SLURM gives it of the cluster.
HOME_OF_SLURM=${KALEMIA_SLURM_HOME:-/tmp/kalemia-slurm}
CLUSTER=kalemia
MARK="# by up.sh of Kalemia"
DAEMONS="slurmd slurmctld slurmdbd mariadbd munged"

pid_of() { cat "$HOME_OF_SLURM/pid/$1" 2>/dev/null; }

runs() {
  local pid
  pid=$(pid_of "$1") && [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ]
}

# of what jobs run, wherever it went, and of the daemon that each step has; one a line
pids_of_jobs() {
  {
    grep -lsx slurmstepd /proc/[0-9]*/comm
    grep -lszxF "SLURM_CLUSTER_NAME=$CLUSTER" /proc/[0-9]*/environ
  } | cut -d/ -f3 | sort -u
}

no_jobs() { [ -z "$(pids_of_jobs)" ]; }

wait_until() {  # SECONDS COMMAND...
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}
