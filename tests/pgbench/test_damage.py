"""Files of a run, hurt between two commands: each command recovers to what an unhurt run gives, or names the file."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pgbench.api import train
from pgbench.commands.evaluate import main as evaluate
from pgbench.commands.measure import main as measure
from pgbench.errors import UserError
from pgbench.runs.job import Interrupted
from pgbench.runs.records import read_status
from sweeps.status import main as status

FILES = (
    "status.json", "config.yaml", "provenance.jsonl", "metrics.csv", "episodes.csv", "times.csv", "checkpoint.pt",
    "policy.pt", "evaluations.csv", "lock",
)  # fmt: skip
DAMAGES = {
    "deleted": lambda path, data: path.unlink(),
    "emptied": lambda path, data: path.write_bytes(b""),
    "cut": lambda path, data: path.write_bytes(data[: len(data) // 2]),
    "NULs": lambda path, data: path.write_bytes(bytes(len(data))),
    "garbage": lambda path, data: path.write_bytes(bytes((7 * i + 13) % 256 for i in range(len(data)))),
}
TRAINED = ("metrics.csv", "episodes.csv")
OVERRIDES = ("seeds=2", "total_steps=800", "evaluation.every=400", "evaluation.episodes=1", "algorithm=vpg")


@pytest.fixture(scope="module")
def unhurt(tmp_path_factory) -> dict[str, Path]:
    """A job that is done, and the same one stopped half way."""
    from small import SMALL

    from pgbench.composition import compose

    found = {}
    for kind, iterations in (("done", 99), ("half way", 3)):
        root = tmp_path_factory.mktemp(kind.replace(" ", "-"))
        config = compose([*SMALL, *OVERRIDES, f"output_dir={root}"])
        left = iter(range(iterations))
        try:
            train(config, stop=lambda left=left: next(left, None) is None)
        except Interrupted:
            assert kind == "half way"
        found[kind] = root
    return found


def runs(root: Path) -> list[Path]:
    return sorted(root.glob("*/seed-*"))


def tables(run: Path) -> list[bytes]:
    return [(run / name).read_bytes() for name in TRAINED]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("kind", ["done", "half way"])
def test_training_recovers_or_names_the_file(small, tmp_path, unhurt, kind: str, file: str, damage: str) -> None:
    """For that run alone; the other seed goes on. What is called done is what an unhurt run gives."""
    shutil.copytree(unhurt[kind], tmp_path, dirs_exist_ok=True)
    hurt, other = runs(tmp_path)
    path = hurt / file
    if not path.exists():
        pytest.skip("this run has no such file")
    DAMAGES[damage](path, path.read_bytes())
    expected = [tables(run) for run in runs(unhurt["done"])]
    told = ""
    try:
        train(small(*OVERRIDES, f"output_dir={tmp_path}"))
    except UserError as error:
        told = str(error)
    if told:
        assert "\n" not in told
        assert str(hurt) in told
        assert read_status(hurt)["status"] == "failed"
        assert file in ("metrics.csv", "episodes.csv", "times.csv", "checkpoint.pt")
    else:
        assert read_status(hurt)["status"] == "done"
        assert tables(hurt) == expected[0]
        json.loads((hurt / "status.json").read_text())
    assert read_status(other)["status"] == "done"
    assert tables(other) == expected[1]


@pytest.mark.parametrize("hurt", ["checkpoint.pt", "metrics.csv"])
def test_the_same_command_again_leaves_a_hurt_run_as_it_is_until_it_is_mended(small, tmp_path, unhurt, hurt) -> None:
    """A finished run that has no checkpoint is never trained anew unasked, however often it is tried."""
    shutil.copytree(unhurt["done"], tmp_path, dirs_exist_ok=True)
    run, _ = runs(tmp_path)
    (run / "checkpoint.pt").rename(tmp_path / "aside")
    steps = "total_steps=1200" if hurt == "checkpoint.pt" else "total_steps=800"
    if hurt == "metrics.csv":
        (run / hurt).write_bytes(b"")
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.name not in ("status.json", "lock")}
    for _ in range(2):
        with pytest.raises(UserError, match=hurt):
            train(small(*OVERRIDES, steps, f"output_dir={tmp_path}"))
        assert read_status(run)["status"] == "failed"
        assert before.items() <= {path.name: path.read_bytes() for path in run.iterdir()}.items()
    shutil.copyfile(runs(unhurt["done"])[0] / hurt, run / hurt)
    train(small(*OVERRIDES, steps, f"output_dir={tmp_path}"))
    assert read_status(run)["status"] == "done"
    assert not (run / "error.txt").exists()


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_commands_over_runs_name_the_file_and_go_on(tmp_path, unhurt, capfd, file: str, damage: str) -> None:
    """status, evaluate: never a traceback; the other run is served."""
    shutil.copytree(unhurt["done"], tmp_path, dirs_exist_ok=True)
    hurt, other = runs(tmp_path)
    DAMAGES[damage](hurt / file, (hurt / file).read_bytes())
    assert status([str(tmp_path)]) == 0
    code = evaluate([str(tmp_path), "--episodes", "1", "--n-jobs", "1"])
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    assert f"{other.parent.name}/{other.name}: return" in out
    assert code == (2 if f"{hurt}" in err else 0)
    if file == "policy.pt":
        assert code == 2


def test_a_deleted_run_is_named_by_no_command_as_done(tmp_path, unhurt, capfd) -> None:
    shutil.copytree(unhurt["done"], tmp_path, dirs_exist_ok=True)
    for path in runs(tmp_path)[0].iterdir():
        path.unlink()
    assert status([str(tmp_path)]) == 0
    assert measure([str(tmp_path), "--n-jobs", "1"]) in (0, 2)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_sweeps_tell_the_hurt_run_and_train_the_others(tmp_path, unhurt) -> None:
    shutil.copytree(unhurt["half way"], tmp_path, dirs_exist_ok=True)
    hurt, other = runs(tmp_path)
    (hurt / "metrics.csv").write_bytes(b"")
    from small import SMALL

    arguments = [*SMALL, *OVERRIDES, f"output_dir={tmp_path}", "n_jobs=1"]
    done = subprocess.run([sys.executable, "-m", "sweeps", *arguments], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert f"{hurt / 'metrics.csv'} is damaged" in done.stdout.replace("\n", "")
    assert [read_status(run)["status"] for run in (hurt, other)] == ["failed", "done"]


def test_a_record_of_a_newer_format_is_told(tmp_path, unhurt, capfd) -> None:
    shutil.copytree(unhurt["done"], tmp_path, dirs_exist_ok=True)
    hurt, _ = runs(tmp_path)
    path = hurt / "config.yaml"
    path.write_text(path.read_text().replace("format: 2", "format: 3"))
    assert measure([str(tmp_path), "--n-jobs", "1", "--kinds", "policy_path"]) == 2
    out, err = capfd.readouterr()
    assert "format 3 is newer than this pgbench reads (2); update pgbench" in err
    assert "seed-1: 1 policies" in out
