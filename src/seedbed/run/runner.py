"""The loop that runs a study.

    waiting trials ──take()──▶ worker: train to the next evaluation, save, report
         ▲                                    │
         │ continue                           ▼
         │                        policy.judge(own curve) ──▶ continue / pause / stop
         │                                    │
         │                        store.record(evaluation, verdict, files)   one transaction
         │                                    │
         │                        worker goes on with the trials that continue
         │                                    │
         └──policy.select(all curves)◀── no trial can go on: everything paused or done

Verdicts depend on curves alone, never on which worker was faster. After a kill the trials
go on from their last state on disk, or, where that is missing or damaged, from their seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from seedbed.core.curves import Curve, Evaluation
from seedbed.core.errors import InterruptedStudyError, StorageError, StudyError
from seedbed.core.work import Decision, Failure, Policy, Saved, Start, Verdict
from seedbed.run.pool import Pool
from seedbed.run.segment import Broken, Done, Ready, Report
from seedbed.store.checkpoints import CheckpointFolder
from seedbed.store.database import Database, FileFact, Judged
from seedbed.store.retention import Retention, latest_states

POLL_SECONDS = 0.25
MOST_DEATHS = 3
"""So many deaths without progress fail a trial; while starting, they end the study."""


class Observer:
    """Is told what happens, for a progress view; this one lets it pass."""

    def ready(self, ready: Ready) -> None:
        """The first worker can train."""

    def evaluated(self, curve: Curve, verdict: Verdict) -> None:
        """A trial was evaluated and judged."""

    def judged(self, trial: int, verdict: Verdict) -> None:
        """A trial was judged without a new evaluation."""

    def note(self, text: str) -> None:
        """Something worth a line."""


@dataclass
class Runner:
    """Runs the trials of a study to their end, or until it is asked to stop."""

    database: Database
    folder: CheckpointFolder
    pool: Pool
    policy: Policy
    retention: Retention
    observer: Observer
    stop_asked: Callable[[], bool] = lambda: False
    before_start: Callable[[Ready], None] = lambda ready: None
    """Called once with what the first worker measured; may raise to call it off."""

    def run(self) -> None:
        """Train until every trial has a final verdict.

        Raises InterruptedStudyError when stopped, StorageError when a state cannot be
        written; either way the study can be resumed.
        """
        self._load()
        while True:
            self._dispatch()
            if self._busy or (self._loading and self._waiting and not self._stopping):
                self._receive()
            elif self._stopping:
                raise InterruptedStudyError("interrupted; `seedbed resume` goes on from here")
            elif not self._waiting and not self._select():
                return

    # -- where things stand

    def _load(self) -> None:
        """Rebuild the state of affairs from the facts."""
        self._curves = self.database.curves()
        self._decided = {j.trial: j.verdict.decision for j in self.database.verdicts()}
        self._files = {file.id: file for file in self.database.files()}
        self._next_id = self.database.next_file_id()
        self._deaths: Counter[int] = Counter()
        self._false_starts: Counter[int] = Counter()
        self._busy: dict[int, tuple[Start, ...]] = {}
        self._idle: set[int] = set()
        self._loading = set(range(self.pool.size))
        self._ready: Ready | None = None
        self._stopping = False
        started = sorted(self._curves)[: self.policy.starts(len(self._curves))]
        self._waiting = [t for t in started if self._goes_on(t)]
        self.folder.sweep(self._files.values())

    def _goes_on(self, trial: int) -> bool:
        return self._decided.get(trial, Decision.CONTINUE) is Decision.CONTINUE

    def _select(self) -> bool:
        """Ask the policy about the paused trials; whether there is work again."""
        paused = [self._curves[t] for t, d in sorted(self._decided.items()) if d is Decision.PAUSE]
        if not paused:
            return False
        verdicts = self.policy.select(paused, list(self._curves.values()))
        judged = [Judged(t, self._curves[t].step, v) for t, v in sorted(verdicts.items())]
        if not judged:
            raise StudyError("the policy leaves every trial paused")
        for one in judged:
            self._decided[one.trial] = one.verdict.decision
        self._waiting = [j.trial for j in judged if j.verdict.decision is Decision.CONTINUE]
        self._record(judged=judged)
        for one in judged:
            self.observer.judged(one.trial, one.verdict)
        return True

    # -- handing out work

    def _dispatch(self) -> None:
        """Give every idle worker trials that stand at one step."""
        self._stopping = self._stopping or self.stop_asked()
        while self._ready and self._idle and self._waiting and not self._stopping:
            worker = min(self._idle)
            starts = self._take(self._ready)
            self._idle.discard(worker)
            self._busy[worker] = starts
            self.pool.submit(worker, starts)

    def _take(self, ready: Ready) -> tuple[Start, ...]:
        """Take waiting trials: the first, and those that stand where it stands."""
        first = self._start(self._waiting[0], ready)
        starts = [first]
        for trial in self._waiting[1:]:
            if len(starts) >= ready.width or self._deaths[first.trial]:
                break  # a trial that may have killed its worker is trained alone
            if self._stands_at(trial, ready) == first.step and not self._deaths[trial]:
                start = self._start(trial, ready)
                if start.step == first.step:
                    starts.append(start)
        taken = {start.trial for start in starts}
        self._waiting = [t for t in self._waiting if t not in taken]
        self._tell_recomputed(starts)
        return tuple(starts)

    def _state(self, trial: int) -> tuple[FileFact, FileFact] | None:
        return latest_states(f for f in self._files.values() if f.trial == trial).get(trial)

    def _stands_at(self, trial: int, ready: Ready) -> int:
        if not ready.saves:
            return self._curves[trial].step
        state = self._state(trial)
        return state[0].step if state else 0

    def _start(self, trial: int, ready: Ready) -> Start:
        """Say from where the trial goes on: its last whole state, or its seeds."""
        curve = self._curves[trial]
        seconds = curve.last.seconds if curve.last else 0.0
        if not ready.saves:
            return Start(trial, curve.seeds, curve.step, seconds)
        while state := self._state(trial):
            if all(self.folder.whole(file) for file in state):
                weights, optimizer = (self.folder.path(file) for file in state)
                saved = Saved(weights, optimizer)
                return Start(trial, curve.seeds, state[0].step, seconds, saved)
            self._forget(state, "damaged")
        return Start(trial, curve.seeds)

    def _tell_recomputed(self, starts: Collection[Start]) -> None:
        for start in starts:
            curve = self._curves[start.trial]
            if start.step == 0 and curve.evaluations:
                text = f"trial {start.trial} is recomputed from its seeds ({curve.seeds})"
                self.observer.note(text)
                self.database.add_event("recomputed", trial=start.trial, step=curve.step)

    def _forget(self, files: Collection[FileFact], reason: str) -> None:
        for file in files:
            del self._files[file.id]
            self.observer.note(f"checkpoint {file.file} is {reason}")
        self.database.record(removed=[(file, reason) for file in files])

    # -- taking in results

    def _receive(self) -> None:
        """Wait for a worker's message and act on it."""
        received = self.pool.next(POLL_SECONDS)
        if received is None:
            return
        worker, message = received
        if isinstance(message, Ready):
            if self._ready is None:
                self.before_start(message)
                self.observer.ready(message)
                self._ready = message
            self._loading.discard(worker)
            self._false_starts.pop(worker, None)
            self._idle.add(worker)
        elif isinstance(message, Report):
            self.pool.answer(worker, self._take_in(worker, message))
        elif isinstance(message, Done):
            self._busy.pop(worker, None)
            self._idle.add(worker)
        else:
            self._bury(worker, message)

    def _take_in(self, worker: int, report: Report) -> list[int]:
        """Judge and record a report; gives the trials that the worker goes on with."""
        evaluated: list[tuple[int, Evaluation]] = []
        judged: list[Judged] = []
        going: list[int] = []
        for trial, reported in report.outcomes.items():
            known, outcome = self._curves[trial], _checked(reported)
            if isinstance(outcome, Evaluation) and outcome.step <= known.step:
                going += self._compare(trial, outcome)
                continue
            if isinstance(outcome, Evaluation):
                self._curves[trial] = known.extended(outcome)
                self._deaths.pop(trial, None)  # it gets on, so it is not what kills
                verdict = self.policy.judge(self._curves[trial])
                evaluated.append((trial, outcome))
            else:
                verdict = Verdict(Decision.FAIL, outcome.reason)
            self._decided[trial] = verdict.decision
            judged.append(Judged(trial, outcome.step, verdict))
            if verdict.decision is Decision.CONTINUE:
                going.append(trial)
        if self._stopping:
            self._waiting = sorted({*self._waiting, *going})
            going = []
        self._busy[worker] = tuple(s for s in self._busy[worker] if s.trial in going)
        self._record(evaluated, judged, report.files)
        for one in judged:
            self.observer.evaluated(self._curves[one.trial], one.verdict)
        return going

    def _compare(self, trial: int, again: Evaluation) -> list[int]:
        """Check a recomputed evaluation against the recorded one; the trial catches up."""
        recorded = next(e for e in self._curves[trial].evaluations if e.step == again.step)
        if (again.score, again.loss) != (recorded.score, recorded.loss):
            text = f"trial {trial} did not repeat its recorded scores at step {again.step}"
            self.observer.note(text)
            self.database.add_event("not repeated", trial=trial, step=again.step)
        return [trial] if self._goes_on(trial) else []

    def _bury(self, worker: int, message: Broken) -> None:
        """A worker died: its trials go back into the queue, or fail if it was too often."""
        if message.fatal:
            raise StorageError(message.message)
        if worker in self._loading:
            self._false_starts[worker] += 1 if message.died else MOST_DEATHS
            if self._false_starts[worker] >= MOST_DEATHS:
                raise StudyError(f"a worker could not start: {message.message.strip()}")
        starts = self._busy.pop(worker, ())
        self._idle.discard(worker)
        self._loading.add(worker)
        self.observer.note(message.message.strip().split("\n")[-1])
        self.database.add_event("worker died", worker=worker, message=message.message)
        judged = []
        for start in starts:
            trial = start.trial
            self._deaths[trial] += 1
            if self._deaths[trial] < MOST_DEATHS:
                self._waiting.append(trial)
                continue
            reason = f"its worker died {MOST_DEATHS} times: {message.message}"
            judged.append(Judged(trial, self._curves[trial].step, Verdict(Decision.FAIL, reason)))
            self._decided[trial] = Decision.FAIL
        self._waiting.sort()
        self._record(judged=judged)
        for one in judged:
            self.observer.judged(one.trial, one.verdict)

    def _record(
        self,
        evaluated: Collection[tuple[int, Evaluation]] = (),
        judged: Collection[Judged] = (),
        files: Collection[FileFact] = (),
    ) -> None:
        """Commit facts and what they make superfluous, then delete the files."""
        numbered = [replace(f, id=self._next_id + k) for k, f in enumerate(files)]
        self._next_id += len(numbered)
        self._files |= {file.id: file for file in numbered}
        removed = self._superfluous()
        lost = {file.id for file, _ in removed}
        resting = [f for f in numbered if f.id not in lost and not self._goes_on(f.trial)]
        if resting:
            self.folder.sync(resting)
        self.database.record(
            evaluated=list(evaluated), judged=list(judged), files=numbered, removed=removed
        )
        for file, _ in removed:
            del self._files[file.id]
            if not any(f.file == file.file for f in self._files.values()):
                self.folder.delete(file)

    def _superfluous(self) -> list[tuple[FileFact, str]]:
        if not self._files:
            return []
        running = {start.trial for starts in self._busy.values() for start in starts}
        resting = [
            t
            for t in self._curves
            if t not in running and not self._decided.get(t, Decision.CONTINUE).final
        ]
        failed = {t for t, d in self._decided.items() if d is Decision.FAIL}  # never the best
        sound = {t: curve for t, curve in self._curves.items() if t not in failed}
        return self.retention.superfluous(self._files.values(), sound, resting, running)


def _checked(outcome: Evaluation | Failure) -> Evaluation | Failure:
    """Give the outcome; scores that are no numbers are a failure of that trial."""
    if isinstance(outcome, Failure) or outcome.finite:
        return outcome
    return Failure(outcome.step, f"not finite: score {outcome.score}, loss {outcome.loss}")
