"""Writes a report: figures, tables and manifests as files, and a page with all of it that works from disk, offline."""

import base64
import contextlib
import json
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pgbench.errors import UserError
from reports import naming, search, style, tables, text
from reports.data import Data, varying
from reports.explorer import explorer, link
from reports.figures import ALL, Draw
from reports.figures.drawing import Drawing
from reports.manifest import embedded, encode, manifest, writers
from reports.published import sources

KINDS = ("png", "pdf", "svg", "csv", "json")
FIRST = (
    "search_confirmation",
    "aggregate_scores",
    "final_return",
    "ranking",
    "improvement",
    "importance",
    "step_size",
    "sensitivity",
    "steps_to_threshold",
    "learning_curves",
)
"""Figures whose sentences matter most, in this order."""
SENTENCES = 5
WIDE = 8.0
"""Figures of more inches are not put beside another, however wide the screen is."""


@dataclass(frozen=True)
class Options:
    """How a report is written. `own`: other people's figures by name. `refresh`: seconds after which the page is loaded
    again, while a sweep is watched."""

    look: style.Look = style.LOOKS["paper"]
    command: str = "python -m reports"
    own: Mapping[str, Draw] = field(default_factory=dict)
    refresh: int | None = None


@dataclass(frozen=True)
class Report:
    """What was written: the sentences by figure, the five that matter, and the files."""

    sentences: Mapping[str, str]
    summary: Sequence[str]
    files: Sequence[str]


def write(
    data: Data,
    out: Path,
    options: Options = Options(),
    track: Callable[[Sequence[Any]], Iterable[Any]] = iter,
) -> Report:
    """Writes everything into `out`. `track` shows progress over figures. Raises UserError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"--out {out}: not a directory") from None
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror}") from None
    earlier = _earlier(out)
    drawn = _draw(data, out, options, track)
    sentences = {name: drawing.sentence for name, drawing in drawn.items()}
    numbers = tables.summary(data)
    shown = list(tables.shown(data, numbers))
    note = " ".join(
        filter(None, (tables.PROTOCOL, data.limits, search.NOTE if data.searches else "", sources(data.published)))
    )
    summary = headline(data, sentences)
    numbers.to_csv(out / "summary.csv", index=False)
    _text(out / "summary.md", _markdown(summary, shown, note))
    _text(out / "summary.tex", "\n".join(tables.latex(title, table) for title, table in shown))
    names = [file for name, drawing in drawn.items() for file in _files(name, drawing)]
    names += ["index.html", "summary.csv", "summary.md", "summary.tex"]
    if not options.look.baked:
        _text(out / "caption.tex", "".join(_caption(name, drawing) for name, drawing in drawn.items()))
        names.append("caption.tex")
    for stale in earlier - set(names):  # nor may a figure of an earlier report stay
        (out / stale).unlink(missing_ok=True)
    _text(out / "index.html", _html(data, out, drawn, summary, shown, note, options))
    (out / "manifest.json").write_bytes(encode(manifest(data, options.command, files=sorted(names))))
    return Report(sentences, summary, [*names, "manifest.json"])


def _text(path: Path, words: str) -> None:
    path.write_text(words, encoding="utf-8", errors="surrogateescape")


def _earlier(out: Path) -> set[str]:
    """The files that an earlier report says it has left here; of nobody else's."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        names = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["files"]
        return {name for name in names if "/" not in name and "\\" not in name} - {"index.html"}
    return set()


def _files(name: str, drawing: Drawing) -> list[str]:
    """What is written of a figure."""
    return [f"{name}.{kind}" for kind in KINDS if kind != "csv" or drawing.table is not None]


def _draw(
    data: Data, out: Path, options: Options, track: Callable[[Sequence[Any]], Iterable[Any]]
) -> dict[str, Drawing]:
    drawn = {}
    with style.applied(options.look):
        for name, draw in track([*ALL.items(), *options.own.items()]):
            drawing = draw(data)
            if drawing is None:
                continue
            drawn[name] = drawing = Drawing(*drawing)
            account = manifest(data, options.command, figure=name, sentence=drawing.sentence, note=drawing.note)
            if drawing.note and options.look.baked:
                style.footnote(drawing.figure, drawing.note)
            save(drawing, out, name, embedded(account))
            (out / f"{name}.json").write_bytes(encode(account))
            if drawing.table is not None:
                drawing.table.to_csv(out / f"{name}.csv", index=False, float_format="%.10g")
    return drawn


def save(drawing: Drawing, out: Path, name: str, account: str) -> None:
    """PNG for the screen, PDF and SVG for the paper, with the manifest inside. No dates: equal records give equal
    files."""
    with warnings.catch_warnings():
        # A name in a script that the fonts here lack: boxes in the figure, as it is in the page and the tables.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        _save(drawing.figure, out, name, account)


def _save(figure: Figure, out: Path, name: str, account: str) -> None:
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once, saved three times
    box = figure.get_tightbbox().padded(0.08)
    figure.savefig(out / f"{name}.png", bbox_inches=box, metadata={"Description": account})
    figure.savefig(out / f"{name}.pdf", bbox_inches=box, metadata={"CreationDate": None, "Subject": account})
    figure.savefig(out / f"{name}.svg", bbox_inches=box, metadata={"Date": None, "Description": account})


def _caption(name: str, drawing: Drawing) -> str:
    words = tables.escape_latex(" ".join([*drawing.sentence.split("\n"), drawing.note]))
    return f"% {name}\n\\caption{{{words}}}\n\\label{{fig:{name.replace('_', '-')}}}\n\n"


def headline(data: Data, sentences: Mapping[str, str]) -> list[str]:
    """What matters, in five sentences: how many runs, and what the figures say first."""
    statuses = dict(data.seeds["status"].value_counts()) if "status" in data.seeds else {}
    states = ", ".join(f"{count} {status}" for status, count in statuses.items())
    jobs, envs = len(data.groups), len(data.envs)
    first = (
        f"{sum(statuses.values())} runs ({states}) of {jobs} job{'s' * (jobs > 1)} on {envs} task{'s' * (envs > 1)}"
        f"{': ' + text.listed(data.envs) if envs else ''}."
    )
    lines = {name: [line for line in sentences[name].split("\n") if line] for name in FIRST if name in sentences}
    chosen = [first]
    if data.searches:
        chosen.insert(0, search.headline(data.searches, data.seeds["directory"]))
        chosen += lines.pop("search_confirmation", [])
    for turn in range(SENTENCES):
        chosen += [mine[turn] for mine in lines.values() if turn < len(mine)]
    return chosen[:SENTENCES]


def _markdown(summary: Sequence[str], shown: Sequence[tuple[str, pd.DataFrame]], note: str) -> str:
    parts = [f"- {sentence}" for sentence in summary]
    parts += [f"\n**{title}**\n\n{tables.markdown(table)}" for title, table in shown]
    return "\n".join([*parts, f"\n{note}\n"])


def _html(
    data: Data,
    out: Path,
    drawn: Mapping[str, Drawing],
    summary: Sequence[str],
    shown: Sequence[tuple[str, pd.DataFrame]],
    note: str,
    options: Options,
) -> str:
    from jinja2 import Environment, StrictUndefined

    web = files("reports") / "web"
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((web / "index.html.j2").read_text(encoding="utf-8"))
    figures = [
        {
            "name": name,
            "title": name.replace("_", " "),
            "image": base64.b64encode((out / f"{name}.png").read_bytes()).decode(),
            "sentences": [line for line in drawing.sentence.split("\n") if line],
            "note": drawing.note,
            "wide": bool(drawing.figure.get_figwidth() > WIDE),
            "files": _files(name, drawing),
        }
        for name, drawing in drawn.items()
    ]
    return template.render(
        summary=summary,
        figures=figures,
        tables=[{"title": title, "data": _json(_table(table))} for title, table in [*shown, *_trials(data)]],
        runs=_json(_table(_runs(data, out), links="directory")),
        failures=_failures(data, out),
        settings=_json(_table(_settings(data))),
        common=_common(data),
        problems=data.problems,
        provenance=[json.dumps(account, indent=1, ensure_ascii=False) for account in writers(data)[:20]],
        explorer=_json(explorer(data, out)),
        command=options.command,
        note=note,
        refresh=options.refresh,
        dark=options.look.dark,
        css=(web / "page.css").read_text(encoding="utf-8"),
        script=(web / "page.js").read_text(encoding="utf-8"),
        plotly=(files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8"),
    )


def _json(value: Any) -> str:
    """JSON that may stand inside a script element."""
    words = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), default=_plain, allow_nan=False)
    return words.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _finite(value: Any) -> Any:
    """The same with None for numbers that JSON does not have: infinities and NaN."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    """A number of numpy's as one of Python's, anything else as text."""
    return value.item() if hasattr(value, "item") else str(value)


def _table(frame: pd.DataFrame, links: str | None = None) -> dict[str, Any]:
    """A table for the page's script: columns and rows; the column `links` holds [text, address]."""
    return {"columns": [str(name) for name in frame], "rows": frame.to_numpy().tolist(), "links": links}


def _runs(data: Data, out: Path) -> pd.DataFrame:
    """One row per run: where it is, what became of it, what it returned."""
    values = {}
    for group in data.groups:
        for seed in group.seeds:
            values[group.job, seed.seed] = (float(seed.env_steps[-1]), float(seed.returns[-1]))
    rows = []
    for row in data.seeds.to_dict("records"):
        steps, last = values.get((row["job"], row["seed"]), (None, None))
        rows.append(
            {
                "task": row["env"],
                "job": row["label"],
                "seed": row["seed"],
                "status": row["status"],
                "steps": steps,
                "of": row["total_steps"],
                "last return": None if last is None else round(last, 3),
                "directory": [f"{row['job']}/seed-{row['seed']}", link(row["directory"], out)],
            }
        )
    return pd.DataFrame(rows)


def _failures(data: Data, out: Path, most: int = 50) -> list[dict[str, str]]:
    """Failed and diverged runs with their reason, the first ones."""
    found = []
    for row in data.seeds.to_dict("records"):
        if row["status"] in ("failed", "diverged", "unknown"):
            where = link(row["directory"], out)
            name = f"{row['label']}, {row['env']}, seed {row['seed']}"
            found.append(
                {"name": name, "status": row["status"], "message": row["message"] or "see error.txt", "where": where}
            )
    return found[:most]


def _trials(data: Data) -> list[tuple[str, pd.DataFrame]]:
    return [("Search: every trial", search.trials(data.searches))] if data.searches else []


def _settings(data: Data) -> pd.DataFrame:
    """What varies, one row per job."""
    skip = (naming.NAME, naming.ENV)
    keys = sorted(key for key in varying(data.groups) if key not in skip)
    rows = [
        {"task": group.env, "job": group.label}
        | {key: naming.show(group.config[key]) if key in group.config else "" for key in keys}
        | {"directory": group.job}
        for group in data.groups
    ]
    return pd.DataFrame(rows)


def _common(data: Data) -> list[tuple[str, str]]:
    """What all jobs that have a key share."""
    moved = varying(data.groups)
    values: dict[str, Any] = {}
    for group in data.groups:
        values.update({key: value for key, value in group.config.items() if key not in moved})
    return [(key, naming.show(value)) for key, value in sorted(values.items())]
