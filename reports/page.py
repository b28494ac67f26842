"""Writes a report: the figures as PNG and PDF, the tables as Markdown and CSV, and a page with all of it."""

from html import escape
from pathlib import Path

import pandas as pd

from pgbench.errors import UserError
from reports import style, tables
from reports.data import Data
from reports.figures import ARGUMENTS, FIGURES
from reports.published import sources

HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>pgbench report</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
img { max-width: 100%; }
table { border-collapse: collapse; font-size: 13px; }
td, th { padding: .2rem .6rem; border-bottom: 1px solid #ddd; text-align: left; }
</style>
<h1>pgbench report</h1>
"""


def write(data: Data, out: Path) -> dict[str, str]:
    """Writes everything into `out` and returns each figure's sentence by its name. Raises UserError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"--out {out}: not a directory") from None
    sentences = _draw(data, out)
    shown = list(tables.shown(data))
    note = f"{tables.PROTOCOL} {sources(data.published)}".strip()
    tables.summary(data).to_csv(out / "summary.csv", index=False)
    (out / "summary.md").write_text(_markdown(sentences, shown, note))
    (out / "index.html").write_text(_html(sentences, shown, note))
    return sentences


def _draw(data: Data, out: Path) -> dict[str, str]:
    sentences = {}
    with style.applied():
        for name, draw in {**FIGURES, **ARGUMENTS}.items():
            drawing, png, pdf = draw(data), out / f"{name}.png", out / f"{name}.pdf"
            if drawing is None:  # nor may one of an earlier report stay
                png.unlink(missing_ok=True)
                pdf.unlink(missing_ok=True)
                continue
            # No dates in the files: equal records give equal figures.
            drawing.figure.savefig(png, bbox_inches="tight")
            drawing.figure.savefig(pdf, bbox_inches="tight", metadata={"CreationDate": None})
            sentences[name] = drawing.sentence
    return sentences


def _markdown(sentences: dict[str, str], shown: list[tuple[str, pd.DataFrame]], note: str) -> str:
    parts = [f"{sentence}\n" for sentence in sentences.values()]
    parts += [f"**{title}**\n\n{tables.markdown(table)}" for title, table in shown]
    return "\n".join([*parts, f"{note}\n"])


def _html(sentences: dict[str, str], shown: list[tuple[str, pd.DataFrame]], note: str) -> str:
    parts = [
        f'<p><a href="{name}.pdf"><img src="{name}.png" alt="{name}"></a></p>\n<p>{escape(sentence)}</p>\n'
        for name, sentence in sentences.items()
    ]
    parts += [f"<h2>{escape(title)}</h2>\n{table.to_html(index=False, border=0)}\n" for title, table in shown]
    return HEAD + "".join(parts) + f"<p>{escape(note)}</p>\n</html>\n"
