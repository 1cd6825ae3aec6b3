"""Judges texts with a bundle: packed, one thread, nothing waits to fill a batch, no `transformers`.

A text is prepared (`text`), tokenised, and read by the encoder in one pass with all others that stand in
the queue. Answers depend on the text alone. What was judged lately is remembered, so that a post that a
hundred people repeat costs one pass.
"""

import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from casework.classification import Classification, Confidence, Doubt, Intent, Sentiment, Urgency
from classifier.bundle import BUNDLED, Bundle, Logits, ModelUnavailable, read_bundle
from classifier.encoder import Judge, Packed, Shape
from classifier.language import language_of
from classifier.orders import speaks_to_the_machine
from classifier.parts import CALM, parts_of
from classifier.text import has_words, is_longer_than_read, model_input_of_readable, readable
from classifier.topics import raised_urgency, topics_in

__all__ = ["BUNDLED", "Classifier", "ModelUnavailable"]

LARGEST_BATCH: Final = 32
_MOST_TOKENS_IN_BATCH = 768
# The model reads 128 tokens. Four thousand letters always hold more than that, and tokenising the rest
# of a long post would take longer than judging it.
_LETTERS_TOKENISED = 4_000
_REMEMBERED = 4_096
"""How many judged texts are remembered, 2 to 3 KB each."""
_SAME = 1e-3
"""How far logits may be from the golden ones: other processors add in another order."""
_WARM_UP = "the first pass makes room and picks the fastest code for this processor"


@dataclass(frozen=True, slots=True)
class Read:
    """One text, prepared once: what the rules read, the token ids, and whether something was cut off."""

    readable: str
    ids: list[int]
    key: bytes
    truncated: bool

    @classmethod
    def of(cls, ids: Sequence[int], readable: str = "", *, truncated: bool = False) -> "Read":
        """What the tokens say; a part of a text is read as a text of its own."""
        return cls(readable, list(ids), array("H", ids).tobytes(), truncated)


@dataclass(frozen=True, slots=True)
class Thought:
    """What the model makes of one text: the logits of each head, and a vector of length one.

    ``calm`` tells of each token how much it speaks for an urgency of low.
    """

    logits: Logits
    vector: Tensor
    calm: Sequence[float]


class Classifier:
    """A model from its folder. Calls from several threads wait for each other."""

    def __init__(self, bundle: Bundle) -> None:
        self._heads = bundle.heads
        self._languages = frozenset(bundle.languages)
        self._name = bundle.name
        self._tokenizer = _tokenizer_of(bundle)
        shape = Shape(**bundle.shape)
        with _Unfilled():
            self._judge = Judge(shape, {name: len(head.labels) for name, head in bundle.heads.items()})
        weights = {name: torch.from_numpy(array) for name, array in bundle.weights.items()}
        self._judge.load_state_dict(weights, assign=True)
        self._judge.eval()
        self._judge.requires_grad_(False)
        self._remembered: OrderedDict[bytes, Thought] = OrderedDict()
        self._one_at_a_time = threading.Lock()
        self._low = bundle.heads["urgency"].labels.index(Urgency.LOW)
        self._calming = self._judge.speaks_for("urgency", self._low)
        _prepack(self._judge)

    @classmethod
    def load(cls, folder: Path = BUNDLED, *, threads: int = 1) -> "Classifier":
        """The model in the folder, verified, measured against its golden logits, and warm.

        Raises:
            ModelUnavailable: one sentence that says what is wrong.
        """
        torch.set_num_threads(threads)
        bundle = read_bundle(folder)
        try:
            model = cls(bundle)
            model.classify([_WARM_UP])
        except (KeyError, TypeError, RuntimeError) as wrong:
            raise ModelUnavailable(f"The model in {folder} is of another make than this program") from wrong
        off = model.strays_by(bundle.golden)
        if off > _SAME:
            raise ModelUnavailable(
                f"This machine computes other numbers with the model in {folder} than were measured "
                f"({off:.3g} off): install the pinned version of torch"
            )
        return model

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
        reads = [self.read(text, handles) for text in texts]
        own = topics or {}
        thoughts = self.think(reads)
        verdicts = list(map(self._verdict, reads, thoughts))
        restless = self._restless(reads, thoughts, verdicts)
        return [
            _with_topics(_doubting(verdict, Doubt.URGENCY) if place in restless else verdict, read, own)
            for place, (read, verdict) in enumerate(zip(reads, verdicts, strict=True))
        ]

    def embed(self, texts: Sequence[str], *, handles: Collection[str] | None = None) -> list[list[float]]:
        """A vector of length one for each text, in order; what is meant alike points alike."""
        thoughts = self.think([self.read(text, handles) for text in texts])
        return [thought.vector.tolist() for thought in thoughts]

    def logits(self, texts: Sequence[str]) -> list[Logits]:
        """What the heads say of each text before it becomes a probability."""
        return [thought.logits for thought in self.think([self.read(text) for text in texts])]

    def probabilities(self, texts: Sequence[str]) -> list[dict[str, dict[str, float]]]:
        """For each text and head the probability of each label."""
        return [
            {
                name: dict(zip(head.labels, head.probabilities(logits[name]), strict=True))
                for name, head in self._heads.items()
            }
            for logits in self.logits(texts)
        ]

    def strays_by(self, golden: Mapping[str, Logits]) -> float:
        """How far, at most, a logit of the texts is from the one on record."""
        found = zip(self.logits(list(golden)), golden.values(), strict=True)
        return max(
            (
                abs(mine - theirs)
                for ours, recorded in found
                for head, values in recorded.items()
                for mine, theirs in zip(ours[head], values, strict=True)
            ),
            default=0.0,
        )

    def read(self, text: str, handles: Collection[str] | None = None) -> Read:
        """Prepare a text and tokenise it: all that comes before the pass."""
        read = readable(text, handles)
        spelled = model_input_of_readable(read)
        encoded = self._tokenizer.encode(spelled[:_LETTERS_TOKENISED])
        cut = bool(encoded.overflowing) or len(spelled) > _LETTERS_TOKENISED or is_longer_than_read(text)
        return Read.of(encoded.ids, readable=read, truncated=cut)

    def think(self, reads: Sequence[Read]) -> list[Thought]:
        """One thought for each text; each text that is not remembered is passed through the model once."""
        with self._one_at_a_time, torch.inference_mode():
            found = {read.key: self._remembered.get(read.key) for read in reads}
            new = {read.key: read.ids for read in reads if found[read.key] is None}
            for group in _batches(new):
                found.update(self._passed(group, [new[key] for key in group]))
            self._remember(found)
        return [thought for read in reads if (thought := found[read.key]) is not None]

    def forget(self) -> None:
        """Remember no text any more: what comes next is measured, or must not rest on what came before."""
        with self._one_at_a_time:
            self._remembered.clear()

    def _passed(self, keys: Sequence[bytes], ids: Sequence[Sequence[int]]) -> dict[bytes, Thought]:
        batch = Packed.of(ids)
        hidden = self._judge.encoder(batch)
        logits, mean = self._judge.read(hidden, batch)
        numbers = {head: values.tolist() for head, values in logits.items()}
        vectors = functional.normalize(mean, dim=1)
        calm = torch.split(hidden @ self._calming, list(batch.lengths))
        return {
            key: Thought(
                logits={head: rows[place] for head, rows in numbers.items()},
                vector=vectors[place].clone(),
                calm=array("f", calm[place].tolist()),
            )
            for place, key in enumerate(keys)
        }

    def _remember(self, found: Mapping[bytes, Thought | None]) -> None:
        for key, thought in found.items():
            if thought is not None:
                self._remembered[key] = thought
                self._remembered.move_to_end(key)
        while len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)

    def _restless(
        self, reads: Sequence[Read], thoughts: Sequence[Thought], verdicts: Sequence[Classification]
    ) -> set[int]:
        """Where a post is calm as a whole and not throughout: something calm may hide what is not."""
        left = [place for place, verdict in enumerate(verdicts) if _would_be_left(verdict)]
        # Of a post that was cut, nobody read the end.
        cut = {place for place in left if reads[place].truncated}
        parts = [
            (place, Read.of(ids))
            for place in left
            if place not in cut
            for ids in parts_of(reads[place].ids, thoughts[place].calm)
        ]
        head, low = self._heads["urgency"], self._low
        loud = {
            place
            for (place, _), thought in zip(parts, self.think([part for _, part in parts]), strict=True)
            if head.probabilities(thought.logits["urgency"])[low] < CALM
        }
        return loud | cut

    def _verdict(self, read: Read, thought: Thought) -> Classification:
        said = {name: head.read(thought.logits[name]) for name, head in self._heads.items()}
        language = language_of(read.readable)
        doubts = [Doubt(name) for name, verdict in said.items() if not verdict.sure]
        if language not in self._languages:
            doubts.append(Doubt.LANGUAGE)
        if speaks_to_the_machine(read.readable):
            doubts.append(Doubt.ORDERS)
        verdict = Classification(
            sentiment=Sentiment(said["sentiment"].label),
            intent=Intent(said["intent"].label),
            urgency=Urgency(said["urgency"].label),
            confidence=Confidence(**{name: verdict.probability for name, verdict in said.items()}),
            language=language,
            model=self._name,
            truncated=read.truncated,
            doubts=tuple(doubts),
        )
        return verdict if has_words(read.readable) else _unread(verdict)


class _Unfilled(TorchFunctionMode):
    """Makes layers without the random numbers that the weights replace at once."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run what torch is asked for, unless it fills a tensor for a start."""
        named = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return named["tensor"] if "tensor" in named else args[0]
        return func(*args, **named)


class _PrepackedLinear(nn.Module):
    """A linear layer whose weight lies the way oneDNN reads it; on some processors twice as fast.

    ``then`` is what oneDNN does to each number before it writes it: nothing, or BERT's GELU.
    """

    def __init__(self, linear: nn.Linear, then: str = "none") -> None:
        super().__init__()
        self._bias = linear.bias.detach()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), LARGEST_BATCH)
        self._then = then

    def forward(self, rows: Tensor) -> Tensor:
        """The same as the linear layer and what comes after it, up to rounding."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise(
            rows, self._weight, self._bias, self._then, [], "none" if self._then == "gelu" else ""
        )
        return result


def _prepack(judge: Judge) -> None:
    """Put prepacked layers in place of the plain ones, where this torch can and they agree."""
    with torch.inference_mode():
        for layer in judge.encoder.layers:
            for name, linear in list(layer.named_children()):
                if not isinstance(linear, nn.Linear):
                    continue
                bent = _agreeing(linear, functional.gelu, "gelu") if name == "widen" else None
                if bent is not None:
                    layer.register_module("bend", nn.Identity())
                if (packed := bent or _agreeing(linear)) is not None:
                    layer.register_module(name, packed)


def _agreeing(
    linear: nn.Linear, then: Callable[[Tensor], Tensor] = lambda rows: rows, named: str = "none"
) -> _PrepackedLinear | None:
    # The operations are torch's own but not promised to stay: what is missing or answers otherwise is left.
    rows = torch.linspace(-1, 1, 3 * linear.in_features).view(3, -1)
    try:
        packed = _PrepackedLinear(linear, named)
        same = torch.allclose(packed(rows), then(linear(rows)), atol=1e-4)
    except (RuntimeError, AttributeError, NotImplementedError):
        return None
    return packed if same else None


def _would_be_left(verdict: Classification) -> bool:
    """Whether a brand that answers nothing of low urgency would let the post go by."""
    in_doubt = {Doubt.URGENCY, Doubt.LANGUAGE, Doubt.ORDERS} & set(verdict.doubts)
    return not verdict.needs_reply and not in_doubt


def _doubting(verdict: Classification, *doubts: Doubt) -> Classification:
    return replace(verdict, doubts=tuple(dict.fromkeys((*verdict.doubts, *doubts))))


def _unread(verdict: Classification) -> Classification:
    """Nothing was written, so what is wanted and how soon is no better known than by drawing lots."""
    sure = replace(
        verdict.confidence,
        intent=min(verdict.confidence.intent, 1 / len(Intent)),
        urgency=min(verdict.confidence.urgency, 1 / len(Urgency)),
    )
    return _doubting(replace(verdict, confidence=sure), Doubt.INTENT, Doubt.URGENCY)


def _with_topics(verdict: Classification, read: Read, own: Mapping[str, Sequence[str]]) -> Classification:
    topics = topics_in(read.readable, own)
    unread = bool({Doubt.LANGUAGE, Doubt.ORDERS} & set(verdict.doubts))
    urgency = raised_urgency(verdict.urgency, topics, unread=unread)
    if urgency is verdict.urgency:
        return replace(verdict, topics=topics)
    # A rule does not guess, so what it raised is as sure as the rule.
    sure = replace(verdict.confidence, urgency=1.0)
    doubts = tuple(doubt for doubt in verdict.doubts if doubt is not Doubt.URGENCY)
    return replace(verdict, topics=topics, urgency=urgency, confidence=sure, doubts=doubts)


def _batches(new: Mapping[bytes, Sequence[int]]) -> Iterator[list[bytes]]:
    """The texts in groups of like length, each small enough to bound the memory it takes."""
    group: list[bytes] = []
    tokens = 0
    for key in sorted(new, key=lambda key: len(new[key])):
        if group and (len(group) == LARGEST_BATCH or tokens + len(new[key]) > _MOST_TOKENS_IN_BATCH):
            yield group
            group, tokens = [], 0
        group.append(key)
        tokens += len(new[key])
    if group:
        yield group


def _tokenizer_of(bundle: Bundle) -> Tokenizer:
    tokenizer = Tokenizer.from_str(bundle.tokenizer)
    tokenizer.no_padding()
    tokenizer.enable_truncation(bundle.longest)
    return tokenizer
