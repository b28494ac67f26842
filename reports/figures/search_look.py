"""How a study looks in the figures of a search: as its algorithm does everywhere."""

from reports import style
from reports.search import Study


def of_study(study: Study) -> style.Style:
    """Colour, dashes and marker of a study's algorithm."""
    return style.of_algorithm(study.algorithm)
