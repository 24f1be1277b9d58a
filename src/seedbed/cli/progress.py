"""One calm view of all trials: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from seedbed.api.study import Study
from seedbed.api.train import Estimate, Observer, Ready
from seedbed.core.curves import Curve, Evaluation
from seedbed.core.errors import printable
from seedbed.core.units import duration, size
from seedbed.core.work import Decision, Verdict

WORDS = {
    Decision.CONTINUE: "going on",
    Decision.PAUSE: "paused",
    Decision.STOP: "stopped",
    Decision.FINISH: "finished",
    Decision.FAIL: "failed",
}
QUIET_SECONDS = 30.0
"""Off a terminal, a line comes at least so often while evaluations come in."""

BARS = " ▁▂▃▄▅▆▇█"


class Progress(Observer):
    """Shows started, going on, paused, stopped, failed, best so far and time left."""

    def __init__(self, study: Study, console: Console) -> None:
        """Begin from where ``study`` stands."""
        self.console, self.metric = console, study.metric
        self.curves = dict(study.curves)
        self.decisions = {t: v.decision for t, v in study.verdicts.items()}
        self.best: tuple[int, Evaluation] | None = None
        if study.winner is not None:
            self.best = (study.winner.curve.trial, study.winner.evaluation)
        self.total = 0.0
        self.began = self.last_line = time.monotonic()
        self.done_before = study.spent
        self.live = Live(console=console, refresh_per_second=2) if console.is_terminal else None

    def __enter__(self) -> Progress:
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self._refresh()
            self.live.stop()

    def expect(self, estimate: Estimate) -> None:
        """Say what the study will take."""
        self.total = estimate.trials
        self.began = time.monotonic()
        self._say(
            f"about {duration(estimate.seconds)} on {estimate.workers} worker(s), "
            f"at most {size(estimate.disk_bytes)} of disk; learner: {estimate.learner}"
        )

    def ready(self, ready: Ready) -> None:
        """Say what the init seed draws."""
        if ready.new_layers:
            self._say(f"drawn by the init seed: {', '.join(ready.new_layers)}")
        else:
            self._say("the checkpoint has every layer, so the init seed changes nothing")

    def evaluated(self, curve: Curve, verdict: Verdict) -> None:
        """Take in an evaluation."""
        self.curves[curve.trial] = curve
        self.decisions[curve.trial] = verdict.decision
        last = curve.last
        sound = last is not None and verdict.decision is not Decision.FAIL
        if last and sound and (self.best is None or last.better_than(self.best[1])):
            self.best = (curve.trial, last)
        if self.live:
            self._refresh()
        elif verdict.decision is not Decision.CONTINUE:
            score = f"{self.metric} {last.score:.4f}, " if last else ""
            self._say(
                f"trial {curve.trial} ({curve.seeds}) {WORDS[verdict.decision]} at "
                f"{curve.progress:.0%}: {score}{verdict.reason}  [{self._summary()}]"
            )
        elif time.monotonic() - self.last_line > QUIET_SECONDS:
            self._say(f"{self._spent():.2f} of {self.total:.2f} full trials: {self._summary()}")

    def judged(self, trial: int, verdict: Verdict) -> None:
        """Take in a verdict of the policy."""
        self.decisions[trial] = verdict.decision
        if self.live:
            self._refresh()
        else:
            self._say(f"trial {trial} {WORDS[verdict.decision]}: {verdict.reason}")

    def note(self, text: str) -> None:
        """Show a line."""
        self._say(text)

    def _say(self, text: str) -> None:
        self.last_line = time.monotonic()
        self.console.print(Text(printable(text)), soft_wrap=True, highlight=False)

    def _spent(self) -> float:
        return sum(curve.progress for curve in self.curves.values())

    def _left(self) -> str:
        done = self._spent() - self.done_before
        if done <= 0 or self.total <= 0:
            return "–"
        rate = (time.monotonic() - self.began) / done
        return duration(max(0.0, self.total - self._spent()) * rate)

    def _summary(self) -> str:
        counts = Counter(self.decisions.values())
        parts = [f"{counts[d]} {word}" for d, word in WORDS.items() if counts[d]]
        best = f"best {self.best[1].score:.4f} (trial {self.best[0]})" if self.best else ""
        return ", ".join([*parts, best, f"{self._left()} left"])

    def _refresh(self) -> None:
        if self.live:
            self.live.update(self._view())

    def _view(self) -> Table:
        """Draw the newest trials, one a line, above the summary."""
        table = Table(box=None, pad_edge=False, title=None, show_header=True)
        for heading in ("trial", "seeds", "state", "trained", self.metric, "curve"):
            table.add_column(heading, justify="left", no_wrap=True)
        started = [c for c in self.curves.values() if c.evaluations]
        rows = max(3, self.console.height - 6)
        shown = sorted(started, key=self._attention)[:rows]
        for curve in sorted(shown, key=lambda c: c.trial):
            decision = self.decisions.get(curve.trial, Decision.CONTINUE)
            best = curve.best()
            star = "★" if self.best and self.best[0] == curve.trial else ""
            table.add_row(
                str(curve.trial),
                str(curve.seeds),
                WORDS[decision],
                f"{curve.progress:4.0%}",
                f"{best.score:.4f}{star}" if best else "",
                sparkline(curve),
            )
        table.add_section()
        table.caption = f"{self._summary()}" + (
            f" · {len(started) - len(shown)} more trials" if len(started) > len(shown) else ""
        )
        table.caption_justify = "left"
        return table

    def _attention(self, curve: Curve) -> tuple[bool, float]:
        best = curve.best()
        going = self.decisions.get(curve.trial) is Decision.CONTINUE
        return (not going, -(best.score if best else 0.0))


def sparkline(curve: Curve, width: int = 30) -> str:
    """Draw the latest scores of a curve, each between the curve's own extremes."""
    scores = [e.score for e in curve.evaluations][-width:]
    low, high = min(scores), max(scores)
    span = (high - low) or 1.0
    return "".join(BARS[1 + round((s - low) / span * (len(BARS) - 2))] for s in scores)
