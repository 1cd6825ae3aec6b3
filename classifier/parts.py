"""Looks at a post part by part: a post that is calm as a whole and not throughout is in doubt.

A complaint does not become small talk because somebody wrote a recipe behind it, but the model, asked about
the whole, may say so. No list of words can know every text that could stand there. So what would be let go
by is read once more where it seems least calm: a few short parts by themselves, of which one holds most of
the complaint and little else. Where to look costs nothing: the pass over the whole has said of each token
how calm it is.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

PART: Final = 12
"""Tokens in a part: what a short complaint has."""
APART: Final = 8
"""So many tokens lie between the beginnings of two parts at least, or all would show the same few words."""
MOST: Final = 3
"""Parts of a text, however long it is."""
CALM: Final = 0.4
"""How likely it must be of each part that it needs no reply; docs/model.md has what other values cost."""


def parts_of(ids: Sequence[int], calm: Sequence[float]) -> list[list[int]]:
    """The parts of a text that seem least calm, each between the marks of its beginning and end.

    ``ids`` are the tokens of the text, with its marks; ``calm`` tells of each how much it speaks for calm.
    A text that is no longer than one part has none: it was read already.
    """
    start, *inner, end = ids
    if len(inner) <= PART:
        return []
    return [[start, *inner[at : at + PART], end] for at in _least_calm(calm[1:-1])]


def _least_calm(calm: Sequence[float]) -> list[int]:
    """Where the parts begin, the least calm first."""
    before = [0.0, *accumulate(calm)]
    inside = [after - first for first, after in zip(before, before[PART:], strict=False)]
    chosen: list[int] = []
    for at in sorted(range(len(inside)), key=inside.__getitem__):
        if all(abs(at - other) >= APART for other in chosen):
            chosen.append(at)
        if len(chosen) == MOST:
            break
    return chosen
