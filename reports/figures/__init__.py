"""The figures, one a file: `draw(data)` gives a Drawing, or None where the records hold nothing for it.

To add one, write its file and name it in FIGURES or ARGUMENTS.
"""

from collections.abc import Callable

from reports.data import Data
from reports.figures import (
    final_return,
    gae,
    gradient_variance,
    learning_curves,
    parameter_space,
    step_size,
    steps_to_threshold,
    trust_region,
)
from reports.figures.drawing import Drawing

FIGURES: dict[str, Callable[[Data], Drawing | None]] = {
    "learning_curves": learning_curves.draw,
    "final_return": final_return.draw,
    "steps_to_threshold": steps_to_threshold.draw,
}
"""The comparison of algorithms, drawn from any runs."""

ARGUMENTS: dict[str, Callable[[Data], Drawing | None]] = {
    "gradient_variance": gradient_variance.draw,
    "gae": gae.draw,
    "step_size": step_size.draw,
    "parameter_space": parameter_space.draw,
    "trust_region": trust_region.draw,
}
"""What the slides argue, each with a sweep of its name; None from runs that do not vary what it is about."""
