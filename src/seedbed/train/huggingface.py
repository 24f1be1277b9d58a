"""The reference learner: any AutoModelForSequenceClassification, one trial at a time."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seedbed.core.curves import Evaluation
from seedbed.core.seeds import Seeds
from seedbed.core.streams import DROPOUT, derive
from seedbed.core.work import Failure, Probe, Start
from seedbed.tasks.encode import Encoded
from seedbed.train.batches import batch_ids
from seedbed.train.evaluate import evaluation
from seedbed.train.job import Job
from seedbed.train.optimizer import adamw_, decays, learning_rate
from seedbed.train.predict import autocast, padded, predict
from seedbed.train.pretrained import (
    load_config,
    load_pretrained,
    load_tokenizer,
    new_layers,
    quiet_transformers,
    untouched_generators,
)
from seedbed.train.probe import probe
from seedbed.train.states import read_tensors, write_tensors


class HuggingFaceLearner:
    """Trains what Transformers can load; the yardstick of the fast encoder."""

    name = "huggingface"
    width = 1
    saves = True

    def __init__(self, job: Job) -> None:
        """Load the pretrained model once; every trial starts from a copy."""
        self.job = job
        self.evaluation_steps = job.schedule.evaluation_steps
        config = load_config(job.source, job.label_names, job.recipe.dropout)
        self.pretrained = load_pretrained(job.source, config)

    @property
    def new_layer_names(self) -> tuple[str, ...]:
        """The weights that the checkpoint lacked and that the init seed draws."""
        return self.pretrained.missing

    def array(self, starts: Sequence[Start]) -> HuggingFaceTrial:
        """Take up one trial."""
        (start,) = starts
        return HuggingFaceTrial(self, start)

    def model(self, tensors: Mapping[str, torch.Tensor]) -> Any:
        """Copy the pretrained model and put ``tensors`` (by state-dict name) into it."""
        model = copy.deepcopy(self.pretrained.model)
        model.load_state_dict(tensors, strict=False)
        return model.to(self.job.device)

    def probe(self) -> Probe:
        """Train and evaluate a little on a trial that is thrown away."""
        return probe(self.job, self.array([Start(0, Seeds(0, 0, 0))]))

    def export(self, weights: Path, folder: Path) -> None:
        """Write saved weights as a folder that ``from_pretrained`` opens, with tokenizer."""
        stored = stored_tensors(self.pretrained.model)
        model = self.model(read_tensors(weights, stored)).to("cpu")
        with quiet_transformers():
            model.save_pretrained(folder)
            load_tokenizer(self.job.source).save_pretrained(folder)


class HuggingFaceTrial:
    """One trial being trained; an array of width 1."""

    def __init__(self, learner: HuggingFaceLearner, start: Start) -> None:
        """Start from the seeds, or from the saved state."""
        self.job, self.trial, self.seeds = learner.job, start.trial, start.seeds
        self.step, self.seconds = start.step, start.seconds
        self.device = torch.device(self.job.device)
        template = learner.pretrained.model
        if start.saved is None:
            fresh = new_layers(template, learner.pretrained.missing, start.seeds.init)
            self.model = learner.model(fresh)
        else:
            saved = read_tensors(start.saved.weights, stored_tensors(template))
            self.model = learner.model(saved)
        self.model.train()
        named = [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]
        self.names = [name for name, _ in named]
        self.parameters = [parameter for _, parameter in named]
        self.exp_avg = [torch.zeros_like(p) for p in self.parameters]
        self.exp_avg_sq = [torch.zeros_like(p) for p in self.parameters]
        if start.saved is not None:
            moments = self._moments()
            for name, value in read_tensors(start.saved.optimizer, moments).items():
                moments[name].copy_(value)

    def advance(self, to: int) -> Mapping[int, Evaluation | Failure]:
        """Train to step ``to`` and evaluate there."""
        began = time.perf_counter()
        while self.step < to:
            loss = self.train_step()
            if not math.isfinite(loss):
                return {self.trial: Failure(self.step + 1, f"the training loss is {loss}")}
            self.step += 1
        logits = self.logits(self.job.validation)
        self.seconds += time.perf_counter() - began
        result = evaluation(self.job, logits, step=self.step, seconds=self.seconds)
        if not result.finite:
            return {self.trial: Failure(self.step, "the validation loss is not a number")}
        return {self.trial: result}

    def train_step(self) -> float:
        """Forward, backward, clip, AdamW on the batch that the order seed names."""
        recipe, schedule = self.job.recipe, self.job.schedule
        ids = batch_ids(self.seeds.order, schedule, self.step)
        inputs = padded(self.job, self.job.train, ids)
        labels = torch.from_numpy(np.asarray(self.job.train.labels)[ids]).to(self.device)
        with untouched_generators(self.device):
            torch.manual_seed(dropout_key(self.seeds, self.step))
            with autocast(self.job):
                logits = self.model(**inputs).logits
            loss = torch.nn.functional.cross_entropy(logits.float(), labels)
            loss.backward()  # type: ignore[no-untyped-call]
        if recipe.max_grad_norm > 0:
            torch.nn.utils.clip_grad_norm_(self.parameters, recipe.max_grad_norm)
        rate = learning_rate(recipe, schedule.steps, self.step)
        self._update(rate)
        self.model.zero_grad(set_to_none=True)
        return float(loss.detach())

    def _update(self, rate: float) -> None:
        for decayed in (True, False):
            rows = [
                (p, p.grad, m, v)
                for p, m, v in zip(self.parameters, self.exp_avg, self.exp_avg_sq, strict=True)
                if p.grad is not None and decays(p) is decayed
            ]
            if rows:
                weight_decay = self.job.recipe.weight_decay if decayed else 0.0
                adamw_(
                    *zip(*rows, strict=True),
                    rate=rate,
                    weight_decay=weight_decay,
                    step=self.step,
                    recipe=self.job.recipe,
                )

    def logits(self, split: Encoded) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Give float32 logits [examples, classes]; training mode is put back after."""
        return predict(self.model, self.job, split)

    def save(self, trial: int, weights: Path, optimizer: Path) -> None:
        """Write weights and moments."""
        write_tensors(weights, stored_tensors(self.model))
        write_tensors(optimizer, self._moments())

    def keep(self, trials: Collection[int]) -> None:
        """Nothing to regroup: a dropped trial is not advanced again."""

    def state_bytes(self) -> tuple[int, int]:
        """Say how many bytes the weights, and the moments, take on disk."""
        moments = sum(t.numel() * t.element_size() for t in self._moments().values())
        stored = stored_tensors(self.model).values()
        return sum(t.numel() * t.element_size() for t in stored), moments

    def _moments(self) -> dict[str, torch.Tensor]:
        first = {f"exp_avg.{n}": t for n, t in zip(self.names, self.exp_avg, strict=True)}
        second = {f"exp_avg_sq.{n}": t for n, t in zip(self.names, self.exp_avg_sq, strict=True)}
        return {**first, **second}


def dropout_key(seeds: Seeds, step: int) -> int:
    """Give the key of the dropout stream of one optimizer step (from 0)."""
    return derive(seeds.dropout, DROPOUT, step)


def stored_tensors(model: Any) -> dict[str, torch.Tensor]:
    """Give the model's parameters and stored buffers by name, shared ones once."""
    seen: set[int] = set()
    tensors = {}
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            tensors[name] = tensor
    return tensors
