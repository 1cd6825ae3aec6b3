"""A proposed reply that nobody has decided on, and what it rests on."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class ReplyKind(StrEnum):
    """What the customer gets: an acknowledgement says "we have seen it", an answer settles the matter."""

    ACKNOWLEDGEMENT = "acknowledgement"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Source:
    """What a draft cites: an article of the knowledge base or a reviewed template."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposed reply to the customer's last mention.

    ``answers`` is the key of that mention: when the customer writes again the draft is retired, as it
    proposes nothing for what they said since. ``written_by`` is ``heard`` or the person who edited it.
    """

    id: str
    text: str
    answers: str
    kind: ReplyKind = ReplyKind.ANSWER
    language: str = "en"
    sources: tuple[Source, ...] = ()
    written_by: str = "heard"

    @property
    def sha256(self) -> str:
        """The fingerprint that binds an approval to exactly this text (T5)."""
        return hashlib.sha256(self.text.encode()).hexdigest()
