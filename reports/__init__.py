"""Reports: the records of runs -> one tidy DataFrame -> statistics -> figures, tables and a page.

    from reports import load_runs, load_episodes

Nothing here imports torch or wandb; pandas is imported with the first use.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports.load import load_episodes, load_runs, load_seeds

__all__ = ["load_episodes", "load_runs", "load_seeds"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'reports' has no attribute '{name}'")
    from reports import load

    return getattr(load, name)
