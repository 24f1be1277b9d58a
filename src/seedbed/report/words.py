"""Numbers as a person reads them, and lists as a person says them."""

from __future__ import annotations

import math
from collections.abc import Sequence

MINUS = "−"
DASH = "–"


def score(value: float | None, digits: int = 3) -> str:
    """Show a score or a difference of scores; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        return text.lstrip("-")
    return text.replace("-", MINUS)


def digits_for(values: Sequence[float]) -> int:
    """Choose how many decimals tell scores like these apart: 3 on 0..1, 1 on percent."""
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    return 3 if largest <= 1.5 else 2 if largest < 10 else 1


def percent(share: float | None) -> str:
    """Show a share: 20 %, 2.5 %, under 1 %."""
    if share is None or not math.isfinite(share):
        return DASH
    value = 100 * share
    if 0 < value < 0.1:
        return "under 0.1 %"
    text = f"{value:.0f}" if value >= 10 or abs(value - round(value)) < 0.05 else f"{value:.1f}"
    return f"{text} %"


def number(value: float | None) -> str:
    """Show a quantity such as a budget: 12, 12.4, 2,100."""
    if value is None or not math.isfinite(value):
        return DASH
    if abs(value - round(value)) < 0.05:
        return f"{round(value):,}"
    return f"{value:,.1f}"


def p_value(p: float | None) -> str:
    """Show a p-value: p = 0.03, p < 0.001."""
    if p is None or not math.isfinite(p):
        return f"p = {DASH}"
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.2f}" if p >= 0.095 else f"p = {p:.3f}" if p < 0.01 else f"p = {p:.2f}"


def count(number_of: int, one: str, many: str | None = None) -> str:
    """Say how many: 1 trial, 25 trials, 2,100 trials."""
    return f"{number_of:,} {one if number_of == 1 else many or one + 's'}"


def between(lower: float | None, upper: float | None, digits: int = 3) -> str:
    """Show an interval; an end that is not known is open."""
    ends = (lower, upper)
    known = [v is not None and math.isfinite(v) for v in ends]
    if all(known):
        return f"{score(lower, digits)} to {score(upper, digits)}"
    if known[0]:
        return f"{score(lower, digits)} or more"
    return f"{score(upper, digits)} or less" if known[1] else DASH


def sentence(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    text = text.strip()
    ended = text if text.endswith((".", "!", "?")) else text + "."
    return ended[:1].upper() + ended[1:]
