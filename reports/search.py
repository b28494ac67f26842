"""python -m reports.search DIR --out FIGURES: figures and a table of a search, from its search.json.

The file is written by `python -m sweeps`; docs/howto/search.md says what it holds.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pgbench.errors import UserError
from pgbench.terminal import print_anything
from reports import text
from reports.statistics import Array, Interval

TABLE = "search.json"
OBJECTIVES = {
    "final_return": "return at the end",
    "area": "mean return along training",
    "steps_to_threshold": "steps to threshold",
}


@dataclass(frozen=True)
class Dimension:
    """One searched key: where a value lies on its axis, and how the axis is labelled."""

    key: str
    kind: str
    low: float
    high: float
    log: bool
    choices: tuple[Any, ...]

    @property
    def name(self) -> str:
        return self.key.rpartition(".")[2]

    def at(self, value: Any) -> float:
        """A value's coordinate: the number itself, or the place of a choice."""
        return float(self.choices.index(value)) if self.kind == "choice" else float(value)

    def share(self, value: Any) -> float:
        """A value's place within the dimension, 0 to 1, in its logarithm where that is searched."""
        if self.kind == "choice":
            return (self.at(value) + 0.5) / len(self.choices)
        low, high, x = (math.log(v) if self.log else v for v in (self.low, self.high, float(value)))
        return (x - low) / (high - low)

    @property
    def labels(self) -> list[str]:
        return [_shown(choice) for choice in self.choices]


@dataclass(frozen=True)
class Study:
    """One study of search.json."""

    name: str
    algorithm: str
    space: tuple[Dimension, ...]
    told: Mapping[str, Any]

    @property
    def objective(self) -> str:
        """What a value is, for an axis."""
        scale = " (normalised)" if self.told["tasks"] else ""
        return (
            f"{OBJECTIVES[self.told['objective']]}{scale}, {self.told['statistic']} of {len(self.told['seeds'])} seeds"
        )

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.told["direction"] == "maximize" else -1

    def trials(self, *states: str) -> list[dict[str, Any]]:
        """The trials in these states, by number."""
        return [trial for trial in self.told["trials"] if trial["state"] in states]

    @property
    def confirmation(self) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self.told["confirmation"]
        return found

    @property
    def marked(self) -> dict[str, Any] | None:
        """The trial to point at: the winner on fresh seeds, or the best in the search."""
        done = self.trials("done")
        number = self.confirmation["winner"] if self.confirmation else None
        best = [trial for trial in done if trial["number"] == number]
        best += sorted(done, key=lambda trial: -self.sign * trial["value"])[:1]
        return best[0] if best else None


def load(directory: Path) -> list[Study]:
    """The studies of a search with at least one trial done. Raises UserError where there are none."""
    path = directory / TABLE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{directory}: no {TABLE} there; give the output_dir of a search that has ended or paused"
        ) from None
    studies = [_study(told) for told in content["studies"]]
    studies = [study for study in studies if study.trials("done")]
    if not studies:
        raise UserError(f"{path}: no trial is done yet")
    return studies


def _study(told: Mapping[str, Any]) -> Study:
    names = ("key", "kind", "low", "high", "log")
    space = tuple(
        Dimension(**{name: each[name] for name in names}, choices=tuple(each["choices"])) for each in told["space"]
    )
    return Study(told["name"], told["algorithm"], space, told)


def expected_best(values: ArrayLike, maximize: bool = True) -> Array:
    """Expected best of n trials drawn from N values with replacement, for n = 1 ... N: [N, ...] -> [..., N].

    E[max of n] = sum_i v_(i) ((i / N)^n - ((i - 1) / N)^n), v_(1) <= ... <= v_(N)  (Dodge et al. 2019, "Show Your
    Work", arXiv 1909.03004, equation 4); the least of n by the same of -v. It takes the trials for exchangeable: those
    of a sampler that learns are not, so that it says what a random search over the same trials would expect.
    """
    ordered = np.sort(np.asarray(values, float) * (1 if maximize else -1), axis=0)
    count = len(ordered)
    n, i = np.arange(1, count + 1)[:, None], np.arange(1, count + 1)[None, :]
    weights = (i / count) ** n - ((i - 1) / count) ** n
    expected: Array = np.moveaxis(ordered, 0, -1) @ weights.T
    return expected if maximize else -expected


def ends(found: Mapping[str, Any]) -> Interval:
    """An interval of search.json; NaN ends where there was one seed."""
    return Interval(*(float("nan") if found[key] is None else found[key] for key in ("low", "high")))


def shown(found: Mapping[str, Any]) -> str:
    """A number of search.json with its interval, as people read it."""
    return text.interval(found["value"], ends(found))


def rows(studies: Sequence[Study]) -> list[dict[str, str]]:
    """The table of a search: a row a study."""
    return [_row(study) for study in studies]


def _row(study: Study) -> dict[str, str]:
    told, found = study.told, study.confirmation
    states = {state: len(study.trials(state)) for state in ("done", "pruned", "failed")}
    row = {
        "study": study.name,
        "sampler, pruner": f"{told['sampler']}, {told['pruner']}",
        "trials": ", ".join(f"{count} {state}" for state, count in states.items() if count),
        "steps of the search": text.steps(told["cost"]["env_steps"]),
        "hours": f"{told['cost']['seconds'] / 3600:.2g}",
    }
    if not found:
        return row
    by_trial = {each["trial"]: each["confirmed"] for each in found["candidates"]}
    return {
        **row,
        "best in the search": f"{text.number(found['searched'])} (trial {found['best']})",
        "the same on fresh seeds": shown(by_trial[found["best"]]),
        "optimism": text.number(found["optimism"]),
        "winner on fresh seeds": ("defaults" if found["winner"] is None else f"trial {found['winner']}"),
        "its value": shown(found["confirmed"]),
        "choice held out": shown(found["held_out"]),
        "gain on the defaults": shown(found["gain"]) if found["gain"] else text.NONE,
    }


NOTE = (
    "Intervals: 95% bootstrap over fresh seeds. Optimism: value in the search less value on fresh seeds. Choice held "
    "out: each fresh seed's score of whoever wins on the others, so that no choice has touched it; the gain is its "
    "difference from the defaults. Hours: of training processes."
)


def write(directory: Path, out: Path) -> dict[str, str]:
    """Writes the figures as PNG and PDF, search.md and search.html; gives each figure's sentence. Raises UserError."""
    from reports import style
    from reports.figures.search import SEARCH

    studies, sentences = load(directory), {}
    out.mkdir(parents=True, exist_ok=True)
    with style.applied():
        for name, draw in SEARCH.items():
            drawing, png, pdf = draw(studies), out / f"{name}.png", out / f"{name}.pdf"
            if drawing is None:  # nor may one of an earlier report stay
                png.unlink(missing_ok=True)
                pdf.unlink(missing_ok=True)
                continue
            drawing.figure.savefig(png, bbox_inches="tight")
            drawing.figure.savefig(pdf, bbox_inches="tight", metadata={"CreationDate": None})
            sentences[name] = drawing.sentence
    table = rows(studies)
    (out / "search.md").write_text(markdown(table, sentences), encoding="utf-8")
    (out / "search.html").write_text(section(table, sentences), encoding="utf-8")
    return sentences


def markdown(table: Sequence[Mapping[str, str]], sentences: Mapping[str, str]) -> str:
    """Sentences and table, the table turned: a column a study."""
    names = list(dict.fromkeys(key for row in table for key in row))
    lines = ["| " + " | ".join([name, *(row.get(name, text.NONE) for row in table)]) + " |" for name in names]
    lines.insert(1, "|" + " --- |" * (len(table) + 1))
    return "\n\n".join([*sentences.values(), "\n".join(lines), NOTE]) + "\n"


def section(table: Sequence[Mapping[str, str]], sentences: Mapping[str, str]) -> str:
    """The same as a part of a page, with the figures."""
    names = list(dict.fromkeys(key for row in table for key in row))
    cells = ["".join(f"<td>{escape(row.get(name, text.NONE))}</td>" for row in table) for name in names]
    lines = "".join(f"<tr><th>{escape(name)}</th>{cell}</tr>\n" for name, cell in zip(names, cells, strict=True))
    figures = "".join(
        f'<p><a href="{name}.pdf"><img src="{name}.png" alt="{name}"></a></p>\n<p>{escape(said)}</p>\n'
        for name, said in sentences.items()
    )
    return f"<h2>Search</h2>\n<table>\n{lines}</table>\n<p>{escape(NOTE)}</p>\n{figures}"


def _shown(choice: Any) -> str:
    return f"{choice:g}" if isinstance(choice, float) else str(choice)


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = argparse.ArgumentParser("python -m reports.search", description="figures and a table of a search")
    parser.add_argument("directory", type=Path, metavar="DIR", help="output_dir of a search")
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="FIGURES", help="default: figures")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit status is 2 after an error of the user's."""
    print_anything()
    options = parser().parse_args(arguments)
    try:
        sentences = write(options.directory, options.out)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, sentence in sentences.items():
        print(f"{name}: {sentence}")
    print(f"Figures, search.md and search.html are in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
