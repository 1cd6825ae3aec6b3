"""Whether a text names the brand: its words whole, whatever their case, and never inside a longer word."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import regex  # type: ignore[import-untyped]


class Words:
    """The words that a brand listens for.

    A word stands for itself, in any case and any Unicode form of it; ``#word`` and ``@word`` are found by
    the bare word, and a bare word is found inside neither a longer word nor a longer handle. Letters of
    another script that only look the same are other letters.
    """

    def __init__(self, words: Iterable[str]) -> None:
        """Empty and blank words are none."""
        plain = sorted({w for word in words if (w := folded(word).lstrip("#@").strip())}, key=len)
        self.plain = tuple(plain)
        joined = "|".join(r"\s+".join(map(regex.escape, word.split())) for word in reversed(plain))
        self._whole = regex.compile(rf"(?<![\p{{L}}\p{{N}}_])(?:{joined})(?![\p{{L}}\p{{N}}_])")

    def __bool__(self) -> bool:
        """Whether there is any word to listen for."""
        return bool(self.plain)

    def within(self, text: str) -> bool:
        """Whether the text has one of the words."""
        return bool(self.plain) and self._whole.search(folded(text)) is not None

    def first_look(self) -> "FirstLook":
        """A quick look at raw UTF-8 or JSON: what it passes over cannot have one of the words."""
        runs = [_run(word) for word in self.plain]
        plain = [run.encode() for run in runs if run.isascii()]
        plain = [run for run in plain if not any(other != run and other in run for other in plain)]
        spelled = [_spellings(run) for run in runs if not run.isascii()]
        elsewhere = {other for run in runs for other in _other_sources(run)}
        odd = b"|".join([*spelled, *([_any_of(elsewhere)] if elsewhere else [])])
        return FirstLook(tuple(plain), re.compile(odd) if odd else None)


@dataclass(frozen=True, slots=True)
class FirstLook:
    r"""Lets through too much, never too little, and decides most of a stream in a fraction of a parse.

    A text that has a word has the longest run of the word's letters, and each of them comes from
    somewhere: from the letter itself in either case; or from another character that Unicode folds to it
    (``ａ``, ``ſ``, ``ﬁ``, the Kelvin sign); or from an escape ``\uXXXX``. `plain` finds the first,
    `odd` the second among the characters beyond ASCII.
    """

    plain: tuple[bytes, ...]
    odd: "re.Pattern[bytes] | None"

    def lets_through(self, raw: bytes) -> bool:
        """Whether one of the words may be in there."""
        lower = raw.lower()
        for run in self.plain:
            if run in lower:
                return True
        if raw.find(92) >= 0 and _ESCAPE.search(raw):  # A backslash: one byte is found faster than two.
            return True
        if self.odd is None or raw.isascii():
            return False
        # Without the ASCII, of which there is most, a slow search has little to go through.
        return self.odd.search(raw.translate(None, _ASCII)) is not None


def folded(text: str) -> str:
    """The text as it is compared: one form for each character, and one case."""
    return unicodedata.normalize("NFKC", text).casefold()


# Escapes below "0" and from ":" to "?" are punctuation, and common: many encoders write & and < so.
_ESCAPE: Final = re.compile(rb"\\u(?!00(?:[0-2]|3[a-fA-F]))")
_ASCII: Final = bytes(range(0x80))
_SHORTEST_RUN: Final = 3
_FOLDING_PLANES: Final = range(0x80, 0x30000)
"""Where characters are that fold to others; beyond are none. A test goes through all of Unicode."""


def _run(word: str) -> str:
    """The part of a word to look for: its longest run of plain letters, or of others if that is too short."""
    plain = max(re.findall(r"[a-z0-9]+", word), key=len, default="")
    others = max(re.findall(r"[^\x00-\x7f\s]+", word), key=len, default="")
    return plain if len(plain) >= _SHORTEST_RUN or not others else others


def _spellings(run: str) -> bytes:
    """A run of letters beyond ASCII, each in every character that is exactly this letter in some case."""
    return b"".join(
        b"(?:"
        + b"|".join(re.escape(same.encode()) for same in sorted({letter, *_tables().same[letter]}))
        + b")"
        if letter in _tables().same
        else re.escape(letter.encode())
        for letter in run
    )


def _other_sources(run: str) -> set[bytes]:
    """Every character beyond ASCII that a letter of the run may come from, unless `_spellings` has it."""
    tables = _tables()
    found = {other for letter in run for other in tables.part.get(letter, ())}
    if run.isascii():
        found |= {same for letter in run for same in tables.same.get(letter, ())}
    marks = {mark for letter in run for mark in tables.marks.get(letter, ())}
    found |= {joining for joining, holds in tables.joining.items() if marks & holds}
    return {other.encode() for other in found if not other.isascii()}


def _any_of(sources: set[bytes]) -> bytes:
    """A pattern for any of these, their beginnings shared: tried one by one they would be slow."""
    tails: dict[bytes, set[bytes]] = {}
    for source in sources:
        tails.setdefault(source[:1], set()).add(source[1:])
    if tails and all(tail == {b""} for tail in tails.values()):
        return b"[" + b"".join(map(re.escape, sorted(tails))) + b"]"
    branches = [
        re.escape(first) + (b"" if tail == {b""} else _any_of(tail)) for first, tail in sorted(tails.items())
    ]
    return b"(?:" + b"|".join(branches) + b")"


@dataclass(frozen=True, slots=True)
class _Tables:
    """Where folded letters come from.

    ``same``: the characters that fold to exactly this letter. ``part``: those whose folding holds it
    beside others. ``marks``: what joins a letter before it to become this one (e + ◌́, ᄒ + ᅡ).
    ``joining``: the characters that such marks come in, with what they hold.
    """

    same: Mapping[str, frozenset[str]]
    part: Mapping[str, frozenset[str]]
    marks: Mapping[str, frozenset[str]]
    joining: Mapping[str, frozenset[str]]


@cache
def _tables() -> _Tables:
    same: dict[str, set[str]] = {}
    part: dict[str, set[str]] = {}
    marks: dict[str, set[str]] = {}
    apart: dict[str, str] = {}
    for letter in map(chr, _FOLDING_PLANES):
        fold = folded(letter)
        if fold != letter:
            for piece in fold:
                (same if len(fold) == 1 else part).setdefault(piece, set()).add(letter)
        decomposed = unicodedata.normalize("NFD", letter)
        if len(decomposed) > 1:
            for piece in {*fold, letter}:
                marks.setdefault(piece, set()).update(decomposed[1:])
        apart[letter] = unicodedata.normalize("NFKD", letter)
    every = {mark for of_letter in marks.values() for mark in of_letter}
    joining = {
        letter: frozenset(pieces)
        for letter, pieces in apart.items()
        if (unicodedata.combining(pieces[0]) or pieces[0] in every) and every & set(pieces)
    }
    return _Tables(_frozen(same), _frozen(part), _frozen(marks), joining)


def _frozen(table: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {piece: frozenset(letters) for piece, letters in table.items()}
