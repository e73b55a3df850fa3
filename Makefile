# The commands for people; `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3
CORES ?= 2
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)

.PHONY: help setup demo demo-no check test slurm-test lint generate lock hashes docs bench torture clean

# markers of the tests that take long or need something that is not part of the checkout
SLOW := slow or workflow or realdata or slurm or planted or torture or gpu

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: .venv/installed  ## create .venv with the versions of constraints.txt and the hashes of requirements.lock

# torch, of which there is a build per kind of GPU and one for none, is pinned by its version alone
.venv/installed: pyproject.toml constraints.txt requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Kalemia needs Python 3.11 or newer; name one with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	@touch $@

demo: setup  ## simulate patients whose ECG shows potassium, train networks, write results/demo/report.html
	@$(SNAKEMAKE) --configfile studies/demo.yaml
	@echo "Next: make demo-no, a study of patients whose ECG does not show potassium."

demo-no: setup  ## the same with patients whose ECG does not: results/demo-no/report.html
	@$(SNAKEMAKE) --configfile studies/demo.yaml studies/demo-no.yaml

check: lint  ## run lint and the fast tests: the loop while you work, under 3 minutes
	$(BIN)/pytest --quiet --numprocesses $(CORES) --dist loadfile -m "not ($(SLOW))"

test: setup  ## run every test; each core takes one file at a time
	$(BIN)/pytest --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder

slurm-test: setup  ## run the tests that need SLURM on a temporary one-node SLURM (Debian, as root)
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[slurm]'
	@tests/slurm/run.sh $(abspath $(BIN))/python

lint: setup  ## check the style of code and workflow, and the lock file of stage versions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check --compact-diff Snakefile rules workflow/Snakefile
	$(BIN)/snakemake --lint
	$(BIN)/python tools/stage_lock.py

generate: setup  ## write config.yaml, its schema and the reference pages from what the code declares
	@$(BIN)/python tools/generate.py

lock: setup  ## update stages.lock.json (SAME_OUTPUT="beats review_page" or all: code changed, output did not)
	$(BIN)/python tools/stage_lock.py --update --same-output $(SAME_OUTPUT)

hashes: setup  ## write requirements.lock again, after a change of constraints.txt or of the dependencies
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --constraint constraints.txt --extra dev pyproject.toml \
	  | awk '/^[a-z]/ {kept = !/^(torch|triton|cuda-|nvidia-)/} kept' >requirements.lock

docs: setup  ## build the documentation site in build/site (REPORTS="--report demo=results" shows reports)
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@$(BIN)/python tools/build_site.py $(REPORTS)

bench: setup  ## benchmark against other tools
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

torture: setup  ## run the campaigns of docs/reliability.md (under 30 minutes) and write build/torture
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[torture]' \
	  || echo "atheris cannot be installed here: nothing is fuzzed"
	$(BIN)/python tests/torture/run_all.py --out build/torture

clean:  ## remove results and caches, but keep .venv
	rm -rf results build .snakemake .pytest_cache .ruff_cache .hypothesis
