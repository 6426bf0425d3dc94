# Python >= 3.11 and make are all that a fresh machine needs.

PYTHON ?= python3
BIN := .venv/bin
DEMO := .sft/demo-telemetry
DEMO_WINDOW := 2026-11-01
KQL_PARSER := kql_check/node_modules/.package-lock.json
AZURITE := azurite/node_modules/.package-lock.json
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

test: install lint types definitions kql-check azurite-install ## lint, types, definitions, queries, tests
	$(BIN)/pytest -n 2 --dist loadfile

lint: install ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## basedpyright, strict
	$(BIN)/basedpyright

kql-check: install ## Microsoft's own parser on every query; needs node and npm
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
	  $(MAKE) -s $(KQL_PARSER) \
	  && $(BIN)/python kql_check/schema.py | node kql_check/check.js queries sft_pipeline_tests; \
	else \
	  echo "kql-check skipped: Microsoft's parser runs in Node, and node and npm are not installed"; \
	fi

$(KQL_PARSER): kql_check/package-lock.json
	@npm ci --silent --no-audit --no-fund --prefix kql_check \
	  || { echo "kql-check: npm cannot install the parser; 'npm ci --prefix kql_check' says why"; exit 1; }
	@touch $@

azurite: ## a blob service on this machine (Azurite), in the foreground until Ctrl-C; needs node and npm
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "Azurite runs in Node, and node and npm are not installed"; exit 1; }
	@$(MAKE) -s $(AZURITE)
	@mkdir -p .sft/azurite
	@echo "Copy this into the terminal that uses it; containers are made at the first use:"
	@echo "  export AZURE_STORAGE_CONNECTION_STRING=UseDevelopmentStorage=true SFT_RELEASES=http://127.0.0.1:10000/devstoreaccount1/releases SFT_STORAGE=az://tables"
	@azurite/node_modules/.bin/azurite-blob --silent --skipApiVersionCheck --disableTelemetry --location .sft/azurite

azurite-install:
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
	  $(MAKE) -s $(AZURITE); \
	else \
	  echo "tests of Azure Blob Storage skipped: Azurite runs in Node, and node and npm are not installed"; \
	fi

$(AZURITE): azurite/package-lock.json
	@npm ci --silent --no-audit --no-fund --prefix azurite \
	  || { echo "azurite: npm cannot install it; 'npm ci --prefix azurite' says why"; exit 1; }
	@touch $@

queries: install ## after an edit: the shared block into all queries, the reference from the headers
	$(BIN)/python kql_check/share_block.py
	$(MAKE) -s docs

docs: install ## docs/04_QUERY_REFERENCE.md from the headers of the queries
	$(BIN)/sft-pipeline queries --markdown > docs/.reference.md
	mv docs/.reference.md docs/04_QUERY_REFERENCE.md

definitions: install ## Dagster loads the code location
	SFT_PLAN=demo $(BIN)/dagster definitions validate -w workspace.yaml

check: install ## every asset check on what the demo stored; fails when an ERROR check fails
	SFT_TELEMETRY=$(DEMO) $(BIN)/sft-pipeline check --plan demo

ui: install $(DEMO)/truth.parquet ## the Dagster UI on the demo
	SFT_TELEMETRY=$(DEMO) $(BIN)/sft-pipeline ui --plan demo

bench: .venv-bench/installed .venv-bench-data-juicer/installed .venv-bench-curator/installed azurite-install ## measurements against peers; QUICK=1 for small inputs
	.venv-bench/bin/python -m bench $(if $(QUICK),--quick)

.venv-bench/installed: pyproject.toml constraints.txt bench/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --editable '.[dev]' --requirement bench/requirements.txt
	@touch $@

.venv-bench-%/installed: bench/requirements-%.txt
	$(PYTHON) -m venv .venv-bench-$*
	.venv-bench-$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

format: install ## ruff, applying what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove everything that was made here
	rm -rf .venv .venv-bench .venv-bench-* .sft kql_check/node_modules azurite/node_modules

.PHONY: help install run test lint types kql-check azurite azurite-install queries docs definitions check ui bench format clean
