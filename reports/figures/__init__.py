"""The figures, one a file: `draw(data)` gives a Drawing, or None where the records hold nothing for it.

To add one, write its file and name it in FIGURES.
"""

from collections.abc import Callable

from reports.data import Data
from reports.figures import final_return, learning_curves, steps_to_threshold
from reports.figures.drawing import Drawing

FIGURES: dict[str, Callable[[Data], Drawing | None]] = {
    "learning_curves": learning_curves.draw,
    "final_return": final_return.draw,
    "steps_to_threshold": steps_to_threshold.draw,
}
