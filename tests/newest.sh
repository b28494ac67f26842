#!/usr/bin/env bash
# The package on the newest Python found here that is newer than ours: installed from a wheel, then a few short tests.
# Where there is none, or where it cannot install what we need in five minutes, a line says so and all is well. From PyPI
# this is, on Linux, torch's CUDA build: the other flavour than most of us have, and some gigabytes. With LIGHT=1 torch is
# left out, and only what runs without it is tested: configs, statistics, figures.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
ours=$("$python" -c 'import sys; print(sys.version_info[1])')
newest=
for minor in $(seq 20 -1 $((ours + 1))); do
    for candidate in "python3.$minor" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"3.$minor".*/bin/python; do
        if "$candidate" -c 'import venv, ensurepip' 2> /dev/null; then newest=$candidate && break 2; fi
    done
done
if [ -z "$newest" ]; then echo "newest: no Python newer than 3.$ours here, nothing to test"; exit 0; fi

version=$("$newest" --version)
limit=$(command -v timeout > /dev/null && echo timeout 300 || true)
rm -rf .venv-newest
trap 'rm -rf .venv-newest' EXIT  # some gigabytes
if [ -n "${LIGHT:-}" ]; then
    "$newest" - > newest.txt << 'END'
import tomllib

project = tomllib.load(open("pyproject.toml", "rb"))["project"]
print(*(one for one in project["dependencies"] if not one.startswith("torch")), "pytest", "hypothesis", sep="\n")
END
    trap 'rm -rf .venv-newest newest.txt' EXIT
    "$newest" -m venv .venv-newest
    if ! $limit .venv-newest/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -r newest.txt; then
        echo "newest: $version cannot install what we need with our constraints, not tested"
        exit 0
    fi
    .venv-newest/bin/python -m pytest --noconftest tests/reports/test_statistics.py
    .venv-newest/bin/python -m reports results/mujoco --out .venv-newest/figures
    echo "newest: $version works, without torch"
    exit 0
fi
if ! { "$newest" -m venv .venv-newest &&
    $limit .venv-newest/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt . pytest hypothesis \
        > .venv-newest/install.txt 2>&1; }; then
    echo "newest: $version cannot install the package with our constraints, not tested:"
    tail -1 .venv-newest/install.txt 2> /dev/null || true
    exit 0
fi
export OMP_NUM_THREADS=1
.venv-newest/bin/python -m pytest tests/equations/test_returns.py tests/equations/test_natural_gradient.py \
    tests/pgbench/test_identity.py tests/test_architecture.py
.venv-newest/bin/python -m pgbench env=cartpole seeds=2 total_steps=4200 output_dir=.venv-newest/runs
.venv-newest/bin/python -m reports .venv-newest/runs --out .venv-newest/figures
echo "newest: $version works"
