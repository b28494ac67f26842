"""Writes the pages of docs/reference that are made from the code: `python docs/make_reference.py`.

They are kept in the repository, so that they can be read there and the site builds without the package's dependencies;
a test holds them to the code.
"""

import argparse
import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parent / "reference"

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
}
COMMANDS = {
    "pgbench.evaluate": ("pgbench-evaluate", "pgbench.commands.evaluate"),
    "pgbench.measure": ("pgbench-measure", "pgbench.commands.measure"),
    "pgbench.play": ("pgbench-play", "pgbench.commands.play"),
    "sweeps.publish": ("pgbench-publish", "sweeps.publish"),
    "reports": ("pgbench-report", "reports.__main__"),
    "reports compare": ("pgbench-report compare", "reports.compare"),
    "reports compact": ("pgbench-report compact", "reports.compact"),
}
"""Those with options of their own: module -> console script, and the module that has its `parser`."""
MADE = "Made from the code by `python docs/make_reference.py`; a test holds it complete."


# The Python interface.


def api() -> str:
    """Every public name with its docstring."""
    lines = ["# Python interface", "", MADE, ""]
    for module, meaning in INTERFACE.items():
        found = importlib.import_module(module)
        public = [name for name in found.__all__ if not inspect.ismodule(getattr(found, name))]
        lines += [f"## {module}", "", meaning, ""]
        lines += [line for name in public for line in describe(f"{module}.{name}", getattr(found, name))]
    lines += ["## For code of your own", "", "What an algorithm, a network, a tracker or a figure meets.", ""]
    for module, names in EXTENDING.items():
        for name in names:
            lines += describe(f"{module}.{name}", getattr(importlib.import_module(module), name))
    return "\n".join(lines).rstrip() + "\n"


def describe(name: str, found: Any) -> list[str]:
    """A heading, the signature and the docstring; of a class its fields and public methods too."""
    lines = [f"### {name}", "", f"`{name.rpartition('.')[2]}{signature(found)}`", "", escape(text(found)), ""]
    if not inspect.isclass(found):
        return lines
    meanings = field_docs(found)
    names = [one.name for one in fields(found)] if is_dataclass(found) else getattr(found, "_fields", ())
    rows = [f"- `{one}`: {escape(meanings[one])}" if one in meanings else f"- `{one}`" for one in names]
    for method, member in vars(found).items():
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if isinstance(function, property):
            rows.append(f"- `{method}`: {escape(first(function))}")
        elif inspect.isfunction(function) and (not method.startswith("_") or method == "__call__") and function.__doc__:
            rows.append(f"- `{method}{signature(function)}`: {escape(first(function))}")
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


def field_docs(found: type) -> dict[str, str]:
    """The text below each field of a class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(found))).body[0]
    assert isinstance(body, ast.ClassDef)
    pairs = zip(body.body, body.body[1:], strict=False)
    return {
        one.target.id: " ".join(inspect.cleandoc(str(below.value.value)).split())
        for one, below in pairs
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
    }


def text(found: Any) -> str:
    return inspect.getdoc(found) or ""


def first(found: Any) -> str:
    return " ".join(text(found).split("\n\n")[0].split())


# The configuration.


def configuration() -> str:
    """Every key of a job with what is allowed, its default, who reads it and what it means."""
    from pgbench.composition import choices, compose
    from pgbench.config import GROUPS, to_plain
    from pgbench.validation import keys

    default = to_plain(compose([]))
    readers = {name: compose([f"algorithm={name}"]) for name in ("reinforce", "vpg", "npg", "trpo")}
    lines = [
        "# Configuration keys",
        "",
        MADE,
        "On the command line, `python -m pgbench --help` lists the same.",
        "",
        "Four keys are groups: `group=choice` takes a file of `conf/`, and sets all the keys below it.",
        "",
        "| group | choices |",
        "| --- | --- |",
        *(f"| `{group}` | {', '.join(f'`{one}`' for one in choices(group))} |" for group in GROUPS),
        "",
        "The default is that of `python -m pgbench` alone. An environment may choose its `hyperparameters`",
        "(`env=ant` takes `hyperparameters=mujoco`), and these may hold some keys for one algorithm alone",
        "(`reacher.yaml` takes in `reacher/vpg.yaml`); what you name wins. Algorithms in italics: only they read",
        "the key. For the others it is no part of a run's identity, and a line says so if you set it.",
        "",
    ]
    groups: dict[str, list[str]] = {"the job": []}
    for key, meaning in keys():
        reading = [name for name, config in readers.items() if config.takes(key)]
        only = f" *{', '.join(reading)}*" if 0 < len(reading) < len(readers) else ""
        row = f"| `{key}` | `{plain(pick(default, key))}` | {allowed(key)} | {cell(meaning)}{only} |"
        groups.setdefault(key.partition(".")[0] if "." in key else "the job", []).append(row)
    for group, rows in groups.items():
        lines += [f"## {group}", "", "| key | default | allowed | meaning |", "| --- | --- | --- | --- |", *rows, ""]
    return "\n".join(lines).rstrip() + "\n"


def pick(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def plain(value: Any) -> str:
    """A value as YAML has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value).replace("'", "")


def cell(words: str) -> str:
    """Text that a table's cell can hold."""
    return escape(words.replace("||", "‖").replace("|", "\\|").replace("%%", "%"))


def escape(words: str) -> str:
    """Text in which Markdown takes no <name> for a tag; what is in backticks stays."""
    return "".join(
        part if at % 2 else part.replace("<", "\\<") for at, part in enumerate(re.split(r"(`[^`]*`)", words))
    )


def allowed(key: str) -> str:
    """What a key takes, from the schema."""
    from pydantic import TypeAdapter

    from pgbench.config import Config

    schema = TypeAdapter(Config).json_schema()
    found = schema
    for part in key.split("."):
        found = found["properties"][part]
        found = schema["$defs"][found["$ref"].rpartition("/")[2]] if "$ref" in found else found
    return kind(found)


def kind(schema: dict[str, Any]) -> str:
    """A JSON schema in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    bounds = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    limits = " and ".join(f"{word} {schema[name]:g}" for name, word in bounds.items() if name in schema)
    if "minimum" in schema and "maximum" in schema:
        limits = f"from {schema['minimum']:g} to {schema['maximum']:g}"
    named = {
        "integer": "an integer",
        "number": "a number",
        "string": "`module:name`" if ":" in schema.get("pattern", "") else "text",
        "boolean": "`true`, `false`",
        "object": "a mapping",
        "null": "`null`",
    }
    if schema["type"] == "array":
        noun, _, limits = kind(schema["items"]).removeprefix("an ").removeprefix("a ").partition(" ")
        return f"a list of {noun}{'' if noun == 'text' else 's'} {limits}".rstrip()
    return f"{named[schema['type']]} {limits}".rstrip()


# The commands.


def commands() -> str:
    """The options of every command."""
    lines = [
        "# Commands",
        "",
        MADE,
        "",
        "Each is `python -m ...` in a checkout, and a command of its own where the package was installed. All exit",
        "with status 2 after a mistake in what was typed, told in one line (below the usage, where an option is",
        "wrong). `-m` is Hydra's multirun, a job for each combination of values; `python -m sweeps` does the same on",
        "all cores, and more.",
        "",
        "| in a checkout | installed | takes |",
        "| --- | --- | --- |",
        "| `python -m pgbench` | `pgbench-train` | [the keys of a job](configuration.md); `rerun RUN`; `-m` |",
        "| `python -m sweeps` | `pgbench-sweep` | [the keys of a sweep](#python-m-sweeps) and those of a job |",
        "| `python -m sweeps.status DIR` | `pgbench-status` | a directory of records; it only reads |",
        *(
            f"| `python -m {name}` | {code(script)} | [its options](#{anchor(name)}) |"
            for name, (script, _) in COMMANDS.items()
        ),
        "",
        "## python -m sweeps",
        "",
        "| key | default | meaning |",
        "| --- | --- | --- |",
    ]
    from sweeps.expand import descriptions
    from sweeps.options import OPTIONS, Options

    given = {one.name: f"`{plain(one.default)}`" for one in fields(Options) if one.default is not MISSING}
    lines += [f"| `{name}` | {given.get(name, '')} | {cell(meaning)} |" for name, meaning in OPTIONS.items()]
    lines += ["", "Sweeps that are there (`conf/sweep/`):", "", "| `sweep=` | is |", "| --- | --- |"]
    lines += [f"| `{name}` | {cell(meaning)} |" for name, meaning in descriptions([]).items()]
    for name, (_, module) in COMMANDS.items():
        parser = importlib.import_module(module).parser()
        lines += ["", f"## python -m {name}", "", f"{sentence(parser.description)}", "", *options(parser)]
    return "\n".join(lines) + "\n"


def code(words: str) -> str:
    return f"`{words}`" if words else ""


def anchor(command: str) -> str:
    """That of a command's heading."""
    return f"python-m-{command.replace('.', '-').replace(' ', '-')}"


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A table of a command's options."""
    yield from ("| option | meaning |", "| --- | --- |")
    for action in parser._actions:
        if "--help" in action.option_strings:
            continue
        name = action.metavar if isinstance(action.metavar, str) else (action.dest.upper() if action.nargs != 0 else "")
        if action.choices:
            name = "{" + ",".join(map(str, action.choices)) + "}"
        shown = " ".join(filter(None, [action.option_strings[-1] if action.option_strings else "", name]))
        yield f"| `{shown}` | {cell(action.help or '')} |"


def sentence(words: str | None) -> str:
    """Text that begins with a capital and ends with a full stop."""
    words = " ".join((words or "").split())
    return words[:1].upper() + words[1:].rstrip(".") + "."


PAGES = {"api.md": api, "configuration.md": configuration, "commands.md": commands}


def main(names: Sequence[str] = tuple(PAGES)) -> None:
    for name in names:
        (REFERENCE / name).write_text(PAGES[name](), encoding="utf-8")


if __name__ == "__main__":
    main()
