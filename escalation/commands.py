"""The words after ``/heard``: read here, and what they answer, in mrkdwn of our own. Pure values."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from casework.case import Case, Standing, Status, standing
from casework.decisions import Action
from escalation.cards import DOT, Look, due_words, full_name, stands_at
from escalation.roles import ASSIGN, LOOK, PAUSE, RESUME, Role, Team
from escalation.slack_payload import esc, link

HELP: Final[Mapping[str, str]] = {
    "queue": "the cases that wait, most urgent first",
    "mine": "those of them that are yours",
    "case C-123": "one case",
    "take": "take the next one, or `take C-123`",
    "sla": "how the promises stand",
    "who": "who may do what",
    "pause": "stop all replies",
    "resume": "let replies go on",
    "digest now": "send today's digest",
    "health": "what the doctor finds",
    "help": "this",
}
"""Every word, as it is typed, and what it does."""

NEEDS: Final[Mapping[str, str]] = {
    "queue": LOOK,
    "mine": LOOK,
    "case": LOOK,
    "take": Action.TAKE,
    "sla": LOOK,
    "who": LOOK,
    "pause": PAUSE,
    "resume": RESUME,
    "digest": ASSIGN,
    "health": LOOK,
}
"""The role action that each word asks for; ``help`` is everybody's."""

_ROWS: Final = 12
_CASE: Final = re.compile(r"c-?([1-9][0-9]{0,15})", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asks: the word, the case if one is named, and whatever else was typed."""

    word: str
    case: str = ""
    rest: str = ""
    meant: str = ""
    """The nearest word, where the word is none."""


def read_command(text: str) -> Command:
    """What was typed after ``/heard``; without a word it is ``help``."""
    words = text.split()
    word = words[0].casefold() if words else "help"
    rest = " ".join(words[1:])
    if _CASE.fullmatch(word):
        word, rest = "case", word
    found = _CASE.fullmatch(rest.strip("*_`"))
    case = f"C-{found[1]}" if found else ""
    if word == "help" or word in NEEDS:
        return Command(word, case, rest)
    nearest = difflib.get_close_matches(word, [*NEEDS, "help"], n=1, cutoff=0.5)
    return Command("", case, rest, meant=nearest[0] if nearest else "")


def helped(unknown: str = "", meant: str = "") -> str:
    """Every word there is; after one that is none, the nearest."""
    lines = [f"`/heard {word}`{DOT}{does}" for word, does in HELP.items()]
    if not unknown:
        return "\n".join(lines)
    hint = f" Did you mean `/heard {meant}`?" if meant else ""
    return "\n".join([f"There is no `/heard {esc(unknown, 30)}`.{hint}", *lines])


def listed(cases: Sequence[Case], look: Look, *, nothing: str) -> str:
    """Some cases, a line each, without a word of a post."""
    if not cases:
        return nothing
    lines = [line(case, look) for case in cases[:_ROWS]]
    if len(cases) > _ROWS:
        lines.append(f"… and {len(cases) - _ROWS} more: open the Home tab of this app.")
    return "\n".join(lines)


def line(case: Case, look: Look) -> str:
    """One case."""
    page = f"{look.desk_url.rstrip('/')}/cases/{case.id}" if look.desk_url else None
    owner = f"{DOT}{esc(case.owner, 40)} has it" if case.owner else ""
    state = due_words(case, look) if case.open else f"*{standing(case)}*"
    return f"{link(page, case.id)}{DOT}{state}{DOT}{esc(full_name(case))}{owner}"


def promises(cases: Sequence[Case], counts: Mapping[Status, int], look: Look) -> str:
    """How many cases stand how, of those that wait for people."""
    stand = [stands_at(case, look.now) for case in cases]
    told = [f"*{stand.count(one)}* {str(one).lower()}" for one in Standing if stand.count(one)]
    busy = counts.get(Status.SENDING, 0) + counts.get(Status.UNKNOWN, 0) + counts.get(Status.APPROVED, 0)
    waits = f"Waiting for people: {DOT.join(told)}." if told else "Nothing waits for people."
    return f"{waits}\nOn their way: {busy}. Answered: {counts.get(Status.ANSWERED, 0)}."


def who(team: Team) -> str:
    """Who may do what, as Slack ids: an answer that one person sees pings nobody."""
    lines = []
    for role in sorted(Role, reverse=True):
        members = sorted(team.members.get(role, frozenset()))
        if members:
            lines.append(f"*{role.key}*{DOT}" + ", ".join(f"<@{one}>" for one in members[:30]))
    return "\n".join(lines) or "Nobody has a role yet: add people to team › roles in brand.yaml."
