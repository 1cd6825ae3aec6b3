"""What the brand listens for, and which mentions it passes over, with the reason."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from casework.mention import Mention

OLD_STYLE_REPOST: Final = re.compile(r"\s*RT @\w", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tracker:
    """The brand's own handles by platform, and words that show a mention is about something else."""

    own_handles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()

    def pass_over(self, mention: Mention) -> str | None:
        """Why a mention becomes no case; None when it does."""
        if self.is_own(mention):
            return "our own post"
        if mention.repost_of or OLD_STYLE_REPOST.match(mention.text):
            return f"a repost of {mention.repost_of or 'another post'}"
        if mention.cross_post_of:
            return f"a copy of {mention.cross_post_of}"
        words = mention.text.casefold()
        other = next((word for word in self.ignore if word.casefold() in words), None)
        # Somebody who speaks to the brand is never about something else.
        return f"about something else: {other}" if other and not mention.addressed else None

    def is_own(self, mention: Mention) -> bool:
        """Whether the brand itself wrote it: its posts come back on every feed."""
        own = self.own_handles.get(mention.platform, frozenset())
        return bare_handle(mention.author.handle) in own


def bare_handle(handle: str) -> str:
    """A handle as it is compared: without ``@`` or ``u/``, in lower case."""
    return handle.casefold().removeprefix("@").removeprefix("u/")
