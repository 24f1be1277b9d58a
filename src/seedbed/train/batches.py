"""Which examples form a batch, and in what order: a function of the order seed alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from seedbed.core.schedule import Schedule
from seedbed.core.streams import ORDER, derive

Ids = npt.NDArray[np.int64]


@lru_cache(maxsize=64)
def permutation(order_seed: int, epoch: int, examples: int) -> Ids:
    """Shuffle 0..examples-1 for one epoch; one stream for each (order seed, epoch).

    Sorts random 64-bit keys instead of calling ``Generator.permutation``, whose stream
    numpy may change from one version to the next.
    """
    bits = np.random.Philox(key=derive(order_seed, ORDER, epoch))
    ids = np.argsort(np.asarray(bits.random_raw(examples)), kind="stable").astype(np.int64)
    ids.setflags(write=False)
    return ids


def batch_ids(order_seed: int, schedule: Schedule, step: int) -> Ids:
    """Give the rows of the batch that the ``step``-th optimizer step (from 0) trains on."""
    epoch, batch = schedule.place(step)
    ids = permutation(order_seed, epoch, schedule.examples)
    return ids[batch * schedule.batch_size : (batch + 1) * schedule.batch_size]


def length_sorted_batches(lengths: Ids, max_rows: int, max_tokens: int) -> list[Ids]:
    """Cut rows, sorted by length, into batches of at most ``max_rows`` and ``max_tokens``.

    ``lengths`` [N] counts tokens; a batch is charged for its rows padded to its longest.
    For evaluation, where the order of rows does not matter.
    """
    order = np.argsort(lengths, kind="stable").astype(np.int64)
    batches, begin = [], 0
    for end in range(1, len(order) + 1):
        longest_next = lengths[order[end]] if end < len(order) else 0
        rows_next = end + 1 - begin
        if end == len(order) or rows_next > max_rows or rows_next * longest_next > max_tokens:
            batches.append(order[begin:end])
            begin = end
    return batches
