# Everything a person types. `make` alone says what there is.
SHELL := /bin/bash
PYTHON ?= python3
CORES ?= 2
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)

.PHONY: help setup demo test slurm-test lint bench clean

help:  ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: .venv/installed  ## make .venv with everything pinned in constraints.txt (nothing to do when done)

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Kalemia needs Python 3.11 or newer; name one with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup  ## simulate a cohort, train, and write results/report.html
	@$(SNAKEMAKE) --quiet rules host reason
	@echo "The report is at results/report.html"

test: setup  ## run every test, a file at a time on each core
	$(BIN)/pytest --numprocesses $(CORES) --dist loadfile

slurm-test: setup  ## start a SLURM of one node on this machine (Debian, root), run the tests that need one, and end it
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[slurm]'
	@tests/slurm/run.sh $(abspath $(BIN))/python

lint: setup  ## check style, the workflow's too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check --compact-diff Snakefile rules workflow/Snakefile
	$(BIN)/snakemake --lint

bench: setup  ## compare speed with other ways of doing the same
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:  ## remove results and caches, keep .venv
	rm -rf results .snakemake .pytest_cache .ruff_cache .hypothesis
