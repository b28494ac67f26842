"""A figure of your own: how far apart the seeds of each job end."""

import numpy as np
import pandas as pd

from reports import style
from reports.data import Data
from reports.figures.drawing import Drawing


def spread(data: Data) -> Drawing | None:
    """A bar per job from its worst to its best seed; None where no job has a seed that counts."""
    groups = [group for group in data.groups if group.n]
    if not groups:
        return None
    figure, (panel,) = style.panels(1)
    table = pd.DataFrame(
        [
            {"label": group.label, "n": group.n, "worst": group.final.min(), "best": group.final.max()}
            for group in groups
        ]
    )
    panel.barh(table["label"], table["best"] - table["worst"], left=table["worst"], color="0.7")
    panel.set_xlabel("final return, worst to best seed")
    widest = table.iloc[int(np.argmax(table["best"] - table["worst"]))]
    return Drawing(figure, f"Seeds differ most for {widest['label']}.", "Bars span the seeds.", table)
