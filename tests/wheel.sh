#!/usr/bin/env bash
# Trains, sweeps, evaluates and reports with an installed package alone: BIN, its environment's bin/, is the argument.
set -euo pipefail
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export PATH="$bin:/usr/bin:/bin" OMP_NUM_THREADS=1
unset PYTHONPATH
python -c "import pgbench, sweeps, reports; assert '.venv-wheel' in pgbench.__file__, pgbench.__file__"
pgbench-train algorithm=trpo env=cartpole seeds=2 total_steps=6000 snapshots=[2048] output_dir=runs/first
pgbench-sweep algorithm=vpg,npg env=cartpole seeds=2 total_steps=6000 n_jobs=2 output_dir=runs/pair > sweep.txt
pgbench-status runs/pair
pgbench-evaluate runs/first --episodes 3
pgbench-play runs/first/*/seed-0 --snapshot 2048 --video play.gif --steps 20
pgbench-measure runs/first --kinds policy_path
pgbench-report runs/pair --published --out figures
python -m pgbench rerun runs/first/*/seed-1 output_dir=again
cmp runs/first/*/seed-1/metrics.csv again/*/seed-1/metrics.csv
test -s figures/index.html -a -s figures/learning_curves.png -a -s play.gif
grep -q '"git_commit": null' runs/first/*/seed-0/provenance.jsonl  # no foreign repository is taken for ours
for missing in "pgbench-play $(echo runs/first/*/seed-0) --video play.mp4" "pgbench-train env=halfcheetah output_dir=none" "pgbench-train tracking=wandb output_dir=none"; do
    if $missing 2> error.txt; then echo "unexpected: $missing"; exit 1; fi
    grep -q "pip install 'pgbench-rl" error.txt && test "$(wc -l < error.txt)" = 1 || { cat error.txt; exit 1; }
done
echo "the installed package works"
