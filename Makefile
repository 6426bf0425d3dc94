# Python >= 3.11 and make are all that a fresh machine needs.

PYTHON ?= python3
BIN := .venv/bin
DEMO := .sft/demo-telemetry
DEMO_WINDOW := 2026-11-01
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: .venv/installed ## set up .venv with the pinned versions

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: install $(DEMO)/truth.parquet ## the demo: synthetic telemetry to a verified release
	SFT_TELEMETRY=$(DEMO) $(BIN)/sft-pipeline run --plan demo --window $(DEMO_WINDOW)

$(DEMO)/truth.parquet: | install
	rm -rf $(DEMO)
	$(BIN)/sft-pipeline telemetry generate --conversations 3000 --seed 7 --end $(DEMO_WINDOW) --out $(DEMO)

test: install lint types definitions ## lint, types, definitions, tests
	$(BIN)/pytest -n 2 --dist loadfile

lint: install ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## basedpyright, strict
	$(BIN)/basedpyright

definitions: install ## Dagster loads the code location
	SFT_PLAN=demo $(BIN)/dagster definitions validate -w workspace.yaml

check: install ## every asset check on what the demo stored; fails when an ERROR check fails
	SFT_TELEMETRY=$(DEMO) $(BIN)/sft-pipeline check --plan demo

ui: install $(DEMO)/truth.parquet ## the Dagster UI on the demo
	SFT_TELEMETRY=$(DEMO) $(BIN)/sft-pipeline ui --plan demo

bench: install ## measurements: how fast, how much memory
	$(BIN)/python -m bench

format: install ## ruff, applying what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove everything that was made here
	rm -rf .venv .sft

.PHONY: help install run test lint types definitions check ui bench format clean
