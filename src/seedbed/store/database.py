"""The facts of a study in SQLite: added, never rewritten; one transaction a report.

The rollback journal (not WAL) is used, so a folder on a network file system works and a
copy of ``study.db`` alone is whole.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from seedbed.core.curves import Curve, Evaluation
from seedbed.core.errors import NoStudyError, StorageError, StudyError
from seedbed.core.seeds import Seeds
from seedbed.core.work import Decision, Verdict

FORMAT = 1
"""Raised when a study of today cannot be read by yesterday's seedbed."""

metadata = sa.MetaData()


def _trial() -> sa.Column[int]:
    return sa.Column("trial", sa.Integer, sa.ForeignKey("trials.trial"), nullable=False)


facts = sa.Table(
    "facts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, index=True),
    sa.Column("value", sa.Text, nullable=False),  # JSON; the latest of a key holds
    sa.Column("at", sa.Float, nullable=False),
)
trials = sa.Table(
    "trials",
    metadata,
    sa.Column("trial", sa.Integer, primary_key=True),
    sa.Column("init_seed", sa.Integer, nullable=False),
    sa.Column("order_seed", sa.Integer, nullable=False),
    sa.Column("dropout_seed", sa.Integer, nullable=False),
    sa.UniqueConstraint("init_seed", "order_seed", "dropout_seed"),
)
evaluations = sa.Table(
    "evaluations",
    metadata,
    _trial(),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("progress", sa.Float, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("loss", sa.Float, nullable=False),
    sa.Column("scores", sa.Text, nullable=False),  # JSON: every metric
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("logits", sa.LargeBinary),  # float16 [examples, classes]
    sa.PrimaryKeyConstraint("trial", "step"),
)
verdicts = sa.Table(
    "verdicts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _trial(),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _trial(),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False),
)
removals = sa.Table(
    "removals",
    metadata,
    sa.Column("checkpoint", sa.Integer, sa.ForeignKey("checkpoints.id"), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),  # JSON
    sa.Column("at", sa.Float, nullable=False),
)

Kind = Literal["weights", "optimizer"]


@dataclass(frozen=True, slots=True)
class FileFact:
    """A checkpoint file: whose it is, its name in ``checkpoints/``, its sha256 and size."""

    trial: int
    step: int
    kind: Kind
    file: str
    sha256: str
    bytes: int
    id: int = -1


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict on a trial at a step."""

    trial: int
    step: int
    verdict: Verdict


class Database:
    """Reads and adds the facts of one study."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Open the study's database, or ``create`` it; StudyError if it is no such thing."""
        if not create and not path.is_file():
            raise NoStudyError(f"{path.parent} holds no study (no {path.name})")
        self.path = path
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": 60}
        )
        sa.event.listen(self._engine, "connect", _configure)
        with self._reporting():
            if create:
                metadata.create_all(self._engine)
                self.add_fact("format", FORMAT)
            found = self.facts().get("format")
        if found != FORMAT:
            raise StudyError(f"{path} has format {found!r}; this seedbed reads format {FORMAT}")

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.OperationalError as error:
            if "no such" in str(error.orig):  # table or column
                raise StudyError(f"{self.path} is no study: {error.orig}") from error
            raise StorageError(f"{self.path}: {error.orig}") from error
        except sa.exc.DatabaseError as error:
            raise StudyError(f"{self.path} is damaged or no study: {error.orig}") from error
        except ValueError as error:
            raise StudyError(f"{self.path} is damaged or no study: {error}") from error

    # -- adding

    def add_fact(self, key: str, value: Any) -> None:
        """Add a fact about the study; of several under one key the latest holds."""
        row = {"key": key, "value": json.dumps(value), "at": time.time()}
        with self._reporting(), self._engine.begin() as connection:
            connection.execute(facts.insert(), row)

    def add_event(self, kind: str, **detail: Any) -> None:
        """Add something that happened: started, resumed, interrupted, finished, ..."""
        row = {"kind": kind, "detail": json.dumps(detail), "at": time.time()}
        with self._reporting(), self._engine.begin() as connection:
            connection.execute(events.insert(), row)

    def add_trials(self, seeds: Iterable[Seeds]) -> None:
        """Add trials for those of ``seeds`` that have none yet; numbers go on from 0."""
        known = self.trials()
        new = [s for s in dict.fromkeys(seeds) if s not in set(known.values())]
        rows = [
            {"trial": t, "init_seed": s.init, "order_seed": s.order, "dropout_seed": s.dropout}
            for t, s in enumerate(new, start=max(known, default=-1) + 1)
        ]
        if rows:
            with self._reporting(), self._engine.begin() as connection:
                connection.execute(trials.insert(), rows)

    def record(
        self,
        *,
        evaluated: Sequence[tuple[int, Evaluation]] = (),
        judged: Sequence[Judged] = (),
        files: Sequence[FileFact] = (),
        removed: Sequence[tuple[FileFact, str]] = (),
    ) -> None:
        """Add what a worker reported and what was decided, all or nothing.

        ``files`` are new and carry ids that :meth:`next_file_id` gave; ``removed`` pairs
        files with the reason why they are no longer needed.
        """
        now = time.time()
        with self._reporting(), self._engine.begin() as connection:
            if evaluated:
                rows = [_evaluation_row(trial, e) for trial, e in evaluated]
                connection.execute(evaluations.insert(), rows)
            if judged:
                rows = [
                    {
                        "trial": j.trial,
                        "step": j.step,
                        "decision": j.verdict.decision.value,
                        "reason": j.verdict.reason,
                        "at": now,
                    }
                    for j in judged
                ]
                connection.execute(verdicts.insert(), rows)
            if files:
                connection.execute(checkpoints.insert(), [asdict(file) for file in files])
            if removed:
                rows = [{"checkpoint": f.id, "reason": r, "at": now} for f, r in removed]
                connection.execute(removals.insert(), rows)

    # -- reading

    def _read(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self._reporting(), self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def facts(self) -> dict[str, Any]:
        """Give the facts that hold."""
        rows = self._read(sa.select(facts.c.key, facts.c.value).order_by(facts.c.id))
        return {row["key"]: json.loads(row["value"]) for row in rows}

    def trials(self) -> dict[int, Seeds]:
        """Give the seeds of every trial, by its number."""
        return {
            row["trial"]: Seeds(row["init_seed"], row["order_seed"], row["dropout_seed"])
            for row in self._read(sa.select(trials).order_by(trials.c.trial))
        }

    def curves(self, *, logits: bool = False) -> dict[int, Curve]:
        """Give every trial's curve by its number; ``logits`` are left out unless asked for."""
        columns = [c for c in evaluations.c if logits or c.name != "logits"]
        query = sa.select(*columns).order_by(evaluations.c.trial, evaluations.c.step)
        found: dict[int, list[Evaluation]] = {trial: [] for trial in self.trials()}
        for row in self._read(query):
            found[row["trial"]].append(_evaluation(row))
        return {t: Curve(t, s, tuple(found[t])) for t, s in self.trials().items()}

    def verdicts(self) -> list[Judged]:
        """Give all verdicts in the order in which they were given."""
        rows = self._read(sa.select(verdicts).order_by(verdicts.c.id))
        return [
            Judged(r["trial"], r["step"], Verdict(Decision(r["decision"]), r["reason"]))
            for r in rows
        ]

    def files(self) -> list[FileFact]:
        """Give the checkpoint files that should be there."""
        gone = sa.select(removals.c.checkpoint)
        rows = self._read(sa.select(checkpoints).where(checkpoints.c.id.not_in(gone)))
        return [FileFact(**row) for row in rows]

    def problems(self) -> list[str]:
        """Let SQLite check its pages and foreign keys; gives what it finds."""
        with self._reporting(), self._engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
            keys = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        found = [str(line) for line in pages if line != "ok"]
        return found + [f"row {row[1]} of {row[0]} points to no row of {row[2]}" for row in keys]

    def next_file_id(self) -> int:
        """Give the first id that no file has had."""
        (row,) = self._read(sa.select(sa.func.max(checkpoints.c.id).label("id")))
        return int(row["id"] or 0) + 1

    def events(self) -> list[tuple[str, dict[str, Any], float]]:
        """Give (kind, detail, seconds since 1970) of what happened, in order."""
        rows = self._read(sa.select(events).order_by(events.c.id))
        return [(r["kind"], json.loads(r["detail"]), r["at"]) for r in rows]


def _configure(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")


def _evaluation_row(trial: int, evaluation: Evaluation) -> dict[str, Any]:
    return {
        "trial": trial,
        "step": evaluation.step,
        "progress": evaluation.progress,
        "score": evaluation.score,
        "loss": evaluation.loss,
        "scores": json.dumps(dict(evaluation.scores)),
        "seconds": evaluation.seconds,
        "logits": evaluation.logits,
    }


def _evaluation(row: Mapping[str, Any]) -> Evaluation:
    return Evaluation(
        step=row["step"],
        progress=row["progress"],
        score=row["score"],
        loss=row["loss"],
        scores=json.loads(row["scores"]),
        seconds=row["seconds"],
        logits=row.get("logits"),
    )
