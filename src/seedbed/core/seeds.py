"""A trial is its seeds; a design says which combinations a study may train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seedbed.core.errors import InputError
from seedbed.core.streams import DROPOUT, derive

SEED_LIMIT = 2**63
"""Seeds are integers in [0, SEED_LIMIT)."""

DropoutRule = Literal["derived"] | int


@dataclass(frozen=True, slots=True, order=True)
class Seeds:
    """What names a trial: the seeds of its three streams, integers in [0, 2**63)."""

    init: int
    order: int
    dropout: int

    def __str__(self) -> str:
        return f"init {self.init}, order {self.order}"


def derived_dropout(init: int, order: int) -> int:
    """Give the default dropout seed: a function of (init, order).

    Every cell of a grid then has dropout of its own, so dropout counts in the rest term
    of the variance and not for one of the two factors.
    """
    return derive(init, DROPOUT, order) >> 1


def crossed(init: Sequence[int], order: Sequence[int], dropout: DropoutRule) -> tuple[Seeds, ...]:
    """Combine every init seed with every order seed, so that any first part is balanced.

    The trials come diagonal by diagonal: (1,1), (2,2), ..., (1,2), (2,3), ... A study
    that starts only some of them then still uses all seeds about equally often. A
    diagonal runs along the longer of the two lists.
    """
    rows, columns = len(init), len(order)
    cells = [(i, j) for i in range(rows) for j in range(columns)]
    if columns > rows:
        cells.sort(key=lambda cell: ((cell[0] - cell[1]) % rows, cell[1]))
    else:
        cells.sort(key=lambda cell: ((cell[1] - cell[0]) % columns, cell[0]))
    return tuple(_seeds(init[i], order[j], dropout) for i, j in cells)


def paired(init: Sequence[int], order: Sequence[int], dropout: DropoutRule) -> tuple[Seeds, ...]:
    """Combine the k-th init seed with the k-th order seed; both lists are equally long."""
    if len(init) != len(order):
        raise InputError(
            "a paired design needs as many init seeds as order seeds",
            where="[seeds]",
            given=f"{len(init)} init and {len(order)} order seeds",
            allowed='two lists of one length, or design = "crossed"',
        )
    return tuple(_seeds(i, j, dropout) for i, j in zip(init, order, strict=True))


def _seeds(init: int, order: int, dropout: DropoutRule) -> Seeds:
    return Seeds(init, order, derived_dropout(init, order) if dropout == "derived" else dropout)
