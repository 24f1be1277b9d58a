"""A worker process: builds its learner once, then trains the segments it is sent.

Started as ``python -c`` with one end of a socket pair, so it needs no importable
``__main__`` of the caller (scripts without a guard and notebooks work).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from seedbed.core.errors import StorageError
from seedbed.core.work import Learner
from seedbed.run.segment import Broken, Done, Ready, segment
from seedbed.store.checkpoints import CheckpointFolder

LearnerFactory = Callable[[], Learner]


def main(descriptor: int) -> None:
    """Serve the parent at the other end of ``descriptor`` until it hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
    connection = Connection(descriptor)
    factory, folder, probing = connection.recv()
    try:
        _serve(connection, factory, folder, probing)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)  # the parent is gone; nobody waits for what we know
    except StorageError as error:
        connection.send(Broken(str(error), fatal=True))
    except Exception:
        traceback.print_exc(file=sys.stderr)
        sys.stderr.flush()
        connection.send(Broken(traceback.format_exc()))


def _watch_parent(parent: int) -> None:
    """End this process soon after its parent, whatever it is doing."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(0)


def _serve(connection: Connection, factory: LearnerFactory, folder: Path, probing: bool) -> None:
    learner = factory()
    checkpoints = CheckpointFolder(folder)
    connection.send(Ready.of(learner, probing=probing))
    while True:
        work = segment(learner, checkpoints, connection.recv())
        report = next(work, None)
        while report is not None:
            connection.send(report)
            try:
                report = work.send(connection.recv())
            except StopIteration:
                report = None
        connection.send(Done())
