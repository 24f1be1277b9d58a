"""The one place where arguments are checked: each helper returns a clean array or raises.

Messages say what was given and what is allowed; the caller adds where it came from.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def floats(
    name: str,
    values: ArrayLike,
    *,
    ndim: int = 1,
    at_least: int = 1,
    finite: bool = True,
) -> Floats:
    """Give ``values`` as float64 with ``ndim`` axes, each at least ``at_least`` long."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers: {error}") from None
    _shape(name, array, ndim, at_least)
    if finite and not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ValueError(f"{name} must be finite; the first that is not stands at {where}")
    return array


def whole(
    name: str, values: ArrayLike, *, ndim: int = 1, low: int, high: int | None = None
) -> Ints:
    """Give ``values`` as integers between ``low`` and ``high``, ends included."""
    array = np.asarray(values)
    _shape(name, array, ndim, 1)
    allowed = f"whole numbers from {low}" + ("" if high is None else f" to {high}")
    if array.dtype.kind not in "iuf" or (array != np.floor(array)).any():
        raise ValueError(f"{name} must be {allowed}")
    if array.min() < low or (high is not None and array.max() > high):
        raise ValueError(f"{name} must be {allowed}, not {array.min()} to {array.max()}")
    return array.astype(np.int64)


def labels(name: str, values: ArrayLike, *, length: int) -> NDArray[Any]:
    """Give ``values`` as an array of ``length`` labels (seeds, usually integers)."""
    array = np.asarray(values)
    _shape(name, array, 1, 1)
    same_length(length, **{name: array})
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} must not hold NaN or infinity")
    return array


def same_length(length: int, **arrays: NDArray[Any]) -> None:
    """Refuse arrays whose first axis is not ``length`` long."""
    for name, array in arrays.items():
        if len(array) != length:
            raise ValueError(f"{name} must have one entry for each of {length}, not {len(array)}")


def count(name: str, value: int, *, low: int, high: int | None = None) -> int:
    """Give ``value`` as one integer between ``low`` and ``high``, ends included."""
    return int(whole(name, value, ndim=0, low=low, high=high))


def share(name: str, value: float) -> float:
    """Give ``value`` as a number strictly between 0 and 1 (a confidence, a power, a level)."""
    number = float(floats(name, value, ndim=0))
    if not 0.0 < number < 1.0:
        raise ValueError(f"{name} must lie between 0 and 1, not {number}")
    return number


def _shape(name: str, array: NDArray[Any], ndim: int, at_least: int) -> None:
    if array.ndim != ndim:
        raise ValueError(f"{name} must be {ndim}-dimensional, not {array.ndim}-dimensional")
    if ndim and min(array.shape) < at_least:
        raise ValueError(f"{name} needs at least {at_least} along each axis, not {array.shape}")
