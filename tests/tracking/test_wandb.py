"""Real wandb, offline and against a stand-in server: what it holds is what the records hold."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import wandb
import yaml
from server import Run, Server

from pgbench.errors import UserError
from pgbench.runs.records import read_status
from pgbench.tracking.follow import check
from pgbench.tracking.ledger import DEFAULTS, Ledger
from pgbench.tracking.weights_and_biases import whole_records
from tests.tracking.conftest import HOSTILE, KEY, ROOT, SECRET, SMALL, command, environment

TIMED = ("seconds",)


def inspect(path: Path) -> list[dict]:
    """With wandb's own reader, as `wandb leet inspect --json` starts it."""
    core = Path(wandb.__file__).parent / "bin" / "wandb-core"
    arguments = [core, "leet", "inspect", "-json", "-no-observability", "-run-file", path]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def id_of(run: Path) -> str:
    return json.loads((run / "tracking.json").read_text())["id"]


def metrics(run: Path) -> list[dict]:
    table = pd.read_csv(run / "metrics.csv")
    return [{name: value for name, value in row.items() if value == value} for row in table.to_dict("records")]


def plain(item: dict) -> dict:
    return {name: value for name, value in item.items() if not name.startswith("_") and name not in TIMED}


def held_by(server: Server, run: Path) -> Run:
    return server.runs[id_of(run)]


def check_online(server: Server, directory: Path, status: str = "done") -> None:
    """One run per seed, each row of the records once, in order."""
    runs = sorted(directory.glob("*/seed-*"))
    assert set(server.runs) == {id_of(run) for run in runs}
    for run in runs:
        held = held_by(server, run)
        assert [plain(row) for row in held.rows] == metrics(run)
        assert [row["_step"] for row in held.rows] == list(range(len(held.rows)))
        assert held.summary["status"] == status


def test_a_sweep_is_on_wandb_as_it_is_in_the_records(swept: Path) -> None:
    runs = sorted(swept.glob("*/seed-*"))
    assert len(runs) == 6
    assert len({id_of(run) for run in runs}) == 6
    for run in runs:
        (file,) = run.parent.glob(f"wandb/offline-run-*-{id_of(run)}/*.wandb")
        records = inspect(file)
        first = [record["run"] for record in records if record["type"] == "run"]
        content = yaml.safe_load((run / "config.yaml").read_text())
        algorithm, seed = content["config"]["algorithm"]["name"], content["seed"]
        assert first[0]["display_name"] == f"{algorithm} CartPole-v1 seed {seed}"
        assert (first[0]["run_group"], first[0]["job_type"]) == (run.parent.name, "delta")
        assert first[-1]["tags"] == [algorithm, "CartPole-v1", "default", "extra", "x" * 64]
        assert first[0]["project"] == "pgbench"
        config = first[-1]["config"]["update"]
        assert config["hyperparameters"] == content["config"]["hyperparameters"]
        began = json.loads((run / "provenance.jsonl").read_text().splitlines()[0])
        assert (config["seed"], config["provenance"]["git_commit"]) == (seed, began["git_commit"])
        rows = [record["history"]["item"] for record in records if record["type"] == "history"]
        assert [plain(row) for row in rows] == metrics(run)
        times = pd.read_csv(run / "times.csv")["seconds"].tolist()
        assert [row["seconds"] for row in rows] == times
        assert [row["_step"] for row in rows] == list(range(len(rows)))
        axes = [record["metric"] for record in records if record["type"] == "metric"]
        assert {"glob_name": "*", "options": {"defined": True, "step_sync": True}, "step_metric": "env_steps"} in axes
        summary: dict = {}
        for record in records:
            summary |= record.get("summary", {}).get("update", {})
        returns = pd.read_csv(run / "metrics.csv")["episode_return"]
        assert summary["status"] == "done"
        assert (summary["final_return"], summary["best_return"]) == (returns.iloc[-1], returns.max())
        assert records[-1]["exit"].get("exit_code", 0) == 0


def test_publish_adds_nothing_to_what_was_followed_and_finds_it_equal(swept: Path) -> None:
    before = sorted(swept.glob("*/wandb/*run-*"))
    done = command("sweeps.publish", swept, "--verify")
    assert "6 of 6 runs are up to date, 0 sent now" in done.stdout
    assert done.stdout.count(": equal") == 6
    assert sorted(swept.glob("*/wandb/*run-*")) == before


def test_verify_finds_what_differs(untracked: Path) -> None:
    command("sweeps.publish", untracked, WANDB_MODE="offline")
    run = min(untracked.glob("*/seed-*"))
    table = pd.read_csv(run / "metrics.csv", dtype=str)
    table.loc[3, "kl"] = "0.5"
    table.to_csv(run / "metrics.csv", index=False)
    done = command("sweeps.publish", untracked, "--verify", check=False)
    assert done.returncode == 1
    assert f"{run.parent.name}/{run.name}: row 3: kl" in done.stdout
    assert done.stdout.count(": equal") == 2


def test_runs_made_with_tracking_off_are_published_online_once(swept: Path, untracked: Path, server: Server) -> None:
    here = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
    server.mode = "401"
    refused = command("sweeps.publish", untracked, check=False, **here)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert "3 of 3 runs are not up to date" in refused.stderr
    server.mode = "ok"
    command("sweeps.publish", untracked, **here)
    check_online(server, untracked)
    before = len(server.requests)
    assert "0 sent now" in command("sweeps.publish", untracked, **here).stdout
    assert len(server.requests) == before
    # Neither key nor secret is in any file or request.
    files = [path for root in (swept, untracked) for path in root.rglob("*") if path.is_file()]
    assert len(files) > 50
    for word in (KEY, SECRET, "stolen"):
        assert [path for path in files if word.encode() in path.read_bytes()] == []
        assert word.encode() not in server.bodies


def start(directory: Path, *overrides: str, **changes: str) -> subprocess.Popen:
    arguments = [*SMALL, "algorithm=trpo", "checkpoint_seconds=0.2", f"output_dir={directory}", *overrides]
    return subprocess.Popen(
        [sys.executable, "-m", "pgbench", *arguments],
        cwd=ROOT,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def follower_of(process: subprocess.Popen) -> int:
    children = Path(f"/proc/{process.pid}/task").glob("*/children")
    pids = [int(pid) for path in children for pid in path.read_text().split()]
    (pid,) = [pid for pid in pids if b"tracking.follower" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return pid


def wait_for_fragments(directory: Path, count: int, old: frozenset[Path] = frozenset()) -> frozenset[Path]:
    """Until so many runs were opened beside the old ones and some rows were sent; what is open now. (One that was
    killed before wandb wrote anything down is taken away and sent anew.)"""
    for _ in range(600):
        ledgers = [path.read_text() for path in directory.glob("*/seed-*/tracking.json")]
        fragments = frozenset(directory.glob("*/wandb/offline-run-*"))
        if len(fragments - old) >= count and all(
            '"sent": 0' not in text and '"open": true' in text for text in ledgers
        ):
            return fragments
        time.sleep(0.1)
    raise AssertionError("it was not followed")


@pytest.mark.slow
def test_after_kills_and_a_resume_one_sync_gives_one_whole_run(tmp_path: Path, server: Server) -> None:
    """The job is killed with its follower and goes on; then the follower alone; then all is synced."""
    # It waits, to be still training when its follower has been killed twice.
    job = ["env.wrappers=[{wrapper: waiting:Waiting}]", "seeds=2", "total_steps=5000", "tracking=wandb"]
    job.append("tracking.mode=offline")
    here = {"PYTHONPATH": str(Path(__file__).parent), "GO": str(tmp_path / "go")}
    process = start(tmp_path, *job, **here)
    opened = wait_for_fragments(tmp_path, 2)
    for pid in (process.pid, follower_of(process)):
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    process = start(tmp_path, *job, **here)
    wait_for_fragments(tmp_path, 2, opened)
    os.kill(follower_of(process), signal.SIGKILL)
    (tmp_path / "go").touch()
    _, errors = process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert command("sweeps.publish", tmp_path, "--verify").stdout.count(": equal") == 2
    fragments = sorted(map(str, tmp_path.glob("*/wandb/offline-run-*")))
    command("wandb", "sync", "--yes", *fragments, WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY)
    check_online(server, tmp_path)


@pytest.mark.parametrize("left", ["nothing", "a part"])
def test_a_torn_file_of_a_killed_follower_is_continued_and_synced(untracked: Path, server: Server, left: str) -> None:
    """wandb's service loses what it has not flushed. A torn record keeps `wandb sync` from all that follows, a file
    with none keeps it from all runs."""
    run = min(untracked.glob("*/seed-*"))
    for other in set(untracked.glob("*/seed-*")) - {run}:
        shutil.rmtree(other)
    command("sweeps.publish", untracked, "--mode=offline")
    (file,) = run.parent.glob("wandb/offline-run-*/*.wandb")
    os.truncate(file, int(file.stat().st_size * 0.6) if left == "a part" else 7)
    ledger = Ledger(run)
    (target,) = ledger.content["sent"].values()
    (fragment,) = target["memory"].pop("fragments")
    target["memory"]["open"] = {"mode": "offline", "fragment": fragment, "from": 0}
    target.update(open=True, status=None)
    ledger.save()
    command("sweeps.publish", untracked, "--mode=offline")
    fragments = sorted(map(str, run.parent.glob("wandb/offline-run-*")))
    assert len(fragments) == (2 if left == "a part" else 1)
    command("wandb", "sync", "--yes", *fragments, WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY)
    check_online(server, untracked)


def test_a_job_ends_as_it_would_without_wandb(tmp_path: Path, server: Server) -> None:
    """With a server that hangs; the other troubles are injected by faults.py."""
    server.mode = "hang"
    job = ["seeds=1", "total_steps=1000", "tracking=wandb", "tracking.mode=online"]
    process = start(tmp_path, *job, WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY)
    _, errors = process.communicate(timeout=120)
    returned = time.time()
    (run,) = tmp_path.glob("*/seed-0")
    status = read_status(run)
    assert (process.returncode, status["status"]) == (0, "done")
    assert returned - status["updated"] < 15
    assert "1 of 1 runs are not up to date" in errors
    assert f"python -m sweeps.publish {tmp_path}" in errors
    assert "Traceback" not in errors
    server.mode = "ok"
    command("sweeps.publish", tmp_path, WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY)
    check_online(server, tmp_path)


def test_an_offline_run_goes_on_online_after_what_was_synced(untracked: Path, server: Server) -> None:
    run = min(untracked.glob("*/seed-*"))
    whole = (run / "metrics.csv").read_bytes()
    (run / "metrics.csv").write_bytes(b"".join(whole.splitlines(keepends=True)[:6]))
    command("sweeps.publish", run.parent, "--mode=offline")
    (run / "metrics.csv").write_bytes(whole)
    command("sweeps.publish", run.parent, "--mode=online", WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY)
    held = held_by(server, run)
    assert [plain(row) for row in held.rows] == metrics(run)
    assert [row["_step"] for row in held.rows] == list(range(len(held.rows)))


@pytest.mark.slow
def test_a_sweep_on_a_dask_cluster_is_followed_by_its_driver(tmp_path: Path) -> None:
    """The workers of the cluster know no W&B; the driver's follower reads the directory they share."""
    pytest.importorskip("distributed")
    sweep = ["algorithm=vpg", "seeds=2", "total_steps=600", "backend=dask", "n_jobs=1", f"output_dir={tmp_path}"]
    done = command("sweeps", *sweep, *SMALL, "tracking=wandb", "tracking.mode=offline")
    assert list(tmp_path.glob("*/wandb/offline-run-*"))
    if "not up to date" in done.stdout + done.stderr:  # a busy machine: the follower has nine seconds for the rest
        command("sweeps.publish", tmp_path, "--mode=offline")
    assert len(list(tmp_path.glob("*/wandb/offline-run-*"))) >= 2
    assert command("sweeps.publish", tmp_path, "--verify").stdout.count(": equal") == 2


def test_failed_diverged_and_stopped_runs_say_so(untracked: Path, server: Server) -> None:
    states = ("failed", "diverged", "running")
    runs = sorted(untracked.glob("*/seed-*"))[:3]
    for run, state in zip(runs, states, strict=True):
        (run / "status.json").write_text(json.dumps({**read_status(run), "status": state}))
    command("sweeps.publish", runs[0].parent, WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY)
    for run, state, code in zip(runs, ("failed", "diverged", "stopped"), (1, 0, 1), strict=True):
        held = held_by(server, run)
        assert held.summary["status"] == state
        assert state in held.fields["tags"]
        assert held.exit_code == code


def test_training_imports_no_tracker() -> None:
    code = "import sys, pgbench.__main__, pgbench.runs.job, pgbench.tracking, sweeps.__main__, sweeps.worker\n"
    code += "assert not {'wandb', 'tensorboard'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("backend", "wandbb", "got 'wandbb', allowed is none, wandb, tensorboard or module:name"),
        ("backend", "module:", "got 'module:', allowed is none, wandb"),
        ("backend", "nowhere_at_all:Tracker", "there is no module nowhere_at_all"),
        ("project", "a/b", "got 'a/b', allowed are 1 to 128 characters"),
        ("project", "", "allowed are 1 to 128 characters"),
    ],
)
def test_a_mistake_is_one_line(key: str, value: str, message: str) -> None:
    with pytest.raises(UserError, match=f"tracking.{key}: .*{re.escape(message)}") as caught:
        check({**DEFAULTS, key: value})
    assert "\n" not in str(caught.value)


def test_nothing_is_trained_after_a_mistake(tmp_path: Path) -> None:
    done = command("pgbench", *SMALL, "tracking.backend=wandbb", f"output_dir={tmp_path}", check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_hostile_variables_of_the_tests_would_matter() -> None:
    """Or the tests above prove nothing: wandb itself heeds them."""
    code = "import wandb; r = wandb.init(mode='offline', project='p', dir=DIR); print(r.id)".replace("DIR", "'/tmp'")
    subset = {"WANDB_RUN_ID": HOSTILE["WANDB_RUN_ID"], "WANDB_SILENT": "true", "WANDB_CONSOLE": "off"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(**subset), capture_output=True, text=True, check=False
    )
    assert "stolen" in done.stdout


def test_each_torn_end_of_a_file_is_cut_to_whole_records(swept: Path, tmp_path: Path) -> None:
    """Checked against wandb's own reader: what is left ends as a file does that is merely unfinished."""
    data = max(swept.glob("*/wandb/offline-run-*/*.wandb"), key=lambda path: path.stat().st_size).read_bytes()
    assert len(data) > 10_000
    assert whole_records(data) == len(data)
    ends = {whole_records(data[:size]) for size in range(7, len(data) + 1)}
    records = len(inspect(written(tmp_path, data)))
    assert len(ends) == records + 1  # 7 bytes that name the format, then one end per record
    for count, end in list(enumerate(sorted(ends)))[:: len(ends) // 5]:
        assert len(inspect(written(tmp_path, data[:end]))) == count


def written(directory: Path, data: bytes) -> Path:
    path = directory / "run-cut.wandb"
    path.write_bytes(data)
    return path


def test_an_address_that_cannot_be_read_never_sends_the_key_elsewhere(tmp_path: Path) -> None:
    """wandb itself says so once, and then goes on to its default server."""
    code = """if True:
        from pathlib import Path
        from pgbench.tracking import Run, Unavailable
        from pgbench.tracking.weights_and_biases import WandbRun
        directory = Path(PATH)
        run = Run(directory, directory, "id", "n", "g", "t", (), {}, 0, {"project": "p", "mode": "online"}, True)
        for attempt in range(2):
            try:
                WandbRun(run)
            except Unavailable as error:
                print(error)
    """.replace("PATH", repr(str(tmp_path)))
    here = environment(WANDB_BASE_URL="htp:/nonsense", WANDB_API_KEY=KEY)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=here, capture_output=True, text=True, check=False)
    assert done.stdout.count("URL scheme should be 'http' or 'https'") == 2, done.stdout + done.stderr
