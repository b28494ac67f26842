"""python -m reports compare: differences with intervals, a verdict, an exit status for a user's CI."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reports.__main__ import main
from reports.compare import compare, verdict

Write = Callable[..., Path]


@pytest.fixture
def two(write: Write, tmp_path: Path) -> tuple[str, str]:
    """B loses 200 on CartPole with TRPO, wins with NPG, and has a key that A's version did not know."""
    for side, trpo, npg in (("a", 400, 100), ("b", 200, 300)):
        extra = {"new_key": 1} if side == "b" else {}
        for seed, noise in enumerate((-5, 0, 5)):
            root = tmp_path / side
            write("trpo", seed, [10, trpo + noise], root=root, values=extra, format=2, total_steps=50_000)
            write("npg", seed, [10, npg + noise], root=root, values=extra, format=2, total_steps=50_000)
    write("vpg", 0, root=tmp_path / "a", format=2)
    return str(tmp_path / "a"), str(tmp_path / "b")


def test_differences_are_of_what_both_have(two: tuple[str, str]) -> None:
    found, alone = compare(*two)
    assert [(one.label, one.difference, one.verdict) for one in found] == [
        ("NPG", 200, "better"),
        ("TRPO", -200, "worse"),
    ]
    assert [line.split(":")[0] for line in alone] == ["VPG, CartPole-v1"]
    # 200 of the 452.8 from a random policy to Gymnasium's threshold.
    assert "1 better, 1 worse, 0 not told apart; largest loss of a mean 44.2% (TRPO, CartPole-v1)" in verdict(found)


@pytest.mark.parametrize(("share", "status"), [(None, 0), ("0.1", 1), ("0.9", 0)])
def test_the_exit_status_is_for_ci(two: tuple[str, str], share: str | None, status: int, capsys) -> None:
    assert main(["compare", *two, *(["--fail-below", share] if share else [])]) == status
    assert capsys.readouterr().out.splitlines()[-1].startswith("verdict: B against A on 2 settings")


def test_equal_runs_are_the_same_and_strangers_an_error(
    two: tuple[str, str], write: Write, tmp_path: Path, capsys
) -> None:
    assert {one.verdict for one in compare(two[0], two[0])[0]} == {"same", "unknown"}
    write("reinforce", 0, root=tmp_path / "c")
    assert main(["compare", two[1], str(tmp_path / "c")]) == 2
    assert "no setting in common" in capsys.readouterr().err
