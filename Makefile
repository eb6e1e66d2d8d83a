# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

BIN := $(CURDIR)/.venv/bin
PYTHON := $(BIN)/python
STAGES := lint types sanity unit integration molecule
# Two workers: the suite is laid out for a machine of two cores.
WORKERS ?= 2
# Tests on hosts wait for daemons and timers nearly half of their time: one worker more fills it.
HOST_WORKERS ?= 3
# More arguments for pytest, ansible-test or molecule: make unit ARGS="-k planner"
ARGS ?=
# What tools start by name must be the checkout's, not the system's.
export PATH := $(BIN):$(PATH)

.PHONY: help setup lab-up lab-down demo test $(STAGES) soak faults matrix bench docs docs-site build clean format

help: ## Show this help
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv with all tools (does nothing when it is up to date)
	@python3 tools/setup.py

lab-up: setup ## Start the demo hosts and fill them with a believable mess
	@$(PYTHON) -m lab up
	@$(PYTHON) -m lab seed

lab-down: setup ## Stop the demo hosts and remove them
	@$(PYTHON) -m lab down

demo: setup ## Audit, clean up and report on three demo hosts, from scratch
	@$(PYTHON) tools/demo.py $(ARGS)

test: setup ## All checks: lint types sanity unit integration molecule
	@$(PYTHON) tools/stages.py +sanity lint types unit =integration molecule

lint: setup ## ruff, yamllint, shellcheck, ansible-lint, changelog, docs, tests' imports
	@$(PYTHON) tools/lint.py $(ARGS)

format: setup ## Let ruff mend what it can
	@$(BIN)/ruff check --quiet --fix . || true
	@$(BIN)/ruff format .

types: setup ## mypy
	@$(PYTHON) tools/typecheck.py

sanity: setup ## ansible-test sanity, on every Python of this machine
	@$(PYTHON) tools/sanity.py $(ARGS)

unit: setup ## Unit tests: no server, no network
	@$(PYTHON) -m pytest tests/unit -n $(WORKERS) -q $(ARGS)

integration: setup ## Tests on real hosts (containers of the lab)
	@$(PYTHON) -m pytest tests/integration -m "not soak" -n $(HOST_WORKERS) --dist loadfile --durations 5 -q $(ARGS)

molecule: setup ## Roles on real hosts
	@$(PYTHON) tools/scenarios.py $(ARGS)

soak: setup ## Long runs: modules killed at their writes over and over, ways in and out one at a time
	@$(PYTHON) -m pytest tests/soak -n $(WORKERS) -q $(ARGS)
	@LOCKOUT_PEER=1 $(PYTHON) -m pytest tests/integration -m soak -n $(WORKERS) --dist loadfile -q $(ARGS)

faults: setup ## Bring every fault of a recorded run about, and write the table into docs/ledger.md
	@$(PYTHON) tests/integration/faults/write_table.py $(ARGS)

matrix: setup ## Recording and access tests under each supported ansible-core and Python of this machine
	@$(PYTHON) tools/matrix.py $(ARGS)

bench: setup ## Measure against the field: make bench ARGS=callback
	@$(PYTHON) benchmarks/run.py $(ARGS)

docs: setup ## Check the documentation of plugins and roles
	@$(PYTHON) tools/lint.py docs

docs-site: setup ## Build the documentation's site into build/site
	@$(PYTHON) tools/docs_site.py

build: setup ## Build the tarball into build/
	@$(PYTHON) tools/build.py

clean: ## Remove what tools made (not the lab: make lab-down)
	rm -rf .cache .ansible .mypy_cache .pytest_cache .ruff_cache .hypothesis .venv build tests/output
