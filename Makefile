# Every target sets up what it needs in .venv, from a bare Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq install -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test soak lint bench notebooks docs

help:  ## show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

TOPIC ?= love
demo: $(VENV)/.installed-demo  ## forget a topic in models/en-fr-mini and write a report to runs/demo (TOPIC=dog)
	@$(BIN)/codeunlearn demo --topic "$(TOPIC)" --out runs/demo

test: $(VENV)/.installed-dev  ## run the unit, robustness and integration tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/unit tests/robustness tests/integration

PART ?= all
SEED ?= 0
soak: $(VENV)/.installed-dev  ## kill, race and feed what is malformed, counted in docs/reliability.md (PART=kills, races, malformed, running)
	@$(BIN)/python tests/robustness/soak.py --part $(PART) --seed $(SEED) --out runs/soak --page docs/reliability.md

lint: $(VENV)/.installed-dev  ## check style, formatting and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/basedpyright

bench: $(VENV)/.installed-bench  ## time the search, a training step and translation against others
	@$(BIN)/python benchmarks/search.py --out runs/bench
	@$(BIN)/python benchmarks/pursuit.py --out runs/bench
	@$(BIN)/python benchmarks/training.py --out runs/bench
	@$(BIN)/python benchmarks/translation.py --out runs/bench
	@$(BIN)/python benchmarks/page.py --out runs/bench

notebooks: $(VENV)/.installed-dev  ## run the notebooks again and keep what they print
	@$(BIN)/python docs/run_notebooks.py

docs: $(VENV)/.installed-docs  ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "CodeUnlearn needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# The stamps are newer than the files that decide what is installed.
$(VENV)/.installed-demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing codeunlearn into $(VENV) (a few minutes the first time) ..."
	@$(PIP) -e '.[reports]'
	@touch $@

$(VENV)/.installed-bench: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing codeunlearn into $(VENV) (a few minutes the first time) ..."
	@$(PIP) -e '.[train,reports]'
	@touch $@ $(VENV)/.installed-demo

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing codeunlearn and its development tools into $(VENV) (a few minutes the first time) ..."
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.installed-demo $(VENV)/.installed-bench

$(VENV)/.installed-docs: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) -e '.[docs]'
	@touch $@
