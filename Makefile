# `make figures`: the main job. `make test`: the tests. Both install what they need into .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
N_JOBS ?= $(shell nproc)
INSTALLED := $(VENV)/.installed

.PHONY: figures test install bench soak mutations clean

figures: install
	$(BIN)/python -m sweeps sweep=figure1 n_jobs=$(N_JOBS) output_dir=runs/figure1
	$(BIN)/python -m sweeps sweep=comparison n_jobs=$(N_JOBS) output_dir=runs/comparison
	$(BIN)/python -m reports runs/figure1 runs/comparison --out figures

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(N_JOBS) tests

bench: install
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[bench]"
	$(BIN)/python -m tests.benchmarks

soak: install
	$(BIN)/python -m pytest -m soak tests/sweeps

mutations: install
	$(BIN)/python tests/equations/mutations.py

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) figures
