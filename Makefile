# make weekly   the main job: install, fill the simulated workspace, run the gated weekly cycle
# make test     the tests
# make test-long  what takes many minutes: every property with 300 examples, random kills, ten thousand generated pairs
# make check    linters, types, import layers, schemas, tests
# make bench    speed against named peers, one table

# The first interpreter that runs and is new enough; a name on the path alone is not one (shims of version managers).
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; break; }; done)
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt

.PHONY: weekly test test-long check lint docs bench schemas clean
.DEFAULT_GOAL := weekly

$(VENV)/runtime: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "ctl needs Python 3.11 or newer and found none; name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --editable .
	@touch $@

$(VENV)/dev: $(VENV)/runtime
	@$(PIP) --editable '.[dev]'
	@touch $@

weekly: $(VENV)/runtime
	@$(BIN)/ctl demo .
	@$(BIN)/python scripts/run_weekly_ops.py --notify stdout

test: $(VENV)/dev
	$(BIN)/python -m pytest -n auto -m "not slow"

test-long: $(VENV)/dev
	$(BIN)/python -m pytest -n auto --hypothesis-profile=long -m "slow or hypothesis"

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy examples/donchian_breakout/src
	$(BIN)/lint-imports
	$(BIN)/python -m ctl schemas --check docs/schemas --pages docs

check: lint test

schemas: $(VENV)/dev
	$(BIN)/python -m ctl schemas docs/schemas --pages docs

$(VENV)/docs: $(VENV)/runtime
	@$(PIP) --editable '.[docs]'
	@touch $@

docs: $(VENV)/docs
	$(BIN)/sphinx-build -q -W -b html -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

bench: $(VENV)/dev
	$(BIN)/python -m benchmarks --install-peers

clean:
	rm -rf $(VENV) .venv-bench .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
