# make setup   .venv with pinned versions (a few minutes, once)
# make demo    climbs the bundled sample task with the bundled model
# make test    the default tests
# make check   lint, format, types, layer rules
# make fix     what the linter can put right by itself
# make bench   the benchmarks, one after the other (hours; BENCH=quick takes less of each)

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SAMPLE := src/stepladder/samples/support-notes/task.yaml

.PHONY: setup demo test check fix bench
setup: $(READY)

# torch first: the largest download fails first, and nothing else then draws in another version.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("Stepladder needs Python 3.11 to 3.13, this is %d.%d; choose one: make setup PYTHON=python3.11" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[hf,docs,programs,quantized,dev]'
	@touch $(READY)

demo: setup
	$(BIN)/stepladder climb $(SAMPLE) --name demo

test: setup
	$(BIN)/pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --quiet tests/test_layers.py

fix: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script; done
