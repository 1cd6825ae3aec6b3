"""One public post that names the brand, as received, and the account that wrote it. Never changed."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Author:
    """The account that wrote a post; ``id`` is the platform's own and never changes, the handle may."""

    id: str
    handle: str
    name: str = ""
    followers: int = 0
    bot: bool = False

    @property
    def first_name(self) -> str:
        """The name to greet by: the first word of the display name, or the handle."""
        return (self.name.split() or [self.handle])[0]


@dataclass(frozen=True, slots=True)
class Mention:
    """One public post.

    ``addressed`` says that the author spoke to the brand (an @mention of it, or a reply to it), which
    the platforms' rules turn on (X1, B1). ``in_reply_to``, ``repost_of`` and ``conversation`` are post
    ids of the same platform; ``cross_post_of`` is the key of the post it is a declared copy of.
    """

    platform: str
    id: str
    author: Author
    text: str
    created_at: datetime
    addressed: bool = True
    in_reply_to: str | None = None
    conversation: str | None = None
    repost_of: str | None = None
    cross_post_of: str | None = None
    language: str | None = None
    url: str | None = None

    @property
    def key(self) -> str:
        """``platform:id``: what makes a mention the same mention wherever it is heard."""
        return f"{self.platform}:{self.id}"

    @property
    def follows(self) -> bool:
        """Whether it belongs to something said before."""
        return bool(self.in_reply_to) or self.conversation not in (None, self.id)

    @property
    def threads(self) -> tuple[str, ...]:
        """The posts that this one may belong with, nearest first; itself last."""
        if not self.follows:
            return (self.id,)
        candidates = (self.in_reply_to, self.conversation, self.id)
        return tuple(dict.fromkeys(post for post in candidates if post))
