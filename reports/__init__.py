"""Reports: the records of runs -> one tidy DataFrame -> statistics -> figures, tables and a page.

    from reports import load_runs, load_episodes, load_evaluations, plot

    runs = load_runs("runs")
    plot.learning_curves(runs, metric="kl").savefig("kl.pdf")

Nothing here imports torch or wandb; pandas is imported with the first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports import plot, statistics
    from reports.load import load_episodes, load_evaluations, load_runs, load_seeds

__all__ = ["load_episodes", "load_evaluations", "load_runs", "load_seeds", "plot", "statistics"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'reports' has no attribute '{name}'")
    if name.startswith("load_"):
        return getattr(import_module("reports.load"), name)
    return import_module(f"reports.{name}")
