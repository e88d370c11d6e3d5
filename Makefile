# make demo   trains, converts and runs a binary network on real digits
# make test   runs every test
# make lint   checks style
# Each makes the virtual environment that it needs in .venv; PYTHON=python3.10 chooses another interpreter.

PYTHON ?= python3
VENV := .venv

.PHONY: demo test lint clean

demo: $(VENV)/train.installed
	$(VENV)/bin/python examples/digits.py

test: $(VENV)/test.installed
	$(VENV)/bin/python -m pytest

lint: $(VENV)/test.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' || \
	  { echo "Python 3.10, 3.11 or 3.12 is needed, $(PYTHON) is another: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/%.installed: pyproject.toml $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --editable ".[$*]"
	@touch $@

clean:
	rm -rf $(VENV) demo-output
