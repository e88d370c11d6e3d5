# make demo             trains, converts and runs a binary network on real digits
# make test             runs the tests, in two processes: some 20 minutes on two cores, at most 5 GiB of memory
# make test-fast        runs those that take no more than a second or two each, in less than 3 minutes
# make test-exhaustive  runs what the others leave out: one more of many alike, in some twenty minutes
# make test-oldest      runs these with the lowest versions that pyproject.toml promises
# make test-memory      runs them as make test does and says how much memory that took
# make lint             checks style and types
# Each makes the virtual environment that it needs in .venv, or .venv-oldest; PYTHON=python3.10 chooses an interpreter.

PYTHON ?= python3
VENV := .venv
# Each further process takes another two GiB.
TEST_PROCESSES ?= 2
PYTEST := $(VENV)/bin/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

.PHONY: help demo test test-fast test-exhaustive test-oldest test-memory lint clean

help:
	@sed -n 's/^# make/make/p' Makefile

demo: $(VENV)/train.installed
	$(VENV)/bin/python examples/digits.py

test: $(VENV)/test.installed
	$(PYTEST)

test-fast: $(VENV)/test.installed
	$(PYTEST) -m "not slow and not exhaustive"

test-exhaustive: $(VENV)/test.installed
	$(PYTEST) -m exhaustive

test-oldest:
	$(MAKE) .venv-oldest/bin/pip VENV=.venv-oldest
	@# The pip of Python 3.10 tries versions for longer than anybody waits.
	.venv-oldest/bin/pip install --quiet --upgrade pip
	$(MAKE) test-fast VENV=.venv-oldest INSTALL="--prefer-binary --constraint tests/oldest.txt"

test-memory: $(VENV)/test.installed
	$(VENV)/bin/python tests/peak_memory.py $(PYTEST)

lint: $(VENV)/test.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' || \
	  { echo "Python 3.10, 3.11 or 3.12 is needed, $(PYTHON) is another: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/%.installed: pyproject.toml $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet $(INSTALL) --editable ".[$*]"
	@touch $@

clean:
	rm -rf .venv .venv-oldest demo-output
