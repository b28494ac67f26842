"""Sphinx settings of the site: `make docs`. Pages are Markdown (MyST); none needs the package to be importable."""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

ROOT = Path(__file__).resolve().parents[1]

project = "pgbench"
release = version = re.findall(r'__version__ = "(.*)"', (ROOT / "pgbench" / "__init__.py").read_text())[0]
copyright = "pgbench contributors, MIT license"
html_title = f"pgbench {release}"

extensions = ["myst_parser"]
exclude_patterns = ["site"]
nitpicky = True
linkcheck_timeout = 20
linkcheck_ignore = [r"^\.\./"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_math_renderer = "mathml"


def results(app: Any, docname: str, source: list[str]) -> None:
    """RESULTS.md is part of the site where there is one."""
    if docname == "results/index" and (ROOT / "RESULTS.md").exists():
        source[0] = source[0].replace(
            "<!-- RESULTS.md -->", "```{include} ../../RESULTS.md\n:heading-offset: 1\n:relative-images:\n```"
        )


def inline_math(writer: Any, node: nodes.math) -> None:
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def display_math(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Formulas become MathML, which browsers draw themselves: the site works from disk, and without scripts."""
    app.add_html_math_renderer("mathml", inline_renderers=(inline_math, None), block_renderers=(display_math, None))
    app.connect("source-read", results)
