"""Scores laid out by their two seeds, and whether the grid is full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.stats._checks import Floats, Ints, floats, labels


@dataclass(frozen=True, eq=False)
class Layout:
    """Trials in a two-way layout: N ``scores`` with the place of each trial's two seeds.

    ``init`` and ``order`` (N integers each) index into ``inits`` and ``orders``, the sorted
    seeds themselves.
    """

    scores: Floats
    init: Ints
    order: Ints
    inits: NDArray[Any]
    orders: NDArray[Any]

    @property
    def trials(self) -> int:
        """How many trials there are."""
        return len(self.scores)

    @property
    def counts(self) -> Ints:
        """How many trials each cell (init seed, order seed) holds."""
        counts_IO = np.zeros((len(self.inits), len(self.orders)), dtype=np.int64)
        np.add.at(counts_IO, (self.init, self.order), 1)
        return counts_IO

    @property
    def balanced(self) -> bool:
        """Whether every init seed met every order seed in exactly one trial."""
        return bool((self.counts == 1).all())

    @property
    def crossed(self) -> bool:
        """Whether both factors repeat, so that their effects can be told apart at all.

        True where the additive model init + order leaves degrees of freedom over and no
        seed of one factor is tied to a separate part of the other.
        """
        return min(self.counts.shape) > 1 and self.df_error > 0 and self.parts == 1

    @property
    def parts(self) -> int:
        """In how many separate parts the layout falls (1: every effect can be compared)."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        nodes = len(self.inits) + len(self.orders)
        edges = (np.ones(self.trials), (self.init, len(self.inits) + self.order))
        graph = coo_array(edges, shape=(nodes, nodes))
        return int(connected_components(graph, directed=False)[0])

    @property
    def df_error(self) -> int:
        """Degrees of freedom that init + order leave to the rest."""
        return self.trials - (len(self.inits) + len(self.orders) - self.parts)

    def grid(self) -> Floats:
        """Give the scores as an array [init, order]; only for a balanced layout."""
        if not self.balanced:
            raise ValueError("only a full grid with one trial in each cell is an array")
        scores_IO = np.empty((len(self.inits), len(self.orders)))
        scores_IO[self.init, self.order] = self.scores
        return scores_IO

    def swapped(self) -> Layout:
        """Give the same trials with the two factors exchanged."""
        return Layout(self.scores, self.order, self.init, self.orders, self.inits)


def two_way(scores: ArrayLike, init: ArrayLike, order: ArrayLike) -> Layout:
    """Lay out N finite ``scores`` by their ``init`` and ``order`` seeds (N labels each).

    A trial that was stopped is simply not in the arrays: missing, not bad.

    Raises:
        ValueError: for wrong arguments.
    """
    scores_N = floats("scores", scores)
    inits, init_N = np.unique(labels("init", init, length=len(scores_N)), return_inverse=True)
    orders, order_N = np.unique(labels("order", order, length=len(scores_N)), return_inverse=True)
    return Layout(scores_N, init_N.astype(np.int64), order_N.astype(np.int64), inits, orders)


def crossed_layout(scores: ArrayLike, init: ArrayLike, order: ArrayLike, *, need: str) -> Layout:
    """Give ``two_way(...)``, refusing a layout whose two factors cannot be told apart.

    ``need`` says in the message what it was wanted for.
    """
    layout = two_way(scores, init, order)
    if not layout.crossed:
        inits, orders = layout.counts.shape
        raise ValueError(
            f"{need} needs init and order seeds that cross: at least two of each, several"
            f" trials to a seed; given are {layout.trials} trials over {inits} init and"
            f" {orders} order seeds"
        )
    return layout
