# make demo         trains, converts and runs a binary network on real digits
# make test         runs every test, in two processes: at most 15 minutes on two idle cores, at most 5 GiB of memory
# make test-fast    runs those that take no more than a second or two each, in less than 3 minutes
# make test-memory  runs every test and says how much memory that took
# make lint         checks style and types
# Each makes the virtual environment that it needs in .venv; PYTHON=python3.10 chooses another interpreter.

PYTHON ?= python3
VENV := .venv

# Each further process takes another two GiB.
TEST_PROCESSES ?= 2
PYTEST := $(VENV)/bin/python -m pytest -n $(TEST_PROCESSES) --dist loadfile

.PHONY: demo test test-fast test-memory lint clean

demo: $(VENV)/train.installed
	$(VENV)/bin/python examples/digits.py

test: $(VENV)/test.installed
	$(PYTEST)

test-fast: $(VENV)/test.installed
	$(PYTEST) -m "not slow"

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
	$(VENV)/bin/pip install --quiet --editable ".[$*]"
	@touch $@

clean:
	rm -rf $(VENV) demo-output
