#!/usr/bin/env bash
# Start SLURM, run the tests that need it with the given Python, and end it again, whatever happens in between.
set -uo pipefail
cd "$(dirname "$0")"
./up.sh
case $? in
  0) ;;
  77) echo "slurm: skipped"; exit 0 ;;
  *) ./down.sh; exit 1 ;;
esac
trap './down.sh || exit 1' EXIT
trap 'exit 1' INT TERM
cd ../..
KALEMIA_SLURM=1 timeout --kill-after=30 1200 "$1" -m pytest -m slurm tests/test_slurm.py
