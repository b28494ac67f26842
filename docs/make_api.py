"""Prints docs/api.md from the docstrings: `python docs/make_api.py > docs/api.md`."""

import importlib
import inspect
from dataclasses import fields, is_dataclass
from functools import cached_property
from typing import Any

INTERFACE = {
    "pgbench": "Train, load, evaluate. `import pgbench` needs no torch until one of these is used.",
    "reports": "Records as pandas DataFrames. Nothing here imports torch.",
}
EXTENDING = {
    "pgbench.learning.learner": ("Learner",),
    "pgbench.experience.rollout": ("Rollout",),
    "pgbench.learning.advantages": ("Batch", "estimate", "standardize"),
    "pgbench.learning.critic": ("fit_critic",),
    "pgbench.learning.surrogate": ("Surrogate",),
    "pgbench.learning.weights": ("Steps",),
    "pgbench.maths.networks": ("Network", "Linear"),
    "pgbench.maths.distributions": ("Distribution",),
    "pgbench.maths.natural": ("fisher_vector_product", "conjugate_gradient", "natural_step", "line_search"),
    "pgbench.maths.optimizers": ("Adam",),
    "pgbench.tracking.tracker": ("Run", "Tracker"),
    "reports.figures.drawing": ("Drawing",),
    "reports.data": ("Data", "Group", "Seed"),
}


def describe(name: str, found: Any) -> list[str]:
    """A heading, the signature and the docstring; of a class its fields and public methods too."""
    lines = [f"### `{name}{signature(found)}`", "", text(found), ""]
    if not inspect.isclass(found):
        return lines
    rows = [f"- `{one.name}`" for one in fields(found)] if is_dataclass(found) else []
    for method, member in vars(found).items():
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if isinstance(function, property | cached_property) and not method.startswith("_"):
            rows.append(f"- `{method}`: {first(function)}")
        elif inspect.isfunction(function) and (not method.startswith("_") or method == "__call__") and function.__doc__:
            rows.append(f"- `{method}{signature(function)}`: {first(function)}")
    return [*lines, *rows, *([""] if rows else [])]


def signature(found: Any) -> str:
    """Names of the parameters with their defaults; nothing for a class."""
    if inspect.isclass(found):
        return ""
    parameters = [one for one in inspect.signature(found).parameters.values() if one.name not in ("self", "cls")]
    shown = [
        one.name
        if one.default is inspect.Parameter.empty
        else f"{one.name}=..."
        if callable(one.default)
        else f"{one.name}={one.default!r}"
        for one in parameters
    ]
    return f"({', '.join(shown)})"


def text(found: Any) -> str:
    return inspect.getdoc(found) or ""


def first(found: Any) -> str:
    return " ".join(text(found).split("\n\n")[0].split())


def page() -> str:
    """The whole page."""
    lines = [
        "# Python interface",
        "",
        "Made from the docstrings by `python docs/make_api.py`; a test holds it complete.",
        "",
    ]
    for module, meaning in INTERFACE.items():
        found = importlib.import_module(module)
        lines += [f"## {module}", "", meaning, ""]
        for name in found.__all__:
            lines += (
                describe(f"{module}.{name}", getattr(found, name)) if not inspect.ismodule(getattr(found, name)) else []
            )
    lines += ["## For code of your own", "", "What an algorithm, a network, a tracker or a figure meets.", ""]
    for module, names in EXTENDING.items():
        for name in names:
            lines += describe(f"{module}.{name}", getattr(importlib.import_module(module), name))
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    print(page(), end="")
