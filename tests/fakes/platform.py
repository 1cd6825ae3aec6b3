"""A platform played by hand: what it answers to each attempt is written down by the test.

Features: a script of fates, one an attempt; posts that arrive although their answer is lost; posts that
arrive late; mentions that are deleted or edited; replies by somebody else of the brand; a count of
every POST, so that a test can say how many there were.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from casework.clock import Clock
from casework.mention import Mention
from casework.reply import Outgoing
from platforms.platform import Fate, Finding, Gone, Path, Posted, Present, Profile, Unknown


@dataclass
class ScriptedPlatform:
    """Answers attempts with the next fate of ``script``; posts when it runs out."""

    clock: Clock
    script: list[Fate | str] = field(default_factory=list)
    texts: dict[str, str | None] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    posts: list[Outgoing] = field(default_factory=list)
    attempts: int = 0
    looks: int = 0
    name: str = "scripted"
    read_lag: timedelta = timedelta(seconds=5)

    paths: Sequence[Path] = ()
    can_post: bool = True
    taken_back: list[str] = field(default_factory=list)

    async def reread(self, mention: Mention) -> Present | Gone:
        """The text that the test set; None means deleted."""
        text = self.texts.get(mention.key, mention.text)
        return Gone() if text is None else Present(text)

    async def reread_all(self, mentions: Sequence[Mention]) -> list[Present | Gone]:
        """The texts that the test set."""
        return [await self.reread(mention) for mention in mentions]

    async def take_back(self, reply_id: str) -> None:
        """Note what was deleted."""
        self.taken_back.append(reply_id)

    async def profile(self) -> Profile | None:
        """The account of the test's brand."""
        return Profile("brand", "auroraair", labelled=True)

    async def examine(self) -> Sequence[Finding]:
        """All is well."""
        return [Finding("login", "ok", "as auroraair")]

    async def close(self) -> None:
        """Nothing is open."""

    async def answered(self, mention: Mention, *, ours: frozenset[str]) -> str | None:
        """The reply by somebody else that the test set."""
        found = self.others.get(mention.key)
        return found if found not in ours else None

    async def reply(self, mention: Mention, outgoing: Outgoing) -> Fate:
        """The next fate: a ready one, ``lost`` (it arrived, its answer did not) or ``raise``."""
        self.attempts += 1
        fate = self.script.pop(0) if self.script else "post"
        if fate == "raise":
            raise ValueError("a bug in the library")
        if not isinstance(fate, str):
            return fate
        self.posts.append(outgoing)
        return Unknown("the answer was lost") if fate == "lost" else self._posted(len(self.posts))

    async def find_reply(self, mention: Mention, outgoing: Outgoing) -> Posted | None:
        """The post with this key, if it arrived."""
        self.looks += 1
        keys = [post.key for post in self.posts]
        return self._posted(keys.index(outgoing.key) + 1) if outgoing.key in keys else None

    def _posted(self, number: int) -> Posted:
        return Posted(f"reply-{number}", self.clock.now())
