"""What the encoders of the BERT family have in common, and where they differ.

One `Shape` says everything that the forward pass needs to know of a model; one table of
names says where each of our tensors stands in a hub checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Activation = Literal["tanh", "relu", "gelu"]

FAMILIES = ("bert", "roberta", "distilbert", "electra")
"""Values of ``config.model_type`` that this encoder knows; MiniLM is a BERT."""


@dataclass(frozen=True, kw_only=True)
class Dropouts:
    """Dropout rates by place; the same places as in Transformers."""

    embedding: float
    attention: float
    attention_output: float
    feed_forward: float
    head_input: float
    head: float


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The architecture of a sequence classifier, read from its Transformers configuration.

    ``embedding`` differs from ``hidden`` only where ELECTRA projects its embeddings;
    ``types`` is 0 where the family has no token types. RoBERTa numbers positions from
    ``padding`` + 1, skipping padding tokens, where ``counts_positions`` is set.
    """

    family: str
    layers: int
    hidden: int
    heads: int
    intermediate: int
    embedding: int
    vocabulary: int
    positions: int
    types: int
    labels: int
    norm_eps: float
    padding: int | None
    counts_positions: bool
    head_activation: Activation
    dropouts: Dropouts

    @property
    def head_size(self) -> int:
        """Features of one attention head."""
        return self.hidden // self.heads

    @property
    def projected(self) -> bool:
        """Whether the embeddings are projected to the hidden size."""
        return self.embedding != self.hidden


def supported(config: Any) -> str | None:
    """Say why this encoder cannot run the model of ``config``; None if it can."""
    family = getattr(config, "model_type", None)
    if family not in FAMILIES:
        return f"its architecture is {family!r}, not one of {', '.join(FAMILIES)}"
    activation = config.activation if family == "distilbert" else config.hidden_act
    refused = {
        f"its activation is {activation!r}, not 'gelu'": activation != "gelu",
        "its positions are not absolute": (getattr(config, "position_embedding_type", None))
        not in {None, "absolute"},
        "its positions are fixed sinusoids": getattr(config, "sinusoidal_pos_embds", False),
        "it is a decoder": getattr(config, "is_decoder", False),
        "it has cross-attention": getattr(config, "add_cross_attention", False),
        "some of its heads are pruned": getattr(config, "pruned_heads", None),
        "it is quantized": getattr(config, "quantization_config", None) is not None,
        "its hidden size is no multiple of its heads": config.hidden_size
        % config.num_attention_heads,
        "it has fewer than two labels": config.num_labels < 2,
        "it is not a single-label classifier": config.problem_type
        not in {None, "single_label_classification"},
    }
    return next((reason for reason, holds in refused.items() if holds), None)


def shape_of(config: Any) -> Shape:
    """Read the shape of a classifier from its configuration; ``supported`` must hold."""
    common: dict[str, Any] = {
        "family": config.model_type,
        "layers": config.num_hidden_layers,
        "hidden": config.hidden_size,
        "heads": config.num_attention_heads,
        "vocabulary": config.vocab_size,
        "positions": config.max_position_embeddings,
        "labels": config.num_labels,
        "padding": config.pad_token_id,
    }
    if config.model_type == "distilbert":
        return _distilbert_shape(config, common)
    return _bert_shape(config, common)


def _distilbert_shape(config: Any, common: Mapping[str, Any]) -> Shape:
    return Shape(
        **common,
        intermediate=config.hidden_dim,
        embedding=config.dim,
        types=0,
        norm_eps=1e-12,
        counts_positions=False,
        head_activation="relu",
        dropouts=Dropouts(
            embedding=config.dropout,
            attention=config.attention_dropout,
            attention_output=0.0,
            feed_forward=config.dropout,
            head_input=0.0,
            head=config.seq_classif_dropout,
        ),
    )


def _bert_shape(config: Any, common: Mapping[str, Any]) -> Shape:
    hidden_dropout = config.hidden_dropout_prob
    head_dropout = (
        hidden_dropout if config.classifier_dropout is None else config.classifier_dropout
    )
    activations: dict[str, Activation] = {"bert": "tanh", "roberta": "tanh", "electra": "gelu"}
    return Shape(
        **common,
        intermediate=config.intermediate_size,
        embedding=getattr(config, "embedding_size", config.hidden_size),
        types=config.type_vocab_size,
        norm_eps=config.layer_norm_eps,
        counts_positions=config.model_type == "roberta",
        head_activation=activations[config.model_type],
        dropouts=Dropouts(
            embedding=hidden_dropout,
            attention=config.attention_probs_dropout_prob,
            attention_output=hidden_dropout,
            feed_forward=hidden_dropout,
            head_input=0.0 if config.model_type == "bert" else head_dropout,
            head=head_dropout,
        ),
    )


_BERT_LAYER = {
    "q": ("attention.self.query",),
    "kv": ("attention.self.key", "attention.self.value"),
    "mix": ("attention.output.dense",),
    "norm1": ("attention.output.LayerNorm",),
    "up": ("intermediate.dense",),
    "down": ("output.dense",),
    "norm2": ("output.LayerNorm",),
}
_DISTILBERT_LAYER = {
    "q": ("attention.q_lin",),
    "kv": ("attention.k_lin", "attention.v_lin"),
    "mix": ("attention.out_lin",),
    "norm1": ("sa_layer_norm",),
    "up": ("ffn.lin1",),
    "down": ("ffn.lin2",),
    "norm2": ("output_layer_norm",),
}
_HEADS = {
    "bert": ("bert.pooler.dense", "classifier"),
    "distilbert": ("pre_classifier", "classifier"),
    "roberta": ("classifier.dense", "classifier.out_proj"),
    "electra": ("classifier.dense", "classifier.out_proj"),
}


def hub_names(shape: Shape) -> dict[str, tuple[str, ...]]:
    """Map each of our tensors to the checkpoint's tensors it is made of, joined along axis 0.

    ``kv`` is keys above values: they are one product. The order is that of the network.
    """
    return dict(_hub_names(shape))


def _hub_names(shape: Shape) -> Iterator[tuple[str, tuple[str, ...]]]:
    embeddings = f"{shape.family}.embeddings."
    yield "word", (embeddings + "word_embeddings.weight",)
    yield "position", (embeddings + "position_embeddings.weight",)
    if shape.types:
        yield "type", (embeddings + "token_type_embeddings.weight",)
    yield from _both("norm0", embeddings + "LayerNorm")
    if shape.projected:
        yield from _both("project", f"{shape.family}.embeddings_project")
    distilbert = shape.family == "distilbert"
    stem = f"{shape.family}.{'transformer' if distilbert else 'encoder'}.layer"
    for i in range(shape.layers):
        for ours, theirs in (_DISTILBERT_LAYER if distilbert else _BERT_LAYER).items():
            yield from _both(f"{i}.{ours}", *(f"{stem}.{i}.{name}" for name in theirs))
    dense, out = _HEADS[shape.family]
    yield from _both("dense", dense)
    yield from _both("out", out)


def _both(ours: str, *theirs: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for kind in ("weight", "bias"):
        yield f"{ours}.{kind}", tuple(f"{name}.{kind}" for name in theirs)
