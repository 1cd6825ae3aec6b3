"""The network: a small BERT read by several heads in one pass, the same code for training and for serving.

Texts come as a batch that knows how its tokens lie. `Packed` lays the tokens of all texts end to end with
nothing between them, so a text's company costs it nothing and cannot change what is computed for it: that
is how Heard serves. `Padded` fills texts of like length up to the longest, so that every step is one large
operation: that is how it learns. A test holds both against `transformers`' `BertModel`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

_NEVER = -10_000.0


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the encoder, under the names that BERT's own configuration files use."""

    vocab_size: int = 30_522
    hidden_size: int = 384
    num_hidden_layers: int = 6
    num_attention_heads: int = 12
    intermediate_size: int = 1_536
    max_position_embeddings: int = 512
    layer_norm_eps: float = 1e-12


class Batch(Protocol):
    """Tokenised texts, and how their tokens lie."""

    @property
    def ids(self) -> Tensor:
        """The token ids."""

    @property
    def positions(self) -> Tensor:
        """The place of each token in its own text; broadcasts to the shape of ``ids``."""

    def attend(self, qkv: Tensor, heads: int) -> Tensor:
        """Let every token look at its text. ``qkv`` holds queries, keys and values side by side."""

    def first_and_mean(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The vector of the first token of each text, and the mean over its tokens."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Texts laid end to end: ``ids`` and every vector of them have one dimension for all tokens."""

    ids: Tensor
    positions: Tensor
    lengths: tuple[int, ...]

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]]) -> "Packed":
        """Lay the token ids of each text end to end. Neighbours of one length are computed together."""
        lengths = tuple(len(ids) for ids in texts)
        return cls(
            ids=torch.tensor([token for ids in texts for token in ids], dtype=torch.long),
            positions=torch.cat([torch.arange(length) for length in lengths]),
            lengths=lengths,
        )

    def attend(self, qkv: Tensor, heads: int) -> Tensor:
        """See `Batch`: (tokens, 3 * size) in, (tokens, size) out."""
        size = qkv.shape[-1] // 3
        seen: list[Tensor] = []
        for part, length in zip(torch.split(qkv, self._runs()), self._lengths_of_runs(), strict=True):
            # (tokens, 3 * size) -> three of (texts, heads, length, width)
            query, key, value = part.view(-1, length, 3, heads, size // heads).permute(2, 0, 3, 1, 4)
            mixed = functional.scaled_dot_product_attention(query, key, value)
            seen.append(mixed.transpose(1, 2).reshape(-1, size))
        return torch.cat(seen) if len(seen) > 1 else seen[0]

    def _runs(self) -> list[int]:
        """How many tokens each run of neighbours of one length has."""
        return [sum(run) for _, run in groupby(self.lengths)]

    def _lengths_of_runs(self) -> list[int]:
        return [length for length, _ in groupby(self.lengths)]

    def first_and_mean(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """See `Batch`."""
        starts = torch.tensor((0, *self.lengths[:-1])).cumsum(0)
        means = [text.mean(0) for text in torch.split(hidden, list(self.lengths))]
        return hidden[starts], torch.stack(means)


@dataclass(frozen=True, slots=True)
class Padded:
    """Texts filled up to the longest: (texts, longest) token ids, and a mask that is 1 where a token is."""

    ids: Tensor
    mask: Tensor

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]], dtype: torch.dtype = torch.float32) -> "Padded":
        """Fill the texts up with zeros, which the mask hides; ``dtype`` is that of the vectors."""
        longest = max(map(len, texts))
        return cls(
            ids=torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids in texts]),
            mask=torch.tensor(
                [[1.0] * len(ids) + [0.0] * (longest - len(ids)) for ids in texts], dtype=dtype
            ),
        )

    @property
    def positions(self) -> Tensor:
        """See `Batch`."""
        return torch.arange(self.ids.shape[1], device=self.ids.device)

    def to(self, device: torch.device) -> "Padded":
        """The same batch on a device."""
        return Padded(self.ids.to(device), self.mask.to(device))

    def attend(self, qkv: Tensor, heads: int) -> Tensor:
        """See `Batch`: (texts, longest, 3 * size) in, (texts, longest, size) out.

        Written out, because the backward pass of torch's own operation takes five times as long in
        bfloat16 on processors (torch 2.13).
        """
        texts, longest, width = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3 // heads
        parts = qkv.view(texts, longest, 3, heads, width).permute(2, 0, 3, 1, 4)
        query, key, value = parts.reshape(3, texts * heads, longest, width).unbind(0)
        scores = torch.bmm(query * width**-0.5, key.transpose(1, 2)).view(texts, heads, longest, longest)
        hidden = ((1 - self.mask) * _NEVER)[:, None, None, :].to(scores.dtype)
        shares = functional.softmax(scores + hidden, dim=-1).view(texts * heads, longest, longest)
        mixed = torch.bmm(shares, value).view(texts, heads, longest, width)
        return mixed.transpose(1, 2).reshape(texts, longest, heads * width)

    def first_and_mean(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """See `Batch`."""
        shares = (self.mask / self.mask.sum(1, keepdim=True)).to(hidden.dtype)
        return hidden[:, 0], torch.bmm(shares[:, None], hidden)[:, 0]


class Layer(nn.Module):
    """One layer of BERT: every token looks at its text, then thinks for itself."""

    def __init__(self, shape: Shape, dropout: nn.Module) -> None:
        super().__init__()
        size = shape.hidden_size
        self.heads = shape.num_attention_heads
        self.qkv = nn.Linear(size, 3 * size)
        self.mix = nn.Linear(size, size)
        self.mix_norm = nn.LayerNorm(size, eps=shape.layer_norm_eps)
        self.widen = nn.Linear(size, shape.intermediate_size)
        self.bend = nn.GELU()
        self.narrow = nn.Linear(shape.intermediate_size, size)
        self.norm = nn.LayerNorm(size, eps=shape.layer_norm_eps)
        self.dropout = dropout

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """The tokens of all texts, one layer further."""
        seen = batch.attend(self.qkv(hidden), self.heads)
        hidden = self.mix_norm(hidden + self.dropout(self.mix(seen)))
        thought = self.narrow(self.bend(self.widen(hidden)))
        normed: Tensor = self.norm(hidden + self.dropout(thought))
        return normed


class Encoder(nn.Module):
    """BERT without its pooler: token ids in, one vector for each token out."""

    def __init__(self, shape: Shape, dropout: nn.Module | None = None) -> None:
        super().__init__()
        size = shape.hidden_size
        self.words = nn.Embedding(shape.vocab_size, size)
        self.places = nn.Embedding(shape.max_position_embeddings, size)
        # BERT tells two sentences apart; we only ever have the first, so one row is left of that table.
        self.sentence = nn.Parameter(torch.zeros(size))
        self.norm = nn.LayerNorm(size, eps=shape.layer_norm_eps)
        self.dropout = dropout or nn.Identity()
        self.layers = nn.ModuleList(Layer(shape, self.dropout) for _ in range(shape.num_hidden_layers))

    def forward(self, batch: Batch) -> Tensor:
        """The vectors of the tokens after the last layer."""
        hidden = self.words(batch.ids) + self.places(batch.positions) + self.sentence
        hidden = self.dropout(self.norm(hidden))
        for layer in self.layers:
            hidden = layer(hidden, batch)
        read: Tensor = hidden
        return read


class Judge(nn.Module):
    """The encoder and its heads: one pass, as many answers as there are heads."""

    def __init__(self, shape: Shape, heads: Mapping[str, int], dropout: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder = Encoder(shape, dropout)
        # A head reads the first token, which is free to learn, and the mean, which is held near that of
        # the encoder we started from so that it goes on telling what a text is about.
        width = 2 * shape.hidden_size
        self.heads = nn.ModuleDict({name: nn.Linear(width, size) for name, size in heads.items()})

    def forward(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """The logits of every head for each text, and the mean vector of each text."""
        return self.read(self.encoder(batch), batch)

    def read(self, hidden: Tensor, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """The same of what the encoder made of the batch."""
        first, mean = batch.first_and_mean(hidden)
        features = torch.cat([first, mean], dim=1)
        return {name: head(features) for name, head in self.heads.items()}, mean

    def speaks_for(self, head: str, label: int) -> Tensor:
        """What a token's vector, times this one, adds to a label more than to the others on the average.

        A head is linear in the mean over the tokens, so this is that token's part in it, exactly.
        """
        weight = cast("Tensor", self.heads[head].weight)[:, -self.encoder.sentence.shape[0] :]
        others = torch.cat([weight[:label], weight[label + 1 :]])
        return weight[label] - others.mean(0)


def encoder_weights_from_bert(weights: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The weights of a published BERT under the names that `Encoder` uses."""
    ours = {
        "words.weight": weights["embeddings.word_embeddings.weight"],
        "places.weight": weights["embeddings.position_embeddings.weight"],
        "sentence": weights["embeddings.token_type_embeddings.weight"][0],
        "norm.weight": weights["embeddings.LayerNorm.weight"],
        "norm.bias": weights["embeddings.LayerNorm.bias"],
    }
    for number in range(layers):
        ours.update(_layer_from_bert(weights, number))
    return {name: tensor.clone() for name, tensor in ours.items()}


_LAYER_NAMES = {
    "mix": "attention.output.dense",
    "mix_norm": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "norm": "output.LayerNorm",
}


def _layer_from_bert(weights: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    theirs = f"encoder.layer.{number}"
    layer: dict[str, Tensor] = {}
    for kind in ("weight", "bias"):
        parts = [weights[f"{theirs}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
        layer[f"layers.{number}.qkv.{kind}"] = torch.cat(parts)
        for ours, name in _LAYER_NAMES.items():
            layer[f"layers.{number}.{ours}.{kind}"] = weights[f"{theirs}.{name}.{kind}"]
    return layer
