# Two commands do all set-up: `make quickstart` runs the main job on built-in data, `make test` runs the checks.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SEED ?= 0
QUICK := runs/quickstart/seed_$(SEED)

.PHONY: help quickstart test lint types suite coverage slow docs clean

help:
	@echo "make quickstart  install, make soundscapes from built-in sounds, train, score (SEED=0)"
	@echo "make test        install with extras, lint, type-check, run the suite"
	@echo "make docs        build the documentation into site/"
	@echo "make coverage    the suite again, and which lines it runs: twice as long"
	@echo "make slow        the tests that take minutes"
	@echo "make clean       remove the environment and what quickstart made"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "wsed needs Python 3.11 or newer: make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip

# A stamp a set of packages: installed anew only when pyproject.toml changes.
.venv/base.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e .
	touch $@

.venv/dev.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[dev,eval]'
	touch $@ .venv/base.stamp

quickstart: .venv/base.stamp
	@if [ -f $(QUICK)/test/scores.json ]; then \
		echo "$(QUICK) is trained already; remove the folder to train anew"; $(BIN)/wsed show $(QUICK); \
	else \
		$(BIN)/wsed data synth --soundbank builtin --out data/quickstart --clips train=600 validation=100 eval=100 && \
		$(BIN)/wsed fit --config experiments/quickstart.yaml --seed_everything $(SEED) \
			--trainer.default_root_dir $(QUICK) --overwrite; \
	fi

test: lint types suite

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev.stamp
	$(BIN)/mypy

suite: .venv/dev.stamp
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

coverage: .venv/dev.stamp
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" --cov --cov-report=term-missing:skip-covered

slow: .venv/dev.stamp
	$(BIN)/python -m pytest -m slow

.venv/docs.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[docs]'
	touch $@ .venv/base.stamp

docs: .venv/docs.stamp
	$(BIN)/mkdocs build --strict

clean:
	rm -rf .venv data/quickstart runs/quickstart
