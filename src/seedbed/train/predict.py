"""Logits of any Transformers classifier on an encoded split. Axes: M examples, C classes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seedbed.tasks.encode import Encoded
from seedbed.train.batches import Ids, length_sorted_batches
from seedbed.train.evaluate import EVALUATION_ROWS, EVALUATION_TOKENS
from seedbed.train.job import Job


@torch.no_grad()
def predict(model: Any, job: Job, split: Encoded) -> npt.NDArray[np.float32]:
    """Give float32 logits [M, C] without dropout; training mode is put back after."""
    training = model.training
    logits_MC = np.empty((len(split), len(job.label_names)), dtype=np.float32)
    model.eval()
    for ids in length_sorted_batches(split.lengths, EVALUATION_ROWS, EVALUATION_TOKENS):
        with autocast(job):
            logits = model(**padded(job, split, ids)).logits
        logits_MC[ids] = logits.float().cpu().numpy()
    model.train(training)
    return logits_MC


def autocast(job: Job) -> AbstractContextManager[Any]:
    """Compute in the job's precision."""
    if job.precision == "bfloat16":
        return torch.autocast(torch.device(job.device).type, torch.bfloat16)
    return nullcontext()


def padded(job: Job, split: Encoded, ids: Ids) -> Mapping[str, torch.Tensor]:
    """Pad the rows ``ids`` of ``split`` to their longest: tensors [rows, longest]."""
    offsets = np.asarray(split.offsets)
    begins, ends = offsets[ids], offsets[ids + 1]
    shape = (len(ids), int((ends - begins).max()))
    tokens = np.full(shape, job.pad_token_id, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    types = np.zeros(shape, dtype=np.int64)
    for row, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        tokens[row, : end - begin] = split.tokens[begin:end]
        types[row, : end - begin] = split.types[begin:end]
        mask[row, : end - begin] = 1
    arrays = {"input_ids": tokens, "attention_mask": mask}
    if job.uses_token_types:
        arrays["token_type_ids"] = types
    return {name: torch.from_numpy(array).to(job.device) for name, array in arrays.items()}
