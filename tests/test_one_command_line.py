"""pgbench, its multirun and sweeps read one text one way, and a sweep's file may say what its command line may."""

import os
import string
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgbench.commands.train import expand as multirun
from pgbench.composition import compose
from pgbench.config import Config
from pgbench.errors import UserError
from sweeps.__main__ import main, plan, read

NAME = "hyperparameters.name"


def swept(*arguments: str, config_dirs: tuple[str, ...] = ()) -> list[Config]:
    return plan(*read(arguments, config_dirs), config_dirs)[1]


def outcome(read: Callable[[], list[Config]]) -> Any:
    """The jobs, or the line that a person reads instead."""
    try:
        return read()
    except UserError as error:
        return str(error)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("runs", "runs"),
        ("'q/a,b'", "q/a,b"),
        ('"q/a b"', "q/a b"),
        ("'it\\'s'", "it's"),
        ("i/${algorithm.name}", "i/npg"),
        ("'i/${hyperparameters.name}/${seeds}'", "i/default/2"),
        ("~/x", "~/x"),
        ("'~/x'", "~/x"),
        ("~/ü/${algorithm.name}", "~/ü/npg"),
        ("データ", "データ"),
        ("a#b!c", "a#b!c"),
        ("$5", "$5"),
        ("a b", "a b"),
    ],
)
def test_a_text_means_the_same_everywhere(text: str, value: str) -> None:
    arguments = ["algorithm=npg", "seeds=2", f"output_dir={text}"]
    assert compose(arguments).output_dir == value
    assert [compose(job).output_dir for job in multirun(arguments)] == [value]
    assert [job.output_dir for job in swept(*arguments)] == [value]


@settings(deadline=None, max_examples=15)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200))
def test_any_quoted_text_arrives_as_it_is(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    arguments = ["algorithm=npg", f"{NAME}='{quoted}'"]
    expected = outcome(lambda: [compose(arguments)])
    assert outcome(lambda: swept(*arguments)) == expected
    assert outcome(lambda: [compose(job) for job in multirun(arguments)]) == expected
    if "\\" not in text and "${" not in text:
        assert expected[0].hyperparameters.name == text


@pytest.mark.parametrize(
    "arguments",
    [
        ["algorithm=vpg,npg", "seeds=[3,4]"],
        ["algorithm=glob([n*,v*])", "env=cartpole"],
        ["algorithm=npg", "hyperparameters.delta=choice(0.1,0.2)", "hyperparameters.hidden=[8,8],[16]"],
        [f"{NAME}='a,b','c'", "algorithm=npg,vpg"],
        ["seeds=range(1,3)", "algorithm=npg"],
        ["+env.kwargs.o={1: a, b: [c, {d: e}]}"],
        ["hyperparameters.n_steps=${hyperparameters.n_envs}", "hyperparameters.n_envs=3"],
    ],
)
def test_several_values_are_the_same_jobs(arguments: list[str]) -> None:
    ours = {(job.job_name, job.output_dir) for job in swept(*arguments)}
    assert ours == {(job.job_name, job.output_dir) for job in map(compose, multirun(arguments))}


@pytest.mark.parametrize(
    "argument", ["algorithm=glob(x*)", "hyperparameters.delta=interval(0,1)", "output_dir=a${", "output_dir=${nope}"]
)
def test_a_mistake_is_the_same_line(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([argument, "env=cartpole"]) == 2
    told = capsys.readouterr().err
    assert told == f"sweeps: error: {outcome(lambda: list(map(compose, multirun([argument]))))}\n"


def test_a_file_says_what_the_command_line_may(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "n_jobs: 3\nretries: 1\non_error: stop\noutput_dir: here/${algorithm.name}\njobs:\n"
        "  - grid: {algorithm: [vpg, npg]}\n  - set: {algorithm: trpo, output_dir: there}\n"
    )
    options, _, _ = read([f"sweep={file}"], ())
    assert (options.n_jobs, options.retries, options.on_error) == (3, 1, "stop")
    assert [job.output_dir for job in swept(f"sweep={file}")] == ["here/vpg", "here/npg", "there"]
    assert [job.output_dir for job in swept(f"sweep={file}", "output_dir=x")] == ["x", "x", "x"]
    assert read([f"sweep={file}", "n_jobs=2"], ())[0].n_jobs == 2
    for text, message in (
        ("n_jobs: 0", "n_jobs: got 0, allowed is at least 1"),
        ("jobs: [{set: {n_jobs: 2}}]", "n_jobs: is of the whole sweep"),
        ("sweep: other", "sweep: no such key"),
    ):
        file.write_text(text)
        with pytest.raises(UserError, match=message):
            swept(f"sweep={file}")


def test_home_is_expanded_by_both(tmp_path: Path) -> None:
    small = ["env=cartpole", "algorithm=vpg", "seeds=1", "total_steps=40", "hyperparameters.n_steps=20"]
    small += ["hyperparameters.n_envs=2", "output_dir='~/${algorithm.name}'"]
    env = {**os.environ, "HOME": str(tmp_path / "home"), "PYTHONPATH": str(Path(__file__).parents[1])}
    (tmp_path / "home").mkdir()
    for command in (["pgbench"], ["sweeps", "n_jobs=1"]):
        subprocess.run([sys.executable, "-m", *command, *small], cwd=tmp_path, env=env, check=True, capture_output=True)
        assert len(list((tmp_path / "home" / "vpg").iterdir())) == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_no_character_of_the_keyboard_is_read_two_ways() -> None:
    for text in (f"hyperparameters.network_kwargs.x=a{character}b" for character in string.punctuation):
        ours = outcome(lambda text=text: swept(text))
        theirs = outcome(lambda text=text: list(map(compose, multirun([text]))))
        assert ours == theirs, text
