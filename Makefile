# Two commands do all set-up: `make quickstart` runs the main job on built-in data, `make test` runs the checks.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SEED ?= 0
QUICK := runs/quickstart/seed_$(SEED)

.PHONY: help quickstart test lint types suite coverage slow smoke docs wheel test-minimal test-oldest clean

help:
	@echo "make quickstart  install, make soundscapes from built-in sounds, train, score (SEED=0)"
	@echo "make test        install with extras, lint, type-check, run the suite"
	@echo "make docs        build the documentation into site/"
	@echo "make coverage    the suite again, and which lines it runs: twice as long"
	@echo "make slow        the tests that take minutes"
	@echo "make smoke       the studies of all papers in minutes, on a few built-in sounds"
	@echo "make wheel       build the wheel into dist/, and use it in an empty folder and environment"
	@echo "make test-minimal  the suite without extras;  make test-oldest: with the least versions allowed"
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

smoke: .venv/dev.stamp
	rm -rf runs/smoke
	$(BIN)/wsed reproduce all --scale smoke --jobs 2 --out runs/smoke

.venv/docs.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[docs]'
	touch $@ .venv/base.stamp

docs: .venv/docs.stamp
	$(BIN)/mkdocs build --strict

wheel: $(BIN)/python
	$(BIN)/python -m pip install --quiet 'build>=1.3'
	rm -rf dist
	$(BIN)/python -m build
	.ci/wheel.sh dist/*.whl $(BIN)/python

TOOLS := 'pytest>=8.3' 'pytest-xdist>=3.6' 'hypothesis>=6.120' 'beartype>=0.20'

test-minimal:
	$(PYTHON) -m venv .venv-minimal
	.venv-minimal/bin/python -m pip install --quiet -e . $(TOOLS)
	WSED_EXTRAS=skip .venv-minimal/bin/python -m pytest -n 2 --dist loadfile -m "not slow"

# Newer packages warn about older ones, so warnings are no errors here.
test-oldest:
	$(PYTHON) -m venv .venv-oldest
	$(PYTHON) .ci/oldest.py > .venv-oldest/constraints.txt
	.venv-oldest/bin/python -m pip install --quiet -e . $(TOOLS) -c .venv-oldest/constraints.txt
	WSED_EXTRAS=skip .venv-oldest/bin/python -m pytest -n 2 --dist loadfile -m "not slow" -W default

clean:
	rm -rf .venv .venv-minimal .venv-oldest dist data/quickstart runs/quickstart runs/smoke
