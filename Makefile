# make demo         trains, converts and runs a binary network on real digits
# make test         runs every test
# make test-oldest  runs the quick ones with the lowest versions that pyproject.toml promises
# make lint         checks style and types
# make clean        removes what these leave behind
# Each makes the virtual environment that it needs in .venv or .venv-oldest; PYTHON=python3.10 chooses another interpreter.

PYTHON ?= python3
VENV := .venv

.PHONY: help demo test test-oldest lint clean

help:
	@sed -n 's/^# make/make/p' Makefile

demo: $(VENV)/demo.installed
	$(VENV)/bin/python examples/digits.py

test-oldest:
	$(MAKE) VENV=.venv-oldest CONSTRAINTS="--constraint tests/oldest.txt --prefer-binary" .venv-oldest/test.installed
	.venv-oldest/bin/python -m pytest -m "not slow"

test: $(VENV)/test.installed
	$(VENV)/bin/python -m pytest

lint: $(VENV)/test.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' || \
	  { echo "Python 3.10, 3.11 or 3.12 is needed, $(PYTHON) is another: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/%.installed: pyproject.toml $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet $(CONSTRAINTS) --editable ".[$*]"
	@touch $@

clean:
	rm -rf .venv .venv-oldest demo-output
