"""A greedy soup: the mean of several trials' weights, where that is better than the best.

Wortsman et al. (2022), Model soups, ICML. On encoders an unguarded soup often collapses, so
a member is kept only if it improves the score on a held part of the validation split.

Axes: M examples, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from seedbed.core.curves import Evaluation
from seedbed.tasks.metrics import scores
from seedbed.train.evaluate import evaluation
from seedbed.train.huggingface import HuggingFaceLearner, stored_tensors
from seedbed.train.job import Job
from seedbed.train.predict import predict
from seedbed.train.states import read_tensors, write_tensors

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Soup:
    """Which of the given files went in (places, the best first), and what that scores.

    ``held_alone`` and ``held`` are the scores of the best alone and of the soup on the held
    part; ``evaluation`` is the soup's on the whole validation split.
    """

    members: tuple[int, ...]
    held_alone: float
    held: float
    evaluation: Evaluation


def greedy_soup(job: Job, files: Sequence[Path], held_M: npt.NDArray[np.bool_], to: Path) -> Soup:
    """Average the weights in ``files`` (best first) as long as the score on ``held_M`` rises.

    ``held_M`` says which validation examples judge. Writes the soup's weights to ``to``,
    a file like the given ones. With one member the soup is the best alone.
    """
    learner = HuggingFaceLearner(job)
    expected = stored_tensors(learner.pretrained.model)
    labels_M = np.asarray(job.validation.labels)

    def logits_of(tensors: Tensors) -> npt.NDArray[np.float32]:
        return predict(learner.model(tensors), job, job.validation)

    def held_score(logits_MC: npt.NDArray[np.float32]) -> float:
        predicted_M = logits_MC.argmax(axis=1)
        found = scores(labels_M[held_M], predicted_M[held_M], len(job.label_names))
        return found[job.metric]

    soup = read_tensors(files[0], expected)
    members, logits_MC = [0], logits_of(soup)
    alone = best = held_score(logits_MC)
    for place, file in enumerate(files[1:], start=1):
        wider = mean_with(soup, read_tensors(file, expected), len(members))
        wider_logits_MC = logits_of(wider)
        score = held_score(wider_logits_MC)
        if np.isfinite(wider_logits_MC).all() and score > best:
            soup, logits_MC, best = wider, wider_logits_MC, score
            members.append(place)
    write_tensors(to, soup)
    whole = evaluation(job, logits_MC, step=job.schedule.steps, seconds=0.0)
    return Soup(tuple(members), alone, best, whole)


def mean_with(soup: Tensors, other: Tensors, members: int) -> Tensors:
    """Add one more to a mean of ``members``; what is no floating number stays as it is."""
    return {
        name: tensor + (other[name] - tensor) / (members + 1)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in soup.items()
    }
