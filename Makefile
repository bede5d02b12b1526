# The words a newcomer needs. `make demo` and `make test` set themselves up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Two test processes on two cores: a thread each, or they wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo setup check format test test-all coverage

help:      ## Show this
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: $(READY)      ## The main job on data it draws itself: pretrain, fine-tune, compare, live
	$(BIN)/emotemporal demo --out demo

setup: $(READY)     ## Install for development, with pre-commit hooks
	$(BIN)/pre-commit install

check: $(READY)     ## What a change must pass: style, types, layers, tests with run-time shape checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -n 2 -m "not slow and not mistyped" --jaxtyping-packages=emotemporal,runtime_types.check

format: $(READY)    ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: $(READY)      ## The tests that take minutes: CPU, no downloads
	$(PYTEST) -m "not slow" -n 2

test-all: $(READY)  ## All tests, the slow ones too
	$(PYTEST) -n 2

coverage: $(READY)  ## Which lines the tests reach
	$(PYTEST) -m "not slow" -n 2 --cov=emotemporal --cov-report=term:skip-covered

# Made anew when the list of dependencies changes.
$(READY): setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@
