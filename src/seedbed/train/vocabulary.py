"""Which rows of the embedding tables a task can train, and its batches in their numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seedbed.core.errors import InputError
from seedbed.tasks.encode import Encoded
from seedbed.train.batches import Ids
from seedbed.train.families import Shape
from seedbed.train.packing import Ints, Rows


@dataclass(frozen=True)
class Vocabulary:
    """The token ids that occur in a task's splits, and how far its positions reach.

    ``words`` are the ids, ascending; ``numbers`` maps an id to its number among them;
    ``positions`` is how many rows of the position table are used.
    """

    shape: Shape
    words: Ints
    numbers: npt.NDArray[np.int32]
    positions: int

    @staticmethod
    def of(shape: Shape, *splits: Encoded) -> Vocabulary:
        """Collect what occurs in ``splits``.

        Raises InputError where the model has no row for it.
        """
        words = np.unique(np.concatenate([np.unique(split.tokens) for split in splits]))
        longest = max(int(split.lengths.max(initial=1)) for split in splits)
        positions = longest + first_position(shape)
        if len(words) == 0 or words[-1] >= shape.vocabulary:
            raise InputError(
                "the tokenizer does not belong to the model",
                where="[model]",
                given=f"a token number {words[-1]}" if len(words) else "no tokens",
                allowed=f"token numbers below {shape.vocabulary}",
            )
        if positions > shape.positions:
            raise InputError(
                "longer than the model can read",
                where="[recipe] max_length",
                given=longest,
                allowed=f"at most {shape.positions - first_position(shape)}",
            )
        numbers = np.zeros(shape.vocabulary, dtype=np.int32)
        numbers[words] = np.arange(len(words))
        return Vocabulary(shape, words.astype(np.int64), numbers, positions)

    @property
    def padding(self) -> dict[str, int]:
        """Trained rows that Transformers keeps from receiving a gradient, by table."""
        padding, rows = self.shape.padding, {}
        if padding is not None and padding in self.words:
            rows["word"] = int(self.numbers[padding])
        if padding is not None and self.shape.counts_positions and padding < self.positions:
            rows["position"] = padding
        return rows

    def rows(self, split: Encoded, ids: Ids, *, types: bool) -> Rows:
        """Give the rows ``ids`` [S, B] of ``split``; without ``types`` all types are 0."""
        begins, lengths = split.offsets[ids], split.offsets[ids + 1] - split.offsets[ids]
        size = (len(ids), int(lengths.sum(axis=1).max()) + 1)
        words, positions, kinds = (np.zeros(size, dtype=np.int64) for _ in range(3))
        for s, counts in enumerate(lengths):
            used = int(counts.sum())
            starts = np.repeat(np.cumsum(counts) - counts, counts)
            place = np.arange(used) - starts
            where = np.repeat(begins[s], counts) + place
            tokens = split.tokens[where]
            words[s, :used] = self.numbers[tokens]
            positions[s, :used] = self._positions(tokens, starts, place)
            if types:
                kinds[s, :used] = split.types[where]
        return Rows(words, positions, kinds, lengths)

    def _positions(self, tokens: npt.NDArray[np.int32], starts: Ints, place: Ints) -> Ints:
        """Number the tokens of each example, which begins at ``starts``."""
        if not self.shape.counts_positions:
            return place
        real = (tokens != self.shape.padding).astype(np.int64)
        count = np.cumsum(real)
        within = count - (count - real)[starts]
        numbered: Ints = within * real + (self.shape.padding or 0)
        return numbered


def first_position(shape: Shape) -> int:
    """Which row of the position table a sequence's first token reads."""
    return (shape.padding or 0) + 1 if shape.counts_positions else 0
