# `make` lists what can be made. All of it happens in .venv and build/; nothing else on the machine is touched.
#
#   PYTHON=python3.12    the interpreter to build the environment with: 3.11 or newer
#   VENV=.venv           where the environment lives
#   ARGS="-k journeys"   handed on to pytest, to `tieback demo`, to the benchmarks or to `uv pip compile`

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=python3; done; echo $$python)
VENV ?= .venv
WORKERS ?= auto
ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest
NPM := PATH="$(abspath $(BIN)):$$PATH" npm --prefix tracker
UV_COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(ARGS)

unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE  # tests start hundreds of processes: they compile no module twice
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test engines engines-whole clients laws readers killed check format bench docs lock tracker clean environment python

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: environment  ## build a made-up company in build/demo, attribute its revenue and explain one deal
	@$(BIN)/tieback demo build/demo $(ARGS)

test: environment  ## run every test that this machine can run, and name those it cannot
	@$(PYTEST) -n $(WORKERS) --maxprocesses 4 $(ARGS)

engines: $(VENV)/.engines  ## install the other engines (1.5 GB), so that `make test` tests on them too

engines-whole: engines  ## run the whole conformance kit on every engine, also what takes Spark half an hour
	@ENGINES_WHOLE=1 $(PYTEST) -n $(WORKERS) --maxprocesses 4 tests/engines $(ARGS)

clients: build/clients/.ready  ## install the clients of other collectors, so that `make test` runs them against this one

laws: environment  ## hold the laws over many more random worlds than `make test` has time for
	@LAW_EXAMPLES=100 $(PYTEST) -n $(WORKERS) --maxprocesses 4 tests/laws tests/store/test_publishing.py $(ARGS)

readers: environment  ## let eight readers read for two minutes while runs are published
	@READ_SECONDS=120 $(PYTEST) tests/cli/test_readers.py $(ARGS)

killed: environment  ## kill the collector a hundred times under load: nothing acknowledged is lost or counted twice
	@KILL_TRIALS=100 $(PYTEST) --log-cli-level=INFO tests/cli/test_killed_collector.py $(ARGS)

check: environment  ## format, lint, types, import layers, house rules and docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/zensical build --strict >build/docs.log 2>&1 || { cat build/docs.log; exit 1; }
	$(PYTEST) -q tests/house

format: environment  ## let ruff format the code and mend what it safely can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: environment  ## measure speed, as ratios against a named rival in the same run (three hours, 60 GB of disk)
	@$(BIN)/python -m benchmarks $(ARGS)

docs: environment  ## make the pages in build/docs, those made from the code anew; they need no network to read
	@$(BIN)/python docs/reference/generate.py
	@$(BIN)/zensical build --strict

lock: environment  ## resolve the dependencies anew into requirements/ (ARGS=--upgrade for newer ones)
	@$(UV_COMPILE) --output-file requirements/runtime.txt >/dev/null
	@$(UV_COMPILE) --group dev --constraints requirements/runtime.txt --output-file requirements/dev.txt >/dev/null
	@$(UV_COMPILE) --group engines --constraints requirements/dev.txt --output-file requirements/engines.txt >/dev/null
	@$(BIN)/uv pip compile --group clients --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" $(ARGS) --output-file requirements/clients.txt >/dev/null
	@git diff --stat -- requirements

tracker: environment tracker/node_modules/.package-lock.json  ## build the script that sites carry, from tracker/
	@$(NPM) run --silent check
	@$(NPM) run --silent build >build/tracker.js
	@cp build/tracker.js src/tieback/collect/tracker.js

clean:  ## remove the environment and all that was made
	rm -rf "$(VENV)" build dist tracker/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

environment: $(VENV)/.ready

# When the lock changes, the environment is made anew, so that what left the lock leaves the environment too.
$(VENV)/.locked: requirements/dev.txt
	@$(MAKE) --no-print-directory python PYTHON="$(PYTHON)"
	@echo "Building $(VENV) from requirements/dev.txt; this takes about half a minute." >&2
	@"$(PYTHON)" -m venv --clear $(VENV)
	@$(PIP) install --no-compile --no-deps --only-binary :all: --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.engines: requirements/engines.txt $(VENV)/.ready
	@$(PIP) install --no-compile --no-deps --require-hashes -r requirements/engines.txt
	@touch $@

# An environment of their own for those of Python, as what they need is theirs; npm asks for the one in $(VENV).
CLIENTS := tests/collect/clients
build/clients/.ready: requirements/clients.txt $(CLIENTS)/package.json $(CLIENTS)/package-lock.json $(VENV)/.ready
	@"$(PYTHON)" -m venv --clear build/clients/python
	@build/clients/python/bin/python -m pip --disable-pip-version-check --quiet install --no-compile --no-deps \
		--only-binary :all: --require-hashes -r requirements/clients.txt
	@mkdir -p build/clients/node
	@cp $(CLIENTS)/package.json $(CLIENTS)/package-lock.json $(CLIENTS)/.npmrc build/clients/node
	@PATH="$(abspath $(BIN)):$$PATH" npm ci --prefix build/clients/node --ignore-scripts --loglevel error >build/clients/npm.log
	@touch $@

$(VENV)/.ready: $(VENV)/.locked pyproject.toml
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@mkdir -p build
	@touch $@

tracker/node_modules/.package-lock.json: tracker/package-lock.json $(VENV)/.ready
	@$(NPM) ci --ignore-scripts --silent
	@touch $@

python:
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON) here. Install Python 3.11 or newer," \
		"or name yours: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tieback needs Python 3.11 or newer;" \
		"$(PYTHON) is $$("$(PYTHON)" -V 2>&1). Name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make environments: its venv or" \
		"ensurepip is missing. On Debian and Ubuntu, install the package python3-venv and try again." >&2; exit 1; }
