"""One writer at a time, and none that is dead."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from seedbed.core.errors import BusyError, StorageError
from seedbed.store.layout import Layout
from seedbed.store.lock import writing

HOLD = """
import sys, time
from pathlib import Path
from seedbed.store.layout import Layout
from seedbed.store.lock import writing
with writing(Layout(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Hold the lock of ``tmp_path`` in another process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_writer_is_refused_and_told_who_writes(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(BusyError) as caught, writing(Layout(tmp_path)):
        pass
    assert f"process {holder.pid} on {socket.gethostname()}" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_the_lock_of_a_killed_process_is_free(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    layout = Layout(tmp_path)
    with writing(layout):
        assert f'"pid": {os.getpid()}' in layout.holder.read_text()
        with pytest.raises(BusyError, match=f"process {os.getpid()} "), writing(layout):
            pass
    assert not layout.holder.exists()


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="trouble"), writing(Layout(tmp_path)):
        raise ValueError("trouble")
    with writing(Layout(tmp_path)):
        pass


@pytest.mark.parametrize(
    "about", ["", "{", "[]", "7", '{"pid": 1}', '{"pid":1,"host":"h","since":"x"}']
)
def test_an_unreadable_holder_is_another_process(
    tmp_path: Path, holder: subprocess.Popen[bytes], about: str
) -> None:
    Layout(tmp_path).holder.write_text(about)
    with pytest.raises(BusyError, match="another process"), writing(Layout(tmp_path)):
        pass


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    Layout(tmp_path).holder.mkdir()
    with pytest.raises(StorageError), writing(Layout(tmp_path)):
        pass
