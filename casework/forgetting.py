"""What stays of a case once a person is forgotten, or their posts are too old: marks for ids, and times."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from casework.case import Case, Move
from casework.mention import Author, Mention
from casework.sla import Promise
from casework.timeline import TimelineEntry

SIGN: Final = "#"
"""What a mark begins with: no id of any platform does."""

LENGTH: Final = 32
SECRET_BYTES: Final = 32
LABELLED: Final = frozenset({Move.CLASSIFY, Move.RELABEL})
"""The moves whose detail is labels and nothing else."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Makes the mark that stands for an id: always the same one, and no way back from it but guessing.

    ``secret`` is the store's own, or whoever has a list of all ids could look marks up in a table.
    """

    secret: bytes = field(repr=False)

    def author(self, platform: str, author_id: str) -> str:
        """The mark of an account."""
        return self._mark("author", platform, author_id)

    def post(self, platform: str, post_id: str) -> str:
        """The mark of a post."""
        return self._mark("post", platform, post_id)

    def key(self, mention_key: str) -> str:
        """The key of a mention whose id is a mark."""
        platform, _, post_id = mention_key.partition(":")
        return f"{platform}:{self.post(platform, post_id)}"

    def reply(self, reply_key: str) -> str:
        """The mark of a reply of ours, whose key may hold the id of what it answers."""
        return self._mark("reply", "", reply_key)

    def _mark(self, kind: str, platform: str, given: str) -> str:
        if given.startswith(SIGN):
            return given
        said = f"{kind}:{platform}:{given}".encode("utf-8", "surrogatepass")
        return SIGN + hmac.new(self.secret, said, hashlib.sha256).hexdigest()[:LENGTH]


def unnamed(case: Case, marks: Marks) -> Case:
    """The case with marks for the ids of its author and posts, without a word of theirs or about them.

    Replies lose their words, too: they greet by name, and quote.
    """
    platform = case.platform
    author = Author(id=marks.author(platform, case.author.id), handle="")
    return replace(
        case,
        author=author,
        mentions=tuple(_unnamed_mention(mention, author, marks) for mention in case.mentions),
        promises=tuple(_unnamed_promise(promise, marks) for promise in case.promises),
        replies=tuple(
            replace(
                reply,
                key=_unnamed_reply_key(reply.key, reply.answers, marks),
                text="",
                answers=marks.key(reply.answers),
            )
            for reply in case.replies
        ),
        pauses=tuple(replace(pause, reason="") for pause in case.pauses),
        draft=None,
        approvals=(),
        outgoing=None,
        rejections=(),
    )


def _unnamed_mention(mention: Mention, author: Author, marks: Marks) -> Mention:
    return Mention(
        platform=mention.platform,
        id=marks.post(mention.platform, mention.id),
        author=author,
        text="",
        created_at=mention.created_at,
        addressed=mention.addressed,
        language=mention.language,
    )


def _unnamed_promise(promise: Promise, marks: Marks) -> Promise:
    return replace(promise, mention=marks.key(promise.mention))


def _unnamed_reply_key(key: str, answers: str, marks: Marks) -> str:
    return key.replace(answers, marks.key(answers)) if answers else key


def bare(timeline: Sequence[TimelineEntry], *, labels: bool) -> tuple[TimelineEntry, ...]:
    """What happened, when and by whom, without what anybody said about it; ``labels`` may stay."""
    return tuple(
        entry if labels and entry.what in LABELLED else replace(entry, detail="") for entry in timeline
    )
