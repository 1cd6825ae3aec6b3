"""Whether a text names the brand: its words whole, whatever their case, and never inside a longer word."""

import re
import unicodedata
from collections.abc import Iterable

import regex  # type: ignore[import-untyped]


class Words:
    """The words that a brand listens for.

    A word stands for itself, in any case and any Unicode form of it; ``#word`` and ``@word`` are found by
    the bare word, and a bare word is found inside neither a longer word nor a longer handle. Letters of
    another script that only look the same are other letters.
    """

    def __init__(self, words: Iterable[str]) -> None:
        """Empty and blank words are none."""
        plain = sorted({w for word in words if (w := _folded(word).lstrip("#@").strip())}, key=len)
        self.plain = tuple(plain)
        joined = "|".join(r"\s+".join(map(regex.escape, word.split())) for word in reversed(plain))
        self._whole = regex.compile(rf"(?<![\p{{L}}\p{{N}}_])(?:{joined})(?![\p{{L}}\p{{N}}_])")

    def __bool__(self) -> bool:
        """Whether there is any word to listen for."""
        return bool(self.plain)

    def within(self, text: str) -> bool:
        """Whether the text has one of the words."""
        return bool(self.plain) and self._whole.search(_folded(text)) is not None

    def first_look(self) -> "re.Pattern[bytes]":
        r"""A quick look at raw UTF-8 or JSON: what it does not match cannot have one of the words.

        It lets through too much, never too little: each word by its longest run of plain letters, or
        nothing sifted out where a word has none of three. JSON may write any letter as ``\uXXXX``: a
        text that does so with plain letters is let through by the escape itself.
        """
        runs = [_longest_run(word) for word in self.plain]
        if not runs or min(map(len, runs)) < _SHORTEST_RUN:
            return re.compile(rb"")
        escaped = rb"\\u00[4-7][0-9a-fA-F]"
        return re.compile(b"|".join([*(re.escape(run.encode()) for run in runs), escaped]), re.IGNORECASE)


_SHORTEST_RUN = 3


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _longest_run(word: str) -> str:
    return max(re.findall(r"[a-z0-9]+", word), key=len, default="")
