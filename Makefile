# Development targets; PYTHON is an environment with omnitwin and its `dev` group installed (README.md, Install).
PYTHON ?= .venv-test/bin/python

.PHONY: check test slow lint format completions benchmarks weights build smoke

check: lint test

test:
	$(PYTHON) -m pytest

slow:
	$(PYTHON) -m pytest -m "slow or not slow"

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) completions/generate.py --check

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

completions:
	$(PYTHON) completions/generate.py

benchmarks:
	$(PYTHON) benchmarks/step.py
	$(PYTHON) benchmarks/load.py
	$(PYTHON) benchmarks/fast.py
	$(PYTHON) benchmarks/answer.py

SEEDS ?= 0 1 2
weights:
	$(PYTHON) tools/weights.py --seeds $(SEEDS)

build:
	$(PYTHON) -m build

smoke:
	$(PYTHON) tools/smoke.py
