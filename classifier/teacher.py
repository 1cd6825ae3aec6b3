"""Trains the larger model whose beliefs the small one learns from, and writes those beliefs down.

    python -m classifier.teacher --data DATA --base FOLDER --out classifier/lessons

The base is all-mpnet-base-v2 (Apache-2.0 by its card), five times the size of what ships. On a processor
that multiplies bfloat16 in hardware this takes two hours, on others a day, on a GPU minutes; nobody needs
it to train the bundled model again, because its beliefs come with the code.
"""

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from classifier.encoder import Batch, Padded
from classifier.examples import (
    HEADS,
    Remark,
    TweetExample,
    brand_mentions,
    fingerprint,
    fingerprint_of_rows,
    labelled_tweets,
    remarks,
    tweets,
    unlabelled_posts,
    written_posts,
)
from classifier.learning import Item, Learner, Stage, Told, computing_type
from classifier.text import model_input
from classifier.train import certain, tokenizer_of

_TONE: Final = Stage(epochs=1, batch=32, encoder_rate=3e-5, head_rate=3e-4, hold=0.0)
_BRANDS: Final = Stage(epochs=3, batch=16, encoder_rate=3e-5, head_rate=5e-4, hold=0.0)
_OF_EACH_TONE: Final = 12_500
"""Tweets of each tone that are read; of the negative ones there are fewer, and all are read."""
_REPLAYED: Final = 1_500
_UNSURE: Final = 0.6
_LONGEST: Final = 80
_SEED: Final = 11
_AT_ONCE: Final = 64


class Teacher(nn.Module):
    """A published encoder of `transformers` under heads of the same make as the small model's."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        from transformers import AutoModel

        self.encoder: nn.Module = AutoModel.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            add_pooling_layer=False,
        )
        width = 2 * int(self.encoder.config.hidden_size)
        self.heads = nn.ModuleDict({head: nn.Linear(width, len(labels)) for head, labels in HEADS.items()})

    def forward(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """As `classifier.encoder.Judge`."""
        if not isinstance(batch, Padded):
            raise TypeError("the teacher reads padded batches only")
        hidden = self.encoder(input_ids=batch.ids, attention_mask=batch.mask.long()).last_hidden_state
        first, mean = batch.first_and_mean(hidden)
        features = torch.cat([first, mean], dim=1)
        return {name: head(features) for name, head in self.heads.items()}, mean


@dataclass(frozen=True, slots=True)
class School:
    """A teacher, its tokeniser, and where it computes."""

    teacher: Teacher
    tokenizer: Tokenizer
    device: torch.device

    @classmethod
    def of(cls, base: Path) -> "School":
        """The untrained teacher in a folder of base weights."""
        torch.manual_seed(_SEED)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return cls(Teacher(base), tokenizer_of(base, _LONGEST), device)

    def item(
        self, text: str, labels: dict[str, int], weight: float = 1.0, *, of_a_brand: bool = True
    ) -> Item:
        """A text as the optimiser sees it."""
        ids = self._ids(text, of_a_brand)
        targets = {head: certain(label, len(HEADS[head])) for head, label in labels.items()}
        return Item(ids, targets, weight)

    def _ids(self, text: str, of_a_brand: bool) -> list[int]:
        # Whoever a tweet of no brand names is a friend.
        ids: list[int] = self.tokenizer.encode(model_input(text, None if of_a_brand else ())).ids
        return ids

    def learn(self, items: Sequence[Item], stage: Stage) -> None:
        """Learn the items; word vectors stay as they are."""
        names = frozenset(
            name for name, _ in self.teacher.named_parameters() if "word_embeddings" not in name
        )
        Learner(self.teacher, names, self.device, _say).run(items, stage, _SEED)

    def believes(self, texts: Sequence[str], *, of_a_brand: bool = True) -> dict[str, NDArray[np.uint8]]:
        """For each head what the teacher makes of the texts, in 255ths."""
        model = self.teacher.to(self.device, computing_type(self.device)).eval()
        ids = [self._ids(text, of_a_brand) for text in texts]
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        found = {head: np.zeros((len(ids), len(labels)), np.uint8) for head, labels in HEADS.items()}
        with torch.inference_mode():
            for start in range(0, len(order), _AT_ONCE):
                places = order[start : start + _AT_ONCE]
                batch = Padded.of([ids[place] for place in places], computing_type(self.device)).to(
                    self.device
                )
                logits, _ = model(batch)
                for head, values in logits.items():
                    shares = values.float().softmax(1).cpu().numpy()
                    found[head][places] = np.rint(shares * 255).astype(np.uint8)
        self.teacher.float()
        return found


def teach(data: Path, base: Path, out: Path) -> None:
    """Train the teacher and write what it believes of tweets and of mentions into ``out``."""
    school = School.of(base)
    rows = tweets(data, "train")
    mentions = [(row, 1.0) for row in brand_mentions(data, "train")]
    school.learn(
        [*_of_tone(school, rows), *(school.item(row.text, row.labels) for row, _ in mentions)], _TONE
    )
    tone = school.believes([row.text for row in rows], of_a_brand=False)
    _write_tone(out / "tone.safetensors", rows, tone["sentiment"])
    if said := remarks(data):
        believed = school.believes([row.text for row in said], of_a_brand=False)
        _write_tone(out / "remarks.safetensors", said, believed["sentiment"])
    mentions += [(row, 0.6) for row in labelled_tweets(data)] + [(row, 0.4) for row in written_posts()]
    replayed = random.Random(_SEED).sample(rows, min(_REPLAYED, len(rows)))  # noqa: S311 - to repeat
    school.learn(
        [
            *(school.item(row.text, row.labels, w if row.certain else w * _UNSURE) for row, w in mentions),
            *(school.item(row.text, {"sentiment": row.sentiment}, 0.5, of_a_brand=False) for row in replayed),
        ],
        _BRANDS,
    )
    texts = list(dict.fromkeys([*(row.text for row, _ in mentions), *unlabelled_posts(data)]))
    believed = school.believes(texts)
    # Of a tweet's tone the teacher knew more before it turned to brands.
    known = {row.text: place for place, row in enumerate(rows)}
    labelled = {row.text for row, _ in mentions}
    for place, text in enumerate(texts):
        if text in known and text not in labelled:
            believed["sentiment"][place] = tone["sentiment"][known[text]]
    marks = np.array([int(fingerprint(text), 16) for text in texts], dtype=np.uint64)
    save_file({"fingerprint": marks, **believed}, out / "mentions.safetensors")


def _write_tone(path: Path, rows: Sequence[TweetExample | Remark], believed: NDArray[np.uint8]) -> None:
    save_file({"sentiment": believed}, path, metadata={"rows": fingerprint_of_rows(rows)})


def _of_tone(school: School, rows: Sequence[TweetExample]) -> list[Item]:
    draw = random.Random(_SEED)  # noqa: S311 - to repeat, not to hide
    chosen: list[TweetExample] = []
    for label in range(len(HEADS["sentiment"])):
        same = [row for row in rows if row.sentiment == label]
        chosen += draw.sample(same, min(_OF_EACH_TONE, len(same)))
    return [school.item(row.text, {"sentiment": row.sentiment}, of_a_brand=False) for row in chosen]


def _say(told: Told) -> None:
    if told.step % 20 == 0 or told.step == told.steps:
        line = f"step {told.step} of {told.steps}, loss {told.loss:.3f}, {told.texts_a_second:.0f} texts/s\n"
        sys.stderr.write(line)


def main() -> None:
    """Read the command line and teach."""
    parser = argparse.ArgumentParser(
        prog="python -m classifier.teacher", description="Train the larger model."
    )
    for name, what in (
        ("--data", "the folder of the labelled sets"),
        ("--base", "the folder of all-mpnet-base-v2"),
        ("--out", "the folder that its beliefs are written into"),
    ):
        parser.add_argument(name, type=Path, required=True, help=what)
    given = parser.parse_args()
    torch.set_num_threads(1)
    teach(given.data, given.base, given.out)


if __name__ == "__main__":
    main()
