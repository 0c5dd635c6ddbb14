# Two commands on a bare machine: `make demo` and `make test`.
export OMP_WAIT_POLICY = PASSIVE
export PIP_DISABLE_PIP_VERSION_CHECK = 1
PYTHON ?= python3
BIN = .venv/bin
# Files of tests run side by side, a process a core; more than four would want more than 8 GB of memory.
PYTEST = $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: demo gallery install test test-all lint types security docs check speed speed-gpu

demo: install
	$(BIN)/audiobench run quickstart

install: .venv/installed

# uv where it is on PATH, else from the new environment itself. Bytecode is compiled now, not at every first import.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "audiobench needs Python 3.11 or newer"'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	command -v uv >/dev/null || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	PATH="$$PATH:$(BIN)" uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable '.[dev]'
	touch $@

test: install
	$(PYTEST) -m "not slow"

test-all: test
	$(PYTEST) -m "slow and not alone"
	$(BIN)/python -m pytest -m "slow and alone"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

# Our code, and the packages that it is installed with.
security: install
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive audiobench benchmark leaderboard registry
	$(BIN)/python -m tests.audit

# The site, build/site, from docs/ and from the code. Not --quiet: strict is about warnings that are told.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

check: lint types security docs test-all

# The committed boards as a static site, build/gallery/index.html: docs/gallery.md.
gallery: install
	$(BIN)/audiobench site build/gallery --runs leaderboard/records

# Ratios to the bare operation: docs/speed.md. Nothing else should run.
speed: install
	$(BIN)/python -m tests.speed

# Ten minutes on a GPU, without a network: docs/speed.md. Where nothing is installed, PYTHON has torch and pytest.
speed-gpu:
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m tests.speed_gpu speed-gpu
