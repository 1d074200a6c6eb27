# Development targets; PYTHON is an environment with omnitwin and its `dev` group installed (README.md, Install).
PYTHON ?= .venv-test/bin/python

.PHONY: check test slow lint format completions benchmarks weights build smoke \
	audit test-lowest test-python

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

audit:
	$(PYTHON) tools/audit.py $(AUDIT)

# The tests with the lowest version allowed of every dependency, and with another Python (make test-python
# PYTHON_VERSION=3.13): each in an environment of its own (5 GB), which goes again. TESTS chooses some of them.
test-lowest:
	rm -rf .venv-lowest
	$(PYTHON) -m venv .venv-lowest
	$(PYTHON) tools/lowest.py > .venv-lowest/constraints.txt
	.venv-lowest/bin/pip install --quiet --upgrade pip
	.venv-lowest/bin/pip install --quiet --editable . --group test --constraint .venv-lowest/constraints.txt
	.venv-lowest/bin/pip list
	.venv-lowest/bin/pytest $(TESTS)
	rm -rf .venv-lowest

PYTHON_VERSION ?= 3.13
test-python:
	rm -rf .venv-$(PYTHON_VERSION)
	python$(PYTHON_VERSION) -m venv .venv-$(PYTHON_VERSION)
	.venv-$(PYTHON_VERSION)/bin/pip install --quiet --upgrade pip
	.venv-$(PYTHON_VERSION)/bin/pip install --quiet --editable . --group test
	.venv-$(PYTHON_VERSION)/bin/pytest $(TESTS)
	rm -rf .venv-$(PYTHON_VERSION)
