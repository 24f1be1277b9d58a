"""One writer: a study folder is locked by the process that trains."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from seedbed.core.errors import BusyError, StorageError
from seedbed.store.layout import Layout


@contextmanager
def writing(layout: Layout) -> Iterator[None]:
    """Hold the study's lock; BusyError names the process and host that hold it already.

    The operating system drops the lock when its holder dies, so none is ever stale.
    """
    lock = FileLock(layout.lock, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(f"{layout.root} is being written by {_holder(layout)}") from None
    except OSError as error:
        raise StorageError(f"cannot write in {layout.root}: {error.strerror}") from error
    try:
        _say_holder(layout)
        yield
    finally:
        with suppress(OSError):
            layout.holder.unlink(missing_ok=True)
        lock.release()


def _say_holder(layout: Layout) -> None:
    about = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
    try:
        layout.holder.write_text(json.dumps(about))
    except OSError as error:
        raise StorageError(f"cannot write in {layout.root}: {error.strerror}") from error


def _holder(layout: Layout) -> str:
    try:
        about = json.loads(layout.holder.read_text())
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(about["since"]))
        return f"process {about['pid']} on {about['host']} (since {since})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
