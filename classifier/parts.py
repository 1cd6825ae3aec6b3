"""Looks at a post part by part: a post that is calm as a whole and not throughout is in doubt.

A complaint does not become small talk because somebody wrote a recipe behind it, but the model, asked about
the whole, may say so. No list of words can know every text that could stand there. So what would be let go
by is read once more in short overlapping parts, of which one holds most of the complaint and little else.
"""

from collections.abc import Sequence
from typing import Final

PART: Final = 12
"""Tokens in a part: what a short complaint has."""
STEP: Final = 4
"""From one part to the next, so that each stretch of nine tokens lies whole in one."""
CALM: Final = 0.4
"""How likely it must be of each part that it needs no reply; docs/model.md has what other values cost."""


def parts_of(ids: Sequence[int]) -> list[list[int]]:
    """The parts of a text that was tokenised, each between the marks of its beginning and end.

    A text that is no longer than one part has none: it was read already. The longest text that the model
    reads has thirty.
    """
    start, *inner, end = ids
    if len(inner) <= PART:
        return []
    last = len(inner) - PART
    return [[start, *inner[at : at + PART], end] for at in (*range(0, last, STEP), last)]
