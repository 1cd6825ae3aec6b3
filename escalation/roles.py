"""Who may do what in Slack: decided from the brand's file at the press, never from a channel's membership.

An empty role is nobody's: what it would allow is refused, and the refusal says what to write where (T5).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from casework.decisions import Action


class Role(IntEnum):
    """What somebody may do; each may what those below may."""

    NOBODY = 0
    VIEWER = 1
    RESPONDER = 2
    APPROVER = 3
    MANAGER = 4

    @property
    def key(self) -> str:
        """What brand.yaml calls it: ``approver``."""
        return self.name.lower()


PAUSE: Final = "pause"
RESUME: Final = "resume"
ASSIGN: Final = "assign"
LOOK: Final = "look"

NEEDED: Final[Mapping[str, Role]] = {
    LOOK: Role.VIEWER,
    Action.NOTE: Role.VIEWER,
    Action.TAKE: Role.RESPONDER,
    Action.RELEASE: Role.RESPONDER,
    Action.EDIT: Role.RESPONDER,
    Action.REJECT: Role.RESPONDER,
    Action.SNOOZE: Role.RESPONDER,
    Action.AWAIT: Role.RESPONDER,
    Action.GO_ON: Role.RESPONDER,
    Action.CLOSE: Role.RESPONDER,
    Action.ESCALATE: Role.RESPONDER,
    Action.REOPEN: Role.RESPONDER,
    Action.POSTED: Role.RESPONDER,
    Action.RELABEL: Role.RESPONDER,
    Action.APPROVE: Role.APPROVER,
    Action.TAKE_BACK: Role.APPROVER,
    Action.HUSH: Role.MANAGER,
    ASSIGN: Role.MANAGER,
    PAUSE: Role.MANAGER,
    RESUME: Role.MANAGER,
}
"""The role that each action asks for; what is not named here is nobody's."""

_VERBS: Final[Mapping[str, str]] = {
    Action.APPROVE: "approving",
    Action.HUSH: "acknowledging an alarm",
    Action.NOTE: "leaving a note",
    Action.POSTED: "saying that you posted it",
    Action.RELABEL: "correcting a label",
    Action.TAKE_BACK: "deleting a reply",
    LOOK: "looking at cases",
    ASSIGN: "giving a case to somebody",
    PAUSE: "stopping replies",
    RESUME: "letting replies go on",
}


@dataclass(frozen=True, slots=True)
class Person:
    """Who pressed, as Slack knows them. ``team`` is their own workspace."""

    id: str
    name: str
    team: str = ""
    guest: bool = False
    bot: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Team:
    """The brand's people: each role's members by Slack ids, groups resolved. ``id`` is the workspace."""

    id: str
    members: Mapping[Role, frozenset[str]] = field(default_factory=dict)

    def role_of(self, person: Person) -> Role:
        """The highest role of which somebody is a member."""
        held = [role for role, members in self.members.items() if person.id in members]
        return max(held, default=Role.NOBODY)

    def objection(self, person: Person, action: str) -> str | None:
        """Why somebody may not do something, in a sentence for them; None when they may."""
        stranger = self._stranger(person)
        if stranger is not None:
            return stranger
        needed = NEEDED.get(action)
        if needed is None:
            return "Nobody may do that from Slack."
        if self.role_of(person) >= needed:
            return None
        doing = _VERBS.get(action, f"{str(action).removesuffix('e')}ing")
        article = "an" if needed is Role.APPROVER else "a"
        if not any(self.members.get(role) for role in Role if role >= needed):
            return (
                f"Nobody has the {needed.key} role yet, so {doing} is closed to everybody: "
                f"add people to team › roles › {needed.key} in brand.yaml."
            )
        return f"For {doing} you need to be {article} {needed.key}. {self._whom_to_ask()}"

    def _stranger(self, person: Person) -> str | None:
        if person.bot:
            return "Bots decide nothing here."
        if person.deleted:
            return "This account is deactivated."
        if person.guest:
            return "Guests can look, and decide nothing: ask a member of the team."
        if self.id and person.team and person.team != self.id:
            return "People of other workspaces decide nothing here: ask a member of the team."
        return None

    def _whom_to_ask(self) -> str:
        managers = sorted(self.members.get(Role.MANAGER, frozenset()))[:3]
        # Ids are Slack's own; a mention in an answer that only they see pings nobody.
        return "Ask " + ", ".join(f"<@{one}>" for one in managers) + "." if managers else "Ask your admin."
