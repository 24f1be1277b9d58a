"""Who does the work: processes of our own, or the caller itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Protocol

from seedbed.core.errors import StorageError
from seedbed.core.work import Learner, Start
from seedbed.run.segment import Broken, Done, Message, Ready, Segment, segment
from seedbed.run.worker import LearnerFactory
from seedbed.store.checkpoints import CheckpointFolder

GOODBYE_SECONDS = 5.0


class Pool(Protocol):
    """Workers, named 0, 1, ... Each trains one segment at a time and waits for answers."""

    size: int

    def submit(self, worker: int, starts: Sequence[Start]) -> None:
        """Hand a segment to a worker that is ready or done."""

    def answer(self, worker: int, going: Collection[int]) -> None:
        """Say which trials of the worker's report go on."""

    def next(self, seconds: float) -> tuple[int, Message] | None:
        """Wait at most ``seconds`` for a message; None if there was none."""

    def close(self) -> None:
        """End all workers."""


class InlinePool:
    """One worker, in this process: for table-playing learners, tests and debugging."""

    size = 1

    def __init__(self, learner: Learner, folder: Path, *, probing: bool = False) -> None:
        """Train with ``learner``; states go to ``folder``."""
        self._learner, self._folder = learner, CheckpointFolder(folder)
        self._messages: deque[Message] = deque([Ready.of(learner, probing=probing)])
        self._work: Segment | None = None
        self._answer: Collection[int] | None = None

    def submit(self, worker: int, starts: Sequence[Start]) -> None:
        """Take up a segment; it is trained when the next message is asked for."""
        self._work, self._answer = segment(self._learner, self._folder, starts), None

    def answer(self, worker: int, going: Collection[int]) -> None:
        """Remember the answer for when the next message is asked for."""
        self._answer = going

    def next(self, seconds: float) -> tuple[int, Message] | None:
        """Train up to the next evaluation."""
        if self._messages:
            return 0, self._messages.popleft()
        if self._work is None:
            return None
        try:
            if self._answer is None:
                return 0, next(self._work)
            return 0, self._work.send(self._answer)
        except StopIteration:
            self._work = None
            return 0, Done()

    def close(self) -> None:
        """Forget the work."""
        self._work = None


class ProcessPool:
    """Processes of our own, each with ``threads`` threads, a fresh interpreter each."""

    def __init__(
        self,
        factory: LearnerFactory,
        folder: Path,
        *,
        size: int,
        logs: Path,
        threads: int = 1,
        probing: bool = False,
    ) -> None:
        """Start ``size`` workers; each builds (and, if ``probing``, probes) ``factory()``."""
        self.size = size
        self._factory, self._folder, self._logs = factory, folder, logs
        self._threads, self._probing = threads, probing
        self._processes: list[subprocess.Popen[bytes]] = []
        self._connections: list[Connection] = []
        logs.mkdir(parents=True, exist_ok=True)
        try:
            for worker in range(size):
                process, connection = self._start(worker)
                self._processes.append(process)
                self._connections.append(connection)
        except BaseException:
            self.close()
            raise

    def log(self, worker: int) -> Path:
        """Say where the worker's output goes."""
        return self._logs / f"worker-{worker}.log"

    def _start(self, worker: int) -> tuple[subprocess.Popen[bytes], Connection]:
        ours, theirs = socket.socketpair()
        threads = str(self._threads)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "TOKENIZERS_PARALLELISM": "false",
        }
        code = f"from seedbed.run.worker import main; main({theirs.fileno()})"
        try:
            with self.log(worker).open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-c", code],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    pass_fds=[theirs.fileno()],
                )
        except OSError as error:
            raise StorageError(f"cannot start a worker: {error}") from error
        finally:
            theirs.close()
        connection = Connection(ours.detach())
        connection.send((self._factory, self._folder, self._probing))
        return process, connection

    def submit(self, worker: int, starts: Sequence[Start]) -> None:
        """Send the segment."""
        self._send(worker, tuple(starts))

    def answer(self, worker: int, going: Collection[int]) -> None:
        """Send the answer."""
        self._send(worker, tuple(going))

    def _send(self, worker: int, value: object) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the next message says so
            self._connections[worker].send(value)

    def next(self, seconds: float) -> tuple[int, Message] | None:
        """Wait for any worker. A dead worker is replaced, and says :class:`Broken` first."""
        for ready in wait(self._connections, timeout=seconds):
            worker = self._connections.index(ready)  # type: ignore[arg-type]
            try:
                message: Message = self._connections[worker].recv()
            except (EOFError, OSError):  # OSError: it died within a message
                message = Broken(self._obituary(worker), died=True)
            if isinstance(message, Broken) and not message.fatal:
                self._replace(worker)
            return worker, message
        return None

    def _obituary(self, worker: int) -> str:
        code = self._processes[worker].wait(GOODBYE_SECONDS)
        tail = self.log(worker).read_bytes()[-2000:].decode("utf-8", "replace").strip()
        how = f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"worker {worker} was {how}" + (f"; its log ends:\n{tail}" if tail else "")

    def _replace(self, worker: int) -> None:
        self._connections[worker].close()
        self._end(self._processes[worker])
        self._processes[worker], self._connections[worker] = self._start(worker)

    def close(self) -> None:
        """Hang up; whoever does not go by itself is killed."""
        for connection in self._connections:
            connection.close()
        for process in self._processes:
            self._end(process)
        self._connections, self._processes = [], []

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
