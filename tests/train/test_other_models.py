"""Any model that Transformers classifies with: trained by the reference learner."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from seedbed.core.curves import Evaluation
from seedbed.core.errors import InputError
from seedbed.core.seeds import Seeds
from seedbed.core.work import Saved, Start
from seedbed.train.choose import build, choose
from seedbed.train.job import Job
from seedbed.train.pretrained import quiet_transformers, untouched_generators
from train.small import VOCABULARY, small_job

SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 24,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "intermediate_size": 40,
    "max_position_embeddings": 40,
}
FOREIGN = {
    "albert": ("AlbertConfig", "AlbertModel", {"embedding_size": 16}),
    "deberta-v2": ("DebertaV2Config", "DebertaV2Model", {}),
}


@pytest.fixture(params=sorted(FOREIGN))
def job(request: pytest.FixtureRequest, tmp_path: Path) -> Job:
    """A small random model of a family that the encoder does not know, without its head."""
    import transformers

    config_name, model_name, more = FOREIGN[request.param]
    job = small_job(tmp_path, num_train_epochs=0.5)
    for path in tmp_path.iterdir():
        path.unlink()
    with untouched_generators(), quiet_transformers():
        torch.manual_seed(0)
        config = getattr(transformers, config_name)(**SIZES, **more)
        getattr(transformers, model_name)(config).save_pretrained(tmp_path)
    return replace(job, pad_token_id=0, uses_token_types=False)


def test_it_is_chosen_with_the_reason_trained_and_continued(job: Job, tmp_path: Path) -> None:
    name, why = choose(job.source, job.label_names, "auto")
    assert name == "huggingface"
    assert why.startswith("the encoder cannot")
    with pytest.raises(InputError, match="the encoder cannot train this model"):
        choose(job.source, job.label_names, "encoder")

    learner = build(job, name)
    assert any("classifier" in layer for layer in learner.new_layer_names)
    steps, seeds = job.schedule.evaluation_steps, Seeds(1, 2, 3)
    straight: Any = learner.array([Start(0, seeds)])
    outcomes = [straight.advance(step)[0] for step in steps]
    assert all(isinstance(outcome, Evaluation) for outcome in outcomes)
    straight.save(0, tmp_path / "w1", tmp_path / "o1")

    first: Any = learner.array([Start(0, seeds)])
    first.advance(steps[0])
    first.save(0, tmp_path / "w0", tmp_path / "o0")
    saved = Saved(tmp_path / "w0", tmp_path / "o0")
    rest: Any = learner.array([Start(0, seeds, steps[0], 0.0, saved)])
    for step in steps[1:]:
        rest.advance(step)
    rest.save(0, tmp_path / "w2", tmp_path / "o2")
    for kind in ("w", "o"):
        a, b = load_file(tmp_path / f"{kind}1"), load_file(tmp_path / f"{kind}2")
        assert all(torch.equal(a[key], b[key]) for key in a)
