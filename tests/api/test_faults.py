"""A study under faults: killed anywhere, a full disk, a damaged folder. Same bits after."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from seedbed.api.prepare import prepare
from seedbed.api.study import Study
from seedbed.api.train import train
from seedbed.api.verify import verify
from seedbed.core.curves import Curve
from seedbed.core.errors import InputError, StorageError
from seedbed.core.spec import make_spec
from seedbed.core.work import Verdict
from seedbed.run.runner import Observer
from tiny import tiny_values

POLICY = {"name": "start-many", "start": 6, "at": 0.5, "keep": 2}
TRAIN = "import sys; from seedbed.api.train import train; train(sys.argv[1])"


def bits(study: Study) -> dict[int, Curve]:
    return {
        trial: replace(curve, evaluations=tuple(replace(e, seconds=0.0) for e in curve.evaluations))
        for trial, curve in study.database.curves(logits=True).items()
    }


def prepared(folder: Path, processes: int = 2) -> Path:
    values = tiny_values(folder, policy=POLICY, run={"processes": processes})
    prepare(make_spec(values, where="test"), folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study that nothing happened to."""
    return train(prepared(tmp_path_factory.mktemp("straight")))


def started(folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.Popen([sys.executable, "-c", TRAIN, str(folder)], env=environment)


def evaluations(folder: Path) -> int:
    # Not read-only: after a kill within a commit the next reader rolls the journal back.
    with closing(sqlite3.connect(folder / "study.db", timeout=60)) as database:
        return int(database.execute("SELECT count(*) FROM evaluations").fetchone()[0])


def wait_for(folder: Path, process: subprocess.Popen[bytes], count: int) -> bool:
    """Wait until ``count`` evaluations are recorded; False if the study ended before."""
    while process.poll() is None:
        if evaluations(folder) >= count:
            return True
        time.sleep(0.01)
    return False


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children()
    except psutil.NoSuchProcess:
        return []


def killed_again_and_again(folder: Path, times: int, seed: int) -> int:
    """Kill parent or worker ``times`` at random moments, resuming; gives how often it was."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    done = 0
    process = started(folder)
    while done < times and wait_for(folder, process, evaluations(folder) + 1):
        time.sleep(rng.uniform(0.0, 0.3))
        workers = workers_of(process)
        if workers and rng.random() < 0.5:
            with suppress(psutil.NoSuchProcess):  # it has just ended by itself
                rng.choice(workers).send_signal(signal.SIGKILL)
        else:
            process.kill()
            process.wait()
            process = started(folder)
        done += 1
    assert process.wait(300) == 0
    return done


def assert_same(folder: Path, straight: Study) -> None:
    study = Study(folder)
    assert bits(study) == bits(straight)
    assert study.verdicts == straight.verdicts
    best = "best/model.safetensors"
    assert (folder / best).read_bytes() == (straight.layout.root / best).read_bytes()
    kept = {file.file for file in study.database.files()}
    assert {path.name for path in study.layout.checkpoints.iterdir()} == kept
    assert verify(folder, segments=0).holds


def test_killed_twice(straight: Study, tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    assert killed_again_and_again(folder, 2, random.randrange(10**6)) == 2
    assert_same(folder, straight)


@pytest.mark.soak
def test_killed_thirty_times(straight: Study, tmp_path: Path) -> None:
    """Several studies, until thirty kills have hit a running one."""
    total = 0
    for number in range(30):
        (tmp_path / str(number)).mkdir()
        folder = prepared(tmp_path / str(number))
        total += killed_again_and_again(folder, min(10, 30 - total), random.randrange(10**6))
        assert_same(folder, straight)
        if total >= 30:
            break
    assert total == 30


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes; only root can make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if (
        os.geteuid() != 0
        or shutil.which("mount") is None
        or subprocess.run(command, check=False).returncode
    ):
        pytest.skip("no small file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_said_and_the_study_goes_on_when_there_is_room(
    straight: Study, small_disk: Path, tmp_path: Path
) -> None:
    values = tiny_values(tmp_path, policy=POLICY, run={"processes": 1})
    prepare(make_spec(values, where="test"), small_disk / "out")
    ballast = small_disk / "ballast"

    class Filling(Observer):
        """Fills the disk after the first evaluation, when the check has passed."""

        def evaluated(self, curve: Curve, verdict: Verdict) -> None:
            if not ballast.exists():
                ballast.write_bytes(b"\0" * (shutil.disk_usage(small_disk).free - 100_000))

    with pytest.raises(StorageError):
        train(small_disk / "out", Filling())
    assert Study(small_disk / "out").status()["best"] is not None
    ballast.unlink()
    study = train(small_disk / "out")
    assert bits(study) == bits(straight)


def test_too_small_a_disk_is_refused_before_any_training(small_disk: Path, tmp_path: Path) -> None:
    values = tiny_values(tmp_path, policy=POLICY, run={"processes": 1})
    prepare(make_spec(values, where="test"), small_disk / "out")
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * (shutil.disk_usage(small_disk).free - 300_000))
    with pytest.raises(InputError, match="not enough disk space") as caught:
        train(small_disk / "out")
    assert caught.value.exit_code == 2
    assert "needed" in str(caught.value)
    assert evaluations(small_disk / "out") == 0


def test_damaged_states_are_trained_again(straight: Study, tmp_path: Path) -> None:
    folder = prepared(tmp_path, processes=1)
    process = started(folder)
    assert wait_for(folder, process, 5)
    process.kill()
    process.wait()
    for path in (folder / "checkpoints").iterdir():
        path.write_bytes(b"\xff" * path.stat().st_size)
    assert not verify(folder, segments=0).holds
    study = train(folder)
    assert bits(study) == bits(straight)
    assert any(kind == "recomputed" for kind, _, _ in study.database.events())


def test_verify_finds_what_was_changed(straight: Study, tmp_path: Path) -> None:
    assert verify(straight.layout.root).holds
    copy = tmp_path / "copy"
    shutil.copytree(straight.layout.root, copy)
    with sqlite3.connect(copy / "study.db") as database:
        database.execute("UPDATE evaluations SET score = score + 0.01 WHERE trial = 3")
        database.execute("UPDATE verdicts SET decision = 'continue' WHERE decision = 'pause'")
    result = verify(copy, segments=6)
    found = {check.name.split(",")[0]: check.holds for check in result.checks}
    assert not found["verdicts"]
    assert not found["trial 3"]
    assert found["trial 0"]
