"""The figures of a search, one a file: `draw(studies)` gives a Drawing, or None where there is nothing to draw."""

from collections.abc import Callable, Sequence

from reports.figures import (
    search_budget,
    search_confirmation,
    search_history,
    search_importance,
    search_pairs,
    search_parallel,
    search_slices,
)
from reports.figures.drawing import Drawing
from reports.search import Study

SEARCH: dict[str, Callable[[Sequence[Study]], Drawing | None]] = {
    "search_confirmation": search_confirmation.draw,
    "search_history": search_history.draw,
    "search_budget": search_budget.draw,
    "search_importance": search_importance.draw,
    "search_slices": search_slices.draw,
    "search_pairs": search_pairs.draw,
    "search_parallel": search_parallel.draw,
}
