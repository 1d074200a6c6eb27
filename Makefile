# Development targets; PYTHON is an environment with omnitwin and its `dev` group installed (README.md, Install).
PYTHON ?= .venv-test/bin/python

.PHONY: check test slow lint format completions reference pictures benchmarks weights build
.PHONY: smoke audit test-machines test-lowest test-python faults fuzz coverage

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
	$(PYTHON) docs/generate.py --check
	$(PYTHON) docs/api.py --check

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

completions:
	$(PYTHON) completions/generate.py

reference:
	$(PYTHON) docs/generate.py
	$(PYTHON) docs/api.py

# Trains for a minute or two on idle cores: the demo, and the curve of EXAMPLE.md.
pictures:
	$(PYTHON) docs/terminal.py

# Kill a run at every change of the disk, and KILLS times at random moments of each recipe; rewrite docs/FAULTS.md's table.
KILLS ?= 100
faults:
	OMNITWIN_TEST_KILLS=$(KILLS) OMNITWIN_WRITE_FAULTS=1 $(PYTHON) -m pytest -n 0 -m slow tests/faults -s

# Try INPUTS inputs of all kinds, made from the seed SEED; the table that it prints says how to repeat a failure.
INPUTS ?= 12000
SEED ?= 1
fuzz:
	$(PYTHON) tests/fuzz/long.py --inputs $(INPUTS) --seed $(SEED)

# Run the tests except the slow ones, and list the source lines that no test in this process reaches.
coverage:
	$(PYTHON) -m pytest --cov=omnitwin --cov-report=term-missing:skip-covered

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

# Run the tests as other processors would. TESTS="--only NAME" chooses a way; more words go to pytest.
test-machines:
	$(PYTHON) tools/machines.py $(TESTS)

# Run the tests with the lowest allowed version of every dependency, or with another Python (make test-python
# PYTHON_VERSION=3.13), each in a temporary environment (5 GB). TESTS chooses tests.
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
