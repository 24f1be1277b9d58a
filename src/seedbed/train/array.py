"""The fast learner: an array of trials in our own encoder, on packed tokens.

    to the next evaluation:
      for every step
        for every group                 on the CPU a group is one trial: the same bits
          rows      <- order seed         in any company; on a GPU all trials are one
          batch     <- pack(rows)
          masks     <- dropout seed, step
          logits    <- forward(batch, masks)
          gradients <- backward
          weights   <- clip, AdamW
      logits of the validation split -> evaluation

Axes: S trial, B example of a batch, C class.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seedbed.core.curves import Evaluation
from seedbed.core.seeds import Seeds
from seedbed.core.work import Failure, Probe, Start
from seedbed.tasks.encode import Encoded
from seedbed.train import encoder
from seedbed.train.batches import batch_ids, length_sorted_batches
from seedbed.train.dropout import Masks
from seedbed.train.evaluate import EVALUATION_ROWS, evaluation
from seedbed.train.families import shape_of, supported
from seedbed.train.group import Group, update
from seedbed.train.huggingface import HuggingFaceLearner, stored_tensors
from seedbed.train.job import Job
from seedbed.train.optimizer import learning_rate
from seedbed.train.packing import Batch, pack
from seedbed.train.pretrained import new_layers
from seedbed.train.probe import probe
from seedbed.train.states import read_tensors, write_tensors
from seedbed.train.vocabulary import Vocabulary
from seedbed.train.weights import Layout, decay_factor, unknown_tensors
from seedbed.train.width import measured_width

EVALUATION_TOKENS = {"cpu": 1024, "cuda": 65536}
"""Largest evaluation batch in padded tokens: small in memory, or enough to fill a GPU."""


class EncoderLearner:
    """Trains sequence classifiers of the BERT family; see ``families.supported``."""

    saves = True

    def __init__(self, job: Job, width: int | None = None) -> None:
        """Load the pretrained model once.

        ``width`` is how many trials an array may hold; on a GPU it is measured if not given.
        """
        self.job = job
        self.reference = HuggingFaceLearner(job)
        self.evaluation_steps = job.schedule.evaluation_steps
        model = self.reference.pretrained.model
        refused = supported(model.config)
        if refused is not None:
            raise ValueError(f"the encoder cannot train this model: {refused}")
        self.shape = shape_of(model.config)
        self.base = {name: t.detach() for name, t in stored_tensors(model).items()}
        unknown = unknown_tensors(self.shape, self.base)
        if unknown:
            raise ValueError(f"the encoder does not know these weights: {', '.join(unknown)}")
        self.vocabulary = Vocabulary.of(self.shape, job.train, job.validation)
        words, positions = self.vocabulary.words, self.vocabulary.positions
        self.layout = Layout.of(self.shape, self.base, words, positions)
        self.device = torch.device(job.device)
        self.gaps = self.layout.gaps.to(self.device)
        self.dtype = torch.bfloat16 if job.precision == "bfloat16" else torch.float32
        self.width = measured_width(self) if width is None else width

    @property
    def new_layer_names(self) -> tuple[str, ...]:
        """The weights that the checkpoint lacked and that the init seed draws."""
        return self.reference.new_layer_names

    def array(self, starts: Sequence[Start]) -> EncoderArray:
        """Take up trials that all stand at the same step."""
        return EncoderArray(self, starts)

    def probe(self) -> Probe:
        """Train and evaluate a little on a trial that is thrown away."""
        return probe(self.job, self.array([Start(0, Seeds(0, 0, 0))]))

    def peak(self, starts: list[Start]) -> int:
        """Train a step with ``starts`` on the GPU and give the most bytes that were in use."""
        torch.cuda.reset_peak_memory_stats(self.device)
        self.array(starts).train_step()
        return torch.cuda.max_memory_allocated(self.device)

    def export(self, weights: Path, folder: Path) -> None:
        """Write saved weights as a folder that ``from_pretrained`` opens, with tokenizer."""
        self.reference.export(weights, folder)

    def group(self, starts: Sequence[Start]) -> Group:
        """Give the trials' weights and moments, from their seeds or from what was saved."""
        flat_SN = self.layout.flat([self._weights(start) for start in starts])
        group = Group.fresh(self.layout, starts, flat_SN.to(self.device))
        for place, start in enumerate(starts):
            if start.saved is not None:
                group.read_moments(place, start.saved.optimizer)
        return group

    def _weights(self, start: Start) -> Mapping[str, Tensor]:
        if start.saved is not None:
            return read_tensors(start.saved.weights, self.base)
        pretrained = self.reference.pretrained
        return {**self.base, **new_layers(pretrained.model, pretrained.missing, start.seeds.init)}


class EncoderArray:
    """Trials in lockstep."""

    def __init__(self, learner: EncoderLearner, starts: Sequence[Start]) -> None:
        """Start from the seeds, or from the saved states."""
        self.learner, self.job = learner, learner.job
        self.step = starts[0].step
        self.seconds = {start.trial: start.seconds for start in starts}
        together = [starts] if learner.device.type == "cuda" else [[start] for start in starts]
        self.groups = [learner.group(members) for members in together]
        self.gradients = torch.zeros_like(self.groups[0].flat)

    def advance(self, to: int) -> Mapping[int, Evaluation | Failure]:
        """Train every trial to step ``to`` and evaluate it there."""
        began = time.perf_counter()
        while self.step < to:
            self.train_step()
            self.step += 1
        logits = self.logits(self.job.validation)
        share = (time.perf_counter() - began) / len(logits)
        results: dict[int, Evaluation | Failure] = {}
        for start, failed in self._members():
            self.seconds[start.trial] += share
            results[start.trial] = self._result(start.trial, failed, logits[start.trial])
        return results

    def _result(
        self, trial: int, failed: int, logits: npt.NDArray[np.float32]
    ) -> Evaluation | Failure:
        if failed:
            return Failure(failed, "the training loss is not a number")
        result = evaluation(self.job, logits, step=self.step, seconds=self.seconds[trial])
        if not result.finite:
            return Failure(self.step, "the validation loss is not a number")
        return result

    def train_step(self) -> None:
        """Take one optimizer step with every trial; a group too large for memory is halved."""
        waiting, done = self.groups, []
        while waiting:
            group, *waiting = waiting
            try:
                self._train_step(group)
                done.append(group)
            except torch.cuda.OutOfMemoryError:
                if len(group.starts) == 1:
                    raise
                self.learner.width = max(1, len(group.starts) // 2)
                waiting = [*group.halves(), *waiting]
        self.groups = done

    def _train_step(self, group: Group) -> None:
        """Forward, backward, clip, AdamW: each trial on the batch that its order seed names.

        Weights change only after everything that allocates memory has succeeded.
        """
        learner, recipe = self.learner, self.job.recipe
        seeds = [start.seeds for start in group.starts]
        ids = np.stack([batch_ids(seed.order, self.job.schedule, self.step) for seed in seeds])
        batch = self._batch(self.job.train, ids)
        labels = np.asarray(self.job.train.labels)[ids]
        labels_SB = torch.from_numpy(labels).to(learner.device)
        masks = Masks.of(
            [seed.dropout for seed in seeds],
            self.step,
            encoder.places(learner.shape),
            learner.device,
            learner.dtype,
        )
        w = learner.layout.views(group.flat.to(learner.dtype))
        logits_SBC, tape = encoder.forward(learner.shape, w, batch, masks)
        losses_S, dlogits_SBC = cross_entropy(logits_SBC, labels_SB)
        gradients_SN = self.gradients[: len(group.starts)]
        g = learner.layout.views(gradients_SN)
        encoder.backward(tape, dlogits_SBC, g)
        for table, row in learner.vocabulary.padding.items():
            g[table][:, row] = 0.0
        gradients_SN.index_fill_(1, learner.gaps, 0.0)  # a trial before may have left NaN there
        newly = ~torch.isfinite(losses_S) & (group.failed == 0)
        group.failed.masked_fill_(newly, self.step + 1)
        rate = learning_rate(recipe, self.job.schedule.steps, self.step)
        update(group, gradients_SN, recipe, [rate] * len(seeds), self.step)

    @torch.no_grad()
    def logits(self, split: Encoded) -> dict[int, npt.NDArray[np.float32]]:
        """Give each trial's logits [examples, classes] on ``split``, by trial number."""
        learner = self.learner
        most = EVALUATION_TOKENS[learner.device.type]
        results: dict[int, npt.NDArray[np.float32]] = {}
        for group in self.groups:
            trials = len(group.starts)
            w = learner.layout.views(group.flat.to(learner.dtype))
            result = np.empty((trials, len(split), len(self.job.label_names)), np.float32)
            for ids in length_sorted_batches(split.lengths, EVALUATION_ROWS, most // trials):
                batch = self._batch(split, np.repeat(ids[None], trials, axis=0))
                result[:, ids] = encoder.logits_of(learner.shape, w, batch).cpu().numpy()
            results |= {start.trial: result[s] for s, start in enumerate(group.starts)}
        return results

    def save(self, trial: int, weights: Path, optimizer: Path) -> None:
        """Write the trial's weights, by their hub names, and its moments."""
        group, place = self._find(trial)
        write_tensors(weights, self._hub(group, place))
        group.write_moments(place, optimizer)

    def state_bytes(self) -> tuple[int, int]:
        """Say how many bytes a trial's weights and moments take on disk."""
        moments = self.groups[0].moments(0)
        return (
            sum(t.numel() * t.element_size() for t in self.learner.base.values()),
            sum(t.numel() * t.element_size() for t in moments.values()),
        )

    def keep(self, trials: Collection[int]) -> None:
        """Drop every trial that is not in ``trials``."""
        groups = []
        for group in self.groups:
            places = [i for i, start in enumerate(group.starts) if start.trial in trials]
            if places:
                groups.append(group.select(places))
        self.groups = groups

    def _hub(self, group: Group, place: int) -> dict[str, Tensor]:
        schedule = self.job.schedule
        decay = decay_factor(self.job.recipe, schedule.steps, self.step)
        return self.learner.layout.hub(group.flat[place], self.learner.base, decay)

    def _members(self) -> list[tuple[Start, int]]:
        return [
            (start, failed)
            for group in self.groups
            for start, failed in zip(group.starts, group.failed.tolist(), strict=True)
        ]

    def _find(self, trial: int) -> tuple[Group, int]:
        for group in self.groups:
            for place, start in enumerate(group.starts):
                if start.trial == trial:
                    return group, place
        raise KeyError(trial)

    def _batch(self, split: Encoded, ids: npt.NDArray[np.int64]) -> Batch:
        """Pack the rows ``ids`` [S, B] of ``split``."""
        types = self.job.uses_token_types
        rows = self.learner.vocabulary.rows(split, ids, types=types)
        return pack(rows, self.learner.shape, self.learner.device)


def cross_entropy(logits_SBC: Tensor, labels_SB: Tensor) -> tuple[Tensor, Tensor]:
    """Give each trial's mean cross-entropy [S] in nats, and its gradient [S, B, C]."""
    log_p = torch.log_softmax(logits_SBC, dim=-1)
    chosen = labels_SB[:, :, None]
    losses_S = -log_p.gather(2, chosen)[..., 0].mean(dim=1)
    examples = labels_SB.shape[1]
    gradient = log_p.exp_() / examples
    gradient.scatter_add_(2, chosen, torch.full_like(gradient[..., :1], -1.0 / examples))
    return losses_S, gradient
