# Needs Python 3.11 or newer and GNU make; everything else lives in .venv.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPILE := .lock-venv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 \
    --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
    --quiet $(if $(UPGRADE),--upgrade)

# What `make test` runs in parts of their own (tools/test_parts.py).
SLOW := apps bench collect durability history opcua_stories present/api properties register screens \
    stories transport/test_link.py transport/test_link_wrong_clock.py

.PHONY: help install check test demo durability format lock changelog clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv: the locked dependencies, then this package, editable

WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -type f -print)

$(STAMP): requirements/dev.lock pyproject.toml $(WEB_SOURCES)
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Meltwatch needs Python 3.11 or newer: make install PYTHON=/path/to/python3")'
	'$(PYTHON)' -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

check: $(STAMP) ## the quick gate: format, lint, types, layers, fast tests
	$(BIN)/ruff format --check --quiet --output-format=concise
	$(BIN)/ruff check --quiet --output-format=concise
	$(BIN)/mypy --no-error-summary
	@log=$$(mktemp); $(BIN)/lint-imports >"$$log" 2>&1 || { cat "$$log"; rm -f "$$log"; exit 1; }; tail -n 2 "$$log"; rm -f "$$log"
	$(BIN)/pytest --quiet $(SLOW:%=--ignore=tests/%)

test: $(STAMP) ## everything, part after part, with the seconds each took
	@$(BIN)/python tools/test_parts.py

demo: $(STAMP) ## two simulated plants, their gateways and a server (SMOKE=1: without a person)
	@$(BIN)/meltwatch demo $(if $(SMOKE),--smoke --calm 20)

durability: $(STAMP) ## kill the core, fail its disk, trace its syncs (strace): nothing is lost
	$(BIN)/pytest --quiet tests/durability

format: $(STAMP) ## rewrite the sources in the house form
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

lock: ## remake requirements/*.lock (UPGRADE=1: take the newest releases)
	'$(PYTHON)' -m venv --clear .lock-venv
	.lock-venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv==$(UV_VERSION)'
	$(COMPILE) --output-file requirements/run.lock >/dev/null
	$(COMPILE) --group dev --output-file requirements/dev.lock >/dev/null
	@! grep -nE 'https?://|file:' requirements/*.lock || { echo 'a lock file names a host or a place'; exit 1; }

changelog: $(STAMP) ## show what the next release's notes would say
	$(BIN)/towncrier build --draft --version next

clean: ## remove everything that make and the tools have made, .venv included
	rm -rf web/node_modules src/meltwatch/present/screens
	rm -rf $(VENV) .lock-venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
