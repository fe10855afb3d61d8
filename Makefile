# Salesgauge. `make run` and `make test` do all set-up that they need; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# tests/conftest.py says what stays together and comes first
SHARED_OUT := -n $(or $(JOBS),3) --dist loadgroup --no-loadscope-reorder

export DO_NOT_TRACK := 1
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help setup run dev test coverage test-fast truth lint format docs bench bench-run bench-ingest torture torture-ingest faults corpus lock clean

help: ## what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v < (3, 13) and f"Salesgauge needs Python 3.11 or 3.12, this is {v[0]}.{v[1]}: make PYTHON=python3.12 …")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages into $(VENV) (a minute or two) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP) ## the virtual environment with the locked packages

run: $(STAMP) ## the main job on the demo company (var/demo): load, build, audit, publish, report
	@$(BIN)/salesgauge demo run

dev: $(STAMP) ## the demo's APIs, the Dagster page and daemon on 127.0.0.1:3000 (PORT=…)
	@$(BIN)/salesgauge demo dev --port $(or $(PORT),3000)

test: $(STAMP) ## all tests, in three processes (JOBS=…)
	@$(BIN)/python -m pytest $(SHARED_OUT)

coverage: $(STAMP) ## all tests, with the lines and branches that they run
	@$(BIN)/python -m pytest $(SHARED_OUT) --cov --cov-report=term:skip-covered

test-fast: $(STAMP) ## the tests that take seconds
	@$(BIN)/python -m pytest -m "not slow"

truth: $(STAMP) ## every KPI of five full-size companies against their truth (ten minutes)
	@SALESGAUGE_FULL_SCALE=1 $(BIN)/python -m pytest -q tests/e2e/test_truth.py

lint: $(STAMP) ## style, types, import directions and SQL
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports && $(BIN)/mypy
	@$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar dbt_project/models dbt_project/tests

format: $(STAMP) ## put the code in form
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

docs: $(STAMP) ## what documents take from the project: mappings, columns of the marts, KPIs
	@$(BIN)/python -m ingestion.files.mapping.reference
	@$(BIN)/python -m metrics.reference

bench: $(STAMP) ## speed, as ratios against peers on the same data
	@$(BIN)/python -m benchmarks

bench-run: $(STAMP) ## what a run costs, beside bare dbt and bare DuckDB (LEADS=…)
	@$(BIN)/python -m benchmarks.run_cost --leads $(or $(LEADS),100000)

bench-ingest: $(STAMP) ## the bulk paths beside DuckDB's reader and dlt's default
	@$(BIN)/python -m benchmarks.ingest

torture: $(STAMP) ## kill 40 runs at random moments under 4 readers (KILLS=…)
	@$(BIN)/python -m proofs.kills --kills $(or $(KILLS),40)

torture-ingest: $(STAMP) ## kill loads at every file operation and SQL statement (STEP=… for every so many-th)
	@$(BIN)/python -m proofs.torture_ingest --step $(or $(STEP),1)

faults: $(STAMP) ## play every fault script against the demo's sources
	@$(BIN)/python -m proofs.faults

corpus: $(STAMP) ## load some 600 records and files that nobody should send; all must be accounted for
	@$(BIN)/python -m proofs.corpus

lock: $(STAMP) ## resolve pyproject.toml anew into requirements.lock (needs the network)
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--extra dev --python-version 3.11 pyproject.toml --output-file requirements.lock

clean: ## everything that was made: the environment and var/
	@rm -rf $(VENV) var dbt_project/target
