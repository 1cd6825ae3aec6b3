"""Shows which words of a post made the model decide as it did: it is asked again without each of them.

What a label loses when a word is not there is what the word gave it (occlusion; Zeiler & Fergus, ECCV
2014). It explains the model, not the author.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

MOST_WORDS: Final = 80
"""Words of a post that are tried: the model reads hardly more."""
_WORD = re.compile(r"\S+")


class Asked(Protocol):
    """What is explained: anything that gives each label of each head a probability."""

    def probabilities(self, texts: Sequence[str]) -> list[dict[str, dict[str, float]]]:
        """For each text and head the probability of each label."""


@dataclass(frozen=True, slots=True)
class Mattered:
    """A word, where it stands in the text, and how much probability it gave the label: -1 to 1."""

    word: str
    start: int
    gave: float


def explain(model: Asked, text: str, labels: Mapping[str, str]) -> dict[str, list[Mattered]]:
    """For each head and the label it chose: every word of the text, in order, with what it gave the label."""
    words = list(_WORD.finditer(text))[:MOST_WORDS]
    without = [text[: word.start()] + text[word.end() :] for word in words]
    whole, *parts = model.probabilities([text, *without])
    return {
        head: [
            Mattered(word.group(), word.start(), whole[head][label] - part[head][label])
            for word, part in zip(words, parts, strict=True)
        ]
        for head, label in labels.items()
    }


def that_mattered(words: Sequence[Mattered], most: int = 5, least: float = 0.03) -> list[Mattered]:
    """The words that gave most, the strongest first; those that gave hardly anything are left out."""
    strong = [word for word in words if word.gave >= least]
    return sorted(strong, key=lambda word: -word.gave)[:most]
