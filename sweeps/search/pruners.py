"""Who stops a trial early. A verdict depends on the journal alone, so that it is the same after a restart."""

import math
import warnings
from typing import TYPE_CHECKING

from sweeps.search.samplers import need_scipy
from sweeps.search.schema import Search

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial

LOOKS = 20  # looks at a trial along its training
ALONG = ("median", "halving")
FIRST_TRIALS = 5  # trials that end before the first verdict
ETA = 3  # successive halving lets the best 1 / ETA past each rung
P_VALUE = 0.1  # Wilcoxon: below it the trial is worse than the best one


def looks(search: Search, total_steps: int) -> list[int]:
    """The environment steps at which a trial is compared along training, the last one before its end.

    Median: LOOKS even steps, those after the warm-up. Halving: T / ETA^i after the warm-up.
    """
    if search.pruner == "median":
        even = [round(total_steps * i / LOOKS) for i in range(1, LOOKS)]
    elif search.pruner == "halving":
        even = sorted(round(total_steps / ETA**i) for i in range(1, 6))
    else:
        return []
    return [step for step in even if step >= max(1, search.warmup * total_steps)]


def pruner(search: Search) -> "BasePruner":
    """Optuna's pruner of that name. Its warm-up is in `looks`: nothing is reported before."""
    from optuna.exceptions import ExperimentalWarning
    from optuna.pruners import MedianPruner, NopPruner, WilcoxonPruner

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        if search.pruner == "median":
            return MedianPruner(n_startup_trials=FIRST_TRIALS, n_warmup_steps=0)
        if search.pruner == "wilcoxon":
            need_scipy("search.pruner=wilcoxon")
            return WilcoxonPruner(p_threshold=P_VALUE, n_startup_steps=2)
        return NopPruner()


def halved(trial: "FrozenTrial", ended: list["FrozenTrial"], maximize: bool) -> bool:
    """Whether successive halving stops a trial at its last report: not among the best 1 / ETA that came so far.

    Compared with trials that have ended, and with no other that still runs: who is first to report then does not
    matter. (Optuna's SuccessiveHalvingPruner keeps rungs beside the reports; killed in between, it forgets a verdict.)
    """
    step = max(trial.intermediate_values)
    value = trial.intermediate_values[step]
    rivals = [other.intermediate_values[step] for other in ended if step in other.intermediate_values]
    if len(rivals) < ETA - 1 or math.isnan(value):
        return math.isnan(value)
    better = sum(other > value if maximize else other < value for other in rivals)
    return better >= max(1, (len(rivals) + 1) // ETA)
