"""The figures, one a file: `draw(data)` gives a Drawing, or None where the records hold nothing for it.

To add one here, write its file and name it in FIGURES, SEARCH or ARGUMENTS; `--figure module:name` draws one of your
own.
"""

import sys
from collections.abc import Callable, Sequence

from pgbench.errors import UserError
from pgbench.plugins import load
from reports.data import Data
from reports.figures import (
    diagnostics,
    evaluation,
    final_return,
    gae,
    gradient_variance,
    heat_map,
    importance,
    learning_curves,
    parameter_space,
    ranking,
    search_budget,
    search_confirmation,
    search_history,
    search_importance,
    search_pairs,
    search_parallel,
    search_slices,
    seeds,
    sensitivity,
    step_size,
    steps_to_threshold,
    tasks,
    trust_region,
)
from reports.figures.drawing import Drawing
from reports.search import Study

Draw = Callable[[Data], Drawing | None]

FIGURES: dict[str, Draw] = {
    "learning_curves": learning_curves.draw,
    "final_return": final_return.draw,
    "ranking": ranking.draw,
    "steps_to_threshold": steps_to_threshold.draw,
    "aggregate_scores": tasks.aggregates,
    "performance_profiles": tasks.profiles,
    "improvement": tasks.improvement,
    "sensitivity": sensitivity.draw,
    "heat_map": heat_map.draw,
    "importance": importance.draw,
    "evaluation": evaluation.draw,
    "diagnostics": diagnostics.draw,
    "seeds": seeds.draw,
}
"""The comparison of algorithms and settings, drawn from any runs."""

ARGUMENTS: dict[str, Draw] = {
    "gradient_variance": gradient_variance.draw,
    "gae": gae.draw,
    "step_size": step_size.draw,
    "parameter_space": parameter_space.draw,
    "trust_region": trust_region.draw,
}
"""What the slides argue, each with a sweep of its name; None from runs that do not vary what it is about."""


def _of_searches(draw: Callable[[Sequence[Study]], Drawing | None]) -> Draw:
    return lambda data: draw(data.searches) if data.searches else None


SEARCH: dict[str, Draw] = {
    "search_confirmation": _of_searches(search_confirmation.draw),
    "search_history": _of_searches(search_history.draw),
    "search_budget": _of_searches(search_budget.draw),
    "search_importance": _of_searches(search_importance.draw),
    "search_slices": _of_searches(search_slices.draw),
    "search_pairs": _of_searches(search_pairs.draw),
    "search_parallel": _of_searches(search_parallel.draw),
}
"""What a search tried and found, each `draw(studies)`; None from runs that no search has made."""

ALL: dict[str, Draw] = {**SEARCH, **FIGURES, **ARGUMENTS}


def own_figure(name: str) -> tuple[str, Draw]:
    """Another's figure by `module:function`, called as its function. Raises UserError."""
    draw: Draw = load(name, "--figure")
    if not callable(draw):
        raise UserError(f"--figure {name}: not a function of reports.data.Data that gives a Drawing")

    def guarded(data: Data) -> Drawing | None:
        try:
            return draw(data)
        except Exception as error:  # somebody's own: the rest of the report goes on
            print(f"warning: --figure {name}: {type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
            return None

    return name.partition(":")[2], guarded
