"""Judges texts with the bundled model; with `train.py` the only importer of torch.

A small BERT is read by three heads in one pass. Texts are packed: the tokens of a whole batch stand one
after another with nothing between them, and only attention looks at one text at a time. Nothing is
padded, so a text's company in a batch costs it nothing and cannot change what is computed for it.

`transformers` is not needed to serve. A test holds this encoder against its `BertModel`.
"""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from casework.classification import Classification, Confidence, Intent, Sentiment, Urgency
from classifier.bundle import BUNDLED, Bundle, ModelUnavailable, read_bundle
from classifier.text import is_longer_than_read, language_of_readable, model_input_of_readable, readable
from classifier.topics import raised_urgency, topics_in

__all__ = ["BUNDLED", "Classifier", "ModelUnavailable"]

_LARGEST_BATCH = 32
_MOST_TOKENS_IN_BATCH = 1_024
# The model reads 128 tokens. Four thousand letters always hold more than that, and tokenising the rest
# of a long post would take longer than judging it.
_LETTERS_TOKENISED = 4_000


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


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch of tokenised texts laid end to end."""

    ids: Tensor
    positions: Tensor
    lengths: tuple[int, ...]

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]]) -> "Packed":
        """Lay the token ids of each text end to end."""
        lengths = tuple(len(ids) for ids in texts)
        return cls(
            ids=torch.tensor([token for ids in texts for token in ids], dtype=torch.long),
            positions=torch.cat([torch.arange(length) for length in lengths]),
            lengths=lengths,
        )

    def starts(self) -> Tensor:
        """Where the first token of each text stands."""
        return torch.tensor((0, *self.lengths[:-1])).cumsum(0)


class Layer(nn.Module):
    """One layer of BERT: every token looks at its text, then thinks for itself."""

    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        size = shape.hidden_size
        self.heads = shape.num_attention_heads
        self.qkv = nn.Linear(size, 3 * size)
        self.mix = nn.Linear(size, size)
        self.mix_norm = nn.LayerNorm(size, eps=shape.layer_norm_eps)
        self.widen = nn.Linear(size, shape.intermediate_size)
        self.narrow = nn.Linear(shape.intermediate_size, size)
        self.norm = nn.LayerNorm(size, eps=shape.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, lengths: tuple[int, ...]) -> Tensor:
        """The tokens of all texts, one layer further."""
        seen = self._attend(self.qkv(hidden), lengths)
        hidden = self.mix_norm(hidden + self.dropout(self.mix(seen)))
        thought = self.narrow(functional.gelu(self.widen(hidden)))
        normed: Tensor = self.norm(hidden + self.dropout(thought))
        return normed

    def _attend(self, qkv: Tensor, lengths: tuple[int, ...]) -> Tensor:
        size = qkv.shape[-1] // 3
        width = size // self.heads
        seen: list[Tensor] = []
        for text in torch.split(qkv, list(lengths)):
            # (tokens, 3 * heads * width) -> three of (1, heads, tokens, width)
            query, key, value = text.view(1, -1, 3, self.heads, width).permute(2, 0, 3, 1, 4)
            mixed = functional.scaled_dot_product_attention(query, key, value)
            seen.append(mixed[0].transpose(0, 1).reshape(-1, size))
        return torch.cat(seen)


class Encoder(nn.Module):
    """BERT without its pooler: token ids in, one vector for each token out."""

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        size = shape.hidden_size
        self.words = nn.Embedding(shape.vocab_size, size)
        self.places = nn.Embedding(shape.max_position_embeddings, size)
        # BERT tells two sentences apart; we only ever have the first, so one row is left of that table.
        self.sentence = nn.Parameter(torch.zeros(size))
        self.norm = nn.LayerNorm(size, eps=shape.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(shape, dropout) for _ in range(shape.num_hidden_layers))

    def embed(self, batch: Packed) -> Tensor:
        """The vectors of the tokens before any layer."""
        normed = self.norm(self.words(batch.ids) + self.places(batch.positions) + self.sentence)
        dropped: Tensor = self.dropout(normed)
        return dropped

    def run(
        self, hidden: Tensor, lengths: tuple[int, ...], first: int = 0, last: int | None = None
    ) -> Tensor:
        """Pass the vectors through the layers from ``first`` up to, not including, ``last``."""
        for layer in self.layers[first:last]:
            hidden = layer(hidden, lengths)
        return hidden

    def forward(self, batch: Packed) -> Tensor:
        """The vectors of the tokens after the last layer."""
        return self.run(self.embed(batch), batch.lengths)


def mean_of_texts(hidden: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """The mean vector of each text."""
    return torch.stack([text.mean(0) for text in torch.split(hidden, list(lengths))])


class Judge(nn.Module):
    """The encoder and its heads: one pass, as many answers as there are heads."""

    def __init__(self, shape: Shape, heads: Mapping[str, int], dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = Encoder(shape, dropout)
        self.dropout = nn.Dropout(dropout)
        # A head reads the first token, which is free to learn, and the mean, which is held near that of
        # the encoder we started from so that it goes on telling what a text is about.
        width = 2 * shape.hidden_size
        self.heads = nn.ModuleDict({name: nn.Linear(width, size) for name, size in heads.items()})

    def forward(self, batch: Packed) -> dict[str, Tensor]:
        """The logits of every head for each text."""
        return self.judged(self.encoder(batch), batch)[0]

    def judged(self, hidden: Tensor, batch: Packed) -> tuple[dict[str, Tensor], Tensor]:
        """The logits of every head, and the mean vector of each text."""
        mean = mean_of_texts(hidden, batch.lengths)
        features = self.dropout(torch.cat([hidden[batch.starts()], mean], dim=1))
        return {name: head(features) for name, head in self.heads.items()}, mean


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


_VECTORS_KEPT = 1024
"""How many vectors of judged texts are kept, 3 KB each."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One text, prepared once: what the rules read, the token ids, and whether something was cut off."""

    readable: str
    ids: list[int]
    truncated: bool


class Classifier:
    """The bundled model. Calls from several threads wait for each other; answers depend on the text alone."""

    def __init__(self, bundle: Bundle) -> None:
        self._labels = bundle.labels
        self._temperatures = bundle.temperatures
        self._name = bundle.name
        self._tokenizer = _tokenizer_of(bundle)
        shape = Shape(**bundle.shape)
        self._judge = Judge(shape, {head: len(labels) for head, labels in bundle.labels.items()})
        weights = {name: torch.from_numpy(array) for name, array in bundle.weights.items()}
        self._judge.load_state_dict(weights)
        self._judge.eval()
        self._judge.requires_grad_(False)
        self._vectors: dict[tuple[int, ...], list[float]] = {}
        self._one_at_a_time = threading.Lock()
        _prepack(self._judge)

    @classmethod
    def load(cls, folder: Path = BUNDLED, *, threads: int = 1) -> "Classifier":
        """The model in the folder, once its checksums are verified; `ModelUnavailable` says what is wrong."""
        torch.set_num_threads(threads)
        bundle = read_bundle(folder)
        try:
            return cls(bundle)
        except (KeyError, TypeError, RuntimeError) as wrong:
            raise ModelUnavailable(f"The model in {folder} is of another make than this program") from wrong

    @property
    def name(self) -> str:
        """The name of these weights; it changes whenever they do."""
        return self._name

    def classify(
        self,
        texts: Sequence[str],
        *,
        topics: Mapping[str, Sequence[str]] | None = None,
        handles: Collection[str] | None = None,
    ) -> list[Classification]:
        """Judge each text, in order.

        ``topics`` are the brand's own: a name, and the words or phrases that call for it. ``handles`` are
        the brand's accounts; see `classifier.text.readable` for what they change.
        """
        reads = [self._read(text, handles) for text in texts]
        judged: list[Classification | None] = [None] * len(reads)
        with self._one_at_a_time, torch.inference_mode():
            for places in _batches([len(read.ids) for read in reads]):
                batch = Packed.of([reads[place].ids for place in places])
                logits, mean = self._judge.judged(self._judge.encoder(batch), batch)
                self._remember([reads[place] for place in places], mean)
                for row, place in enumerate(places):
                    judged[place] = self._verdict(reads[place], {head: logits[head][row] for head in logits})
        own = topics or {}
        return [
            _with_topics(verdict, read, own) for verdict, read in zip(judged, reads, strict=True) if verdict
        ]

    def embed(self, texts: Sequence[str], *, handles: Collection[str] | None = None) -> list[list[float]]:
        """A vector of length one for each text, in order; what is meant alike points alike.

        A text that was judged lately, with the same ``handles``, costs no second pass.
        """
        reads = [self._read(text, handles) for text in texts]
        found: dict[tuple[int, ...], list[float]] = {}
        with self._one_at_a_time, torch.inference_mode():
            found |= {ids: self._vectors[ids] for read in reads if (ids := tuple(read.ids)) in self._vectors}
            unknown = [read for read in reads if tuple(read.ids) not in found]
            for places in _batches([len(read.ids) for read in unknown]):
                batch = Packed.of([unknown[place].ids for place in places])
                mean = mean_of_texts(self._judge.encoder(batch), batch.lengths)
                found.update(_vectors_of([unknown[place] for place in places], mean))
        return [found[tuple(read.ids)] for read in reads]

    def _remember(self, reads: Sequence[_Read], mean: Tensor) -> None:
        """Keep the vectors of what was just judged: its draft is looked for by meaning next."""
        self._vectors.update(_vectors_of(reads, mean))
        for oldest in list(self._vectors)[: max(0, len(self._vectors) - _VECTORS_KEPT)]:
            del self._vectors[oldest]

    def logits(self, text: str) -> dict[str, list[float]]:
        """What the heads say of one text before it becomes a probability; for tests and for comparing."""
        with torch.inference_mode():
            judged = self._judge(Packed.of([self._read(text, None).ids]))
        return {head: values[0].tolist() for head, values in judged.items()}

    def _read(self, text: str, handles: Collection[str] | None) -> _Read:
        read = readable(text, handles)
        spelled = model_input_of_readable(read)
        encoded = self._tokenizer.encode(spelled[:_LETTERS_TOKENISED])
        cut = bool(encoded.overflowing) or len(spelled) > _LETTERS_TOKENISED or is_longer_than_read(text)
        return _Read(readable=read, ids=list(encoded.ids), truncated=cut)

    def _verdict(self, read: _Read, logits: Mapping[str, Tensor]) -> Classification:
        chosen: dict[str, tuple[str, float]] = {}
        for head, values in logits.items():
            shares = torch.softmax(values / self._temperatures[head], dim=0)
            best = int(values.argmax())
            chosen[head] = (self._labels[head][best], float(shares[best]))
        return Classification(
            sentiment=Sentiment(chosen["sentiment"][0]),
            intent=Intent(chosen["intent"][0]),
            urgency=Urgency(chosen["urgency"][0]),
            confidence=Confidence(**{head: share for head, (_, share) in chosen.items()}),
            language=language_of_readable(read.readable),
            model=self._name,
            truncated=read.truncated,
        )


def _vectors_of(reads: Sequence[_Read], mean: Tensor) -> dict[tuple[int, ...], list[float]]:
    vectors: list[list[float]] = functional.normalize(mean, dim=1).tolist()
    return {tuple(read.ids): vector for read, vector in zip(reads, vectors, strict=True)}


class _PrepackedLinear(nn.Module):
    """A linear layer whose weight lies the way oneDNN reads it; on some processors twice as fast."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self._bias = linear.bias.detach()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _LARGEST_BATCH)

    def forward(self, rows: Tensor) -> Tensor:
        """The same as the linear layer, up to rounding."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise(rows, self._weight, self._bias, "none", [], "")
        return result


def _prepack(judge: Judge) -> None:
    """Put prepacked layers in place of the plain ones, where this torch can and they agree."""
    with torch.inference_mode():
        for layer in judge.encoder.layers:
            for name, linear in list(layer.named_children()):
                if isinstance(linear, nn.Linear) and (packed := _agreeing(linear)) is not None:
                    setattr(layer, name, packed)


def _agreeing(linear: nn.Linear) -> _PrepackedLinear | None:
    # The operations are torch's own but not promised to stay: what is missing or answers otherwise is left.
    rows = torch.linspace(-1, 1, 3 * linear.in_features).view(3, -1)
    try:
        packed = _PrepackedLinear(linear)
        same = torch.allclose(packed(rows), linear(rows), atol=1e-4)
    except (RuntimeError, AttributeError, NotImplementedError):
        return None
    return packed if same else None


def _with_topics(verdict: Classification, read: _Read, own: Mapping[str, Sequence[str]]) -> Classification:
    topics = topics_in(read.readable, own)
    urgency = raised_urgency(verdict.urgency, topics)
    # A rule does not guess, so what it raised is as sure as the rule.
    sure = verdict.confidence if urgency is verdict.urgency else replace(verdict.confidence, urgency=1.0)
    return replace(verdict, topics=topics, urgency=urgency, confidence=sure)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The places of the texts in groups of like length, each small enough to bound the memory it takes."""
    group: list[int] = []
    tokens = 0
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (len(group) == _LARGEST_BATCH or tokens + lengths[place] > _MOST_TOKENS_IN_BATCH):
            yield group
            group, tokens = [], 0
        group.append(place)
        tokens += lengths[place]
    if group:
        yield group


def _tokenizer_of(bundle: Bundle) -> Tokenizer:
    tokenizer = Tokenizer.from_str(bundle.tokenizer)
    tokenizer.no_padding()
    tokenizer.enable_truncation(bundle.longest)
    return tokenizer
