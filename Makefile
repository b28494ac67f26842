# `make figures`: the main job. `make test`: the tests. Both install what they need into .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
N_JOBS ?= $(shell getconf _NPROCESSORS_ONLN)
INSTALLED := $(VENV)/.installed
BENCH := .venv-bench
DOCS := .venv-docs
THIRD := .venv-third-party

.PHONY: figures test install bench reports-bench wheel docs links newest soak tracking mutations third-party clean

figures: install
	$(BIN)/python -m sweeps sweep=figure1 n_jobs=$(N_JOBS) output_dir=runs/figure1
	$(BIN)/python -m sweeps sweep=comparison n_jobs=$(N_JOBS) output_dir=runs/comparison
	$(BIN)/python -m reports runs/figure1 --out figures/figure1
	$(BIN)/python -m reports runs/comparison --published --out figures/comparison
	@echo "Look at figures/figure1/index.html and figures/comparison/index.html"

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(N_JOBS) tests

# The package as `pip install` gives it: built, put into a fresh environment, used from an empty directory without git.
wheel:
	rm -rf build dist .venv-wheel
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip wheel -q --disable-pip-version-check --no-deps -w dist .
	.venv-wheel/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt dist/*.whl
	bash tests/wheel.sh .venv-wheel/bin
	rm -rf .venv-wheel

# The site, in site/. Its environment is small: the pages need neither torch nor the package.
docs: $(DOCS)/.installed
	rm -rf site
	$(DOCS)/bin/python -m sphinx -q -W --keep-going -n -b html -d $(DOCS)/doctrees docs site

links: $(DOCS)/.installed
	$(DOCS)/bin/python -m sphinx -q -b linkcheck -d $(DOCS)/doctrees docs $(DOCS)/links

$(DOCS)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt \
		$$($(DOCS)/bin/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['docs'])")
	touch $@

# The package on the newest Python here, if there is one newer than ours and torch serves it.
newest:
	bash tests/newest.sh

bench: $(BENCH)/.installed
	$(BENCH)/bin/python -m tests.benchmarks

reports-bench: install
	$(BIN)/python -m tests.reports.coverage
	$(BIN)/python -m tests.reports.scale

# An environment of its own: Tianshou needs an older pandas and filelock than we do. All else is the same.
$(BENCH)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(BENCH)
	grep -vE '^(pandas|filelock)==' constraints.txt > $(BENCH)/constraints.txt
	$(BENCH)/bin/python -m pip install -q --disable-pip-version-check -c $(BENCH)/constraints.txt -e ".[bench]"
	touch $@

soak: install
	$(BIN)/python tests/sweeps/soak.py 50 0
	$(BIN)/python tests/sweeps/soak.py 30 0 search
	$(BIN)/python tests/sweeps/soak.py 60 0 short

tracking: install
	$(BIN)/python tests/tracking/faults.py
	$(BIN)/python tests/tracking/soak.py 20 0 offline
	$(BIN)/python tests/tracking/soak.py 20 1 online

# Environments of other packages: FetchReach of gymnasium-robotics 1.4.2 needs an older MuJoCo than we do.
third-party: $(THIRD)/.installed
	$(THIRD)/bin/python -m pytest tests/pgbench/test_third_party.py

$(THIRD)/.installed: pyproject.toml constraints.txt tests/third-party.txt
	$(PYTHON) -m venv $(THIRD)
	grep -v '^mujoco' constraints.txt > $(THIRD)/constraints.txt
	$(THIRD)/bin/python -m pip install -q --disable-pip-version-check -c $(THIRD)/constraints.txt -e ".[mujoco]" \
		-r tests/third-party.txt
	touch $@

mutations: install
	$(BIN)/python tests/equations/mutations.py

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) $(BENCH) $(DOCS) $(THIRD) .venv-wheel .venv-newest build dist figures site
