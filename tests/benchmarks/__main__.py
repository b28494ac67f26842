"""`make bench`: what this package measures, as one table of ratios, in about twenty minutes on two cores.

A full run saves results/benchmark.md, .csv and .png; a partial or quick one prints, and saves only where told.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.evaluation import evaluation
from tests.benchmarks.growth import growth, leak
from tests.benchmarks.limit import limit
from tests.benchmarks.measure import QUICK, ROOT, Effort, Row
from tests.benchmarks.phases import phases
from tests.benchmarks.speed import cartpole, classic, halfcheetah
from tests.benchmarks.sweep import sweep
from tests.benchmarks.table import conditions, markdown, write_csv
from tests.benchmarks.tasks import tasks

PARTS: dict[str, tuple[Callable[[Effort], Iterator[Row]], ...]] = {
    "a": (cartpole,),
    "b": (halfcheetah, evaluation),
    "c": (sweep,),
    "d": (growth, leak),
    "e": (phases,),
    "f": (tasks,),
    "g": (classic,),
    "h": (limit,),
}


def main(arguments: Sequence[str]) -> int:
    """Gives 0, or 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help="parts to measure, e.g. a,b (default: all)")
    parser.add_argument("--quick", action="store_true", help="a few steps of everything: does it run at all?")
    parser.add_argument("--alternations", type=int, help=f"turns of each contestant (default {Effort.alternations})")
    parser.add_argument("--out", type=Path, help="directory for benchmark.md, .csv and .png")
    options = parser.parse_args(arguments)
    chosen = options.only.split(",")
    if not set(chosen) <= PARTS.keys():
        parser.error(f"--only: got {options.only}, allowed is {','.join(PARTS)}")
    effort = QUICK if options.quick else Effort()
    if options.alternations:
        effort = replace(effort, alternations=options.alternations)
    full = not options.quick and set(chosen) == PARTS.keys()
    out = options.out or (ROOT / "results" if full else None)

    above = conditions(effort)
    rows: list[Row] = []
    for part in sorted(chosen):
        for measure in PARTS[part]:
            for row in measure(effort):
                rows.append(row)
                print(f"({part}) {row.case}: {row.quantity} {row.ratio:.3g} x {row.against}", file=sys.stderr)
    page = markdown(rows, above)
    print(page)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "benchmark.md").write_text(page)
        write_csv(out / "benchmark.csv", rows)
        if {"d", "e"} <= set(chosen):
            from tests.benchmarks.figure import draw

            draw(out / "benchmark.png", rows)
    return int(any(row.target.endswith("missed") for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
