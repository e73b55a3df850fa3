#!/usr/bin/env bash
# Start SLURM, run the tests that need it with the given Python, and end it again, whatever happens in between.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/up.sh"
case $? in
  0) ;;
  77) exit 0 ;;  # up.sh has said why
  *) "$here/down.sh"; exit 1 ;;
esac
trap '"$here/down.sh" || exit 1' EXIT
trap 'exit 1' INT TERM
cd "$here/../.."
KALEMIA_SLURM=1 timeout --kill-after=30 1200 "$1" -m pytest -m slurm tests/workflow/test_slurm.py
