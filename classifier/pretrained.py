"""Judges one head by any sequence-classification model of transformers; the only importer of transformers.

Texts are read in the form that such models were trained on: case and emoji kept, handles as ``@user`` and
links as ``http`` (TweetEval's way). They are padded to the longest of a small group of like length, and
run on the graphics processor where torch has one.
"""

import logging
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
import transformers
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BatchEncoding

from classifier.bundle import ModelUnavailable
from classifier.choice import Replaced
from classifier.labels import Head, LabelMap
from classifier.text import is_longer_than_read, tweet_form

_MOST_TOKENS_READ: Final = 512
_LARGEST_BATCH: Final = 32
_MOST_TOKENS_IN_BATCH: Final = 4_096
# No tokeniser makes fewer tokens of real words than one for sixteen letters. What is longer than this is
# cut before it is tokenised, which would take longer than judging it.
_LETTERS_A_TOKEN: Final = 16

# transformers gives no types that hold for every tokeniser.
_Tokenizer = Any


@dataclass(frozen=True, slots=True)
class HeadVerdict:
    """What one head says of a text: our label, its share, and whether only the beginning was read."""

    label: str
    share: float
    truncated: bool


@dataclass(frozen=True, slots=True)
class _Encoded:
    fields: dict[str, list[int]]
    truncated: bool

    def __len__(self) -> int:
        return len(self.fields["input_ids"])


class PretrainedHead:
    """One head, judged by a model made elsewhere. Calls from several threads wait for each other."""

    def __init__(
        self, name: str, labels: LabelMap, tokenizer: _Tokenizer, model: nn.Module, longest: int
    ) -> None:
        self.name = name
        self.head: Head = labels.head
        self.longest = longest
        self.device = _device()
        self._ours = labels.ours
        self._kept, self._sums = _sums_of(labels)
        self._tokenizer = tokenizer
        self._model = model.to(self.device)
        self._one_at_a_time = threading.Lock()

    @classmethod
    def load(cls, replaced: Replaced) -> "PretrainedHead":
        """The model, tried on a text of its full length; `ModelUnavailable` says what is wrong with it."""
        found = replaced.found
        try:
            with _quiet():
                tokenizer = AutoTokenizer.from_pretrained(
                    found.folder, trust_remote_code=False, local_files_only=True
                )
                model = _model(replaced)
                made = cls(found.name, replaced.labels, tokenizer, model, _longest(tokenizer, model))
                made.judge(["Where is my parcel? " * made.longest])
        except ModelUnavailable:
            raise
        except Exception as wrong:
            # Anything may be wrong with a stranger's files, and each family of models raises in its own way.
            raise ModelUnavailable(
                f"{found.wanted} cannot be run ({type(wrong).__name__}): fetch it again, or choose a model "
                "whose files fit this release of transformers"
            ) from wrong
        return made

    def judge(self, texts: Sequence[str]) -> list[HeadVerdict]:
        """Judge each text, in order."""
        encoded = [self._encode(text) for text in texts]
        verdicts: dict[int, HeadVerdict] = {}
        with self._one_at_a_time, torch.inference_mode():
            for places in _batches([len(one) for one in encoded]):
                shares = self._shares([encoded[place].fields for place in places])
                for place, row in zip(places, shares, strict=True):
                    best = int(row.argmax())
                    verdicts[place] = HeadVerdict(
                        self._ours[best], float(row[best]), encoded[place].truncated
                    )
        return [verdicts[place] for place in range(len(texts))]

    def _encode(self, text: str) -> _Encoded:
        read = tweet_form(text)
        head = read[: self.longest * _LETTERS_A_TOKEN]
        fields = dict(self._tokenizer(head, truncation=True, max_length=self.longest, verbose=False))
        if not fields["input_ids"]:
            fields = {"input_ids": [self._tokenizer.pad_token_id], "attention_mask": [1]}
        cut = len(head) < len(read) or is_longer_than_read(text) or self._is_longer(head, fields)
        return _Encoded(fields, cut)

    def _is_longer(self, text: str, fields: dict[str, list[int]]) -> bool:
        if len(fields["input_ids"]) < self.longest:
            return False
        return len(self._tokenizer(text, verbose=False)["input_ids"]) > self.longest

    def _shares(self, fields: list[dict[str, list[int]]]) -> Tensor:
        """The share of each of our labels, a row for each text."""
        batch: BatchEncoding = self._tokenizer.pad(fields, return_tensors="pt", verbose=False)
        logits: Tensor = self._model(**batch.to(self.device)).logits
        shares = torch.softmax(logits.cpu().double()[:, self._kept], dim=1) @ self._sums
        if not bool(torch.isfinite(shares).all()):
            raise ModelUnavailable(f"{self.name} gives no numbers for some texts: choose another model")
        return shares


def _model(replaced: Replaced) -> nn.Module:
    """The model in 32 bits, if its files hold all of it."""
    found = replaced.found
    model, told = AutoModelForSequenceClassification.from_pretrained(
        found.folder,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        dtype=torch.float32,
        output_loading_info=True,
    )
    if told["missing_keys"] or told["mismatched_keys"]:
        raise ModelUnavailable(
            f"{found.wanted} has no trained head for sorting texts: choose a model for sequence "
            "classification"
        )
    if model.config.num_labels != len(found.labels):
        raise ModelUnavailable(f"{found.wanted} has other labels than its config.json says: fetch it again")
    made: nn.Module = model.eval().requires_grad_(False)
    return made


def _longest(tokenizer: _Tokenizer, model: nn.Module) -> int:
    """How many tokens the model reads: what its tokeniser, its places and our patience allow."""
    if tokenizer.pad_token_id is None:
        raise ModelUnavailable("The model cannot pad texts: choose one whose tokeniser has a pad_token")
    places = getattr(model.config, "max_position_embeddings", None)
    limits = [_MOST_TOKENS_READ, tokenizer.model_max_length, places]
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa and its kin count places from behind the padding's.
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            limits.append(module.num_embeddings - unused)
    return min(limit for limit in limits if isinstance(limit, int) and limit > 0)


def _sums_of(labels: LabelMap) -> tuple[list[int], Tensor]:
    """The columns that count, and the matrix that adds them up to our labels."""
    kept = [column for column, meaning in enumerate(labels.meanings) if meaning is not None]
    sums = torch.zeros(len(kept), len(labels.ours), dtype=torch.float64)
    for row, column in enumerate(kept):
        sums[row, labels.ours.index(str(labels.meanings[column]))] = 1.0
    return kept, sums


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The places of the texts in groups of like length, small enough to bound the memory they take padded."""
    group: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        full = len(group) == _LARGEST_BATCH or (len(group) + 1) * lengths[place] > _MOST_TOKENS_IN_BATCH
        if group and full:
            yield group
            group = []
        group.append(place)
    if group:
        yield group


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps transformers from talking on our standard error, while it loads and afterwards."""
    transformers.logging.set_verbosity(logging.CRITICAL + 1)
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
