"""Our statistics against rliable itself, which does not import beside pandas 3: in an environment of its own.

Skipped unless PGBENCH_RLIABLE names its interpreter: `python -m venv E; E/bin/pip install rliable "pandas<3"`.
"""

import json
import os
import subprocess

import numpy as np
import pytest

from reports.statistics import (
    improvement_over_tasks,
    performance_profile,
    stratified_bootstrap,
    task_iqm,
    task_mean,
    task_median,
    task_optimality_gap,
)

INTERPRETER = os.environ.get("PGBENCH_RLIABLE")
pytestmark = pytest.mark.skipif(INTERPRETER is None, reason="PGBENCH_RLIABLE names no interpreter with rliable")
LEVELS = np.linspace(-0.5, 1.5, 21)
PROGRAM = """
import json, sys
import numpy as np
from rliable import library, metrics
x, y, levels = (np.array(one) for one in json.load(sys.stdin))
functions = (metrics.aggregate_mean, metrics.aggregate_median, metrics.aggregate_iqm, metrics.aggregate_optimality_gap)
_, ends = library.get_interval_estimates({"x": x}, lambda s: np.array([metrics.aggregate_iqm(s)]), reps=5000)
profile, _ = library.create_performance_profile({"x": x}, levels, reps=10)
profile = profile["x"]
values = [float(f(x)) for f in functions]
better = float(metrics.probability_of_improvement(x, y))
print(json.dumps([values, better, np.asarray(profile).tolist(), np.asarray(ends["x"]).ravel().tolist()]))
"""


@pytest.mark.parametrize("shape", [(3, 2), (10, 4), (7, 5)])
def test_we_compute_what_rliable_does(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(shape[0])
    x, y = rng.normal(0.5, 0.4, size=(2, *shape)).round(2)
    given = json.dumps([x.tolist(), y.tolist(), LEVELS.tolist()])
    done = subprocess.run([str(INTERPRETER), "-c", PROGRAM], input=given, capture_output=True, text=True, check=True)
    values, better, profile, ends = json.loads(done.stdout)
    ours = [float(f(x.T)) for f in (task_mean, task_median, task_iqm, task_optimality_gap)]
    np.testing.assert_allclose(ours, values, rtol=1e-12)
    np.testing.assert_allclose(improvement_over_tasks(x.T, y.T), better, rtol=1e-12)
    np.testing.assert_allclose(performance_profile(x.T, LEVELS), profile, rtol=1e-12)
    interval = stratified_bootstrap(task_iqm, x.T, resamples=5000, expand=False)
    np.testing.assert_allclose(interval, ends, atol=0.03)
