PYTHON ?= .venv/bin/python
OMP_NUM_THREADS ?= 1
export OMP_NUM_THREADS
SITE ?= build/docs

.PHONY: format check docs test fast-test typed-test scorecard

format:
	$(PYTHON) -m ruff format src tests benchmarks docs
	$(PYTHON) -m ruff check --fix src tests benchmarks docs

check:
	$(PYTHON) -m ruff format --check src tests benchmarks docs
	$(PYTHON) -m ruff check src tests benchmarks docs
	$(PYTHON) -m mypy
	$(PYTHON) -c "import sys; from importlinter.cli import lint_imports_command as lint; sys.exit(lint())"

docs:
	$(PYTHON) -m sphinx -W --keep-going -q -b html docs $(SITE)

test:
	$(PYTHON) -m pytest -n auto

fast-test:
	$(PYTHON) -m pytest -n auto -m "not slow"

typed-test:
	$(PYTHON) -m pytest --jaxtyping-packages=ssgan,beartype.beartype

scorecard:
	$(PYTHON) -m tests.scorecard --mutants --out docs/results/scorecard.json
