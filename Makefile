PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint types contracts check format setup torture

demo: setup  ## Set up, then run the main job on the bundled traces: no key, no server
	$(BIN)/tailwatch demo

test: setup  ## Set up, then run the tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

torture: setup  ## The survival tests in their long form: a hundred kills, ten thousand cases a parser
	TAILWATCH_TORTURE=1 $(BIN)/python -m pytest tests/survival
	TAILWATCH_TORTURE=1 $(BIN)/python -m pytest tests/storage/test_judge_caps.py

check: lint types contracts  ## Everything CI checks besides the tests

lint: setup
	$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: setup
	$(BIN)/mypy

contracts: setup
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[embeddings,dev]'
	touch $@
