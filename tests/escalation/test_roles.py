"""Who may do what: at the press, by the brand's file, closed where nobody was named."""

import pytest

from casework.decisions import Action
from escalation.roles import ASSIGN, LOOK, NEEDED, PAUSE, Person, Role, Team

TEAM = Team(
    "T1",
    {
        Role.VIEWER: frozenset({"U-vera"}),
        Role.RESPONDER: frozenset({"U-rita"}),
        Role.APPROVER: frozenset({"U-nina"}),
        Role.MANAGER: frozenset({"U-mona"}),
    },
)


def person(name: str, **more: object) -> Person:
    return Person(f"U-{name}", name, team="T1", **more)  # type: ignore[arg-type]  # real fields


@pytest.mark.parametrize("action", sorted(NEEDED))
@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("stranger", Role.NOBODY),
        ("vera", Role.VIEWER),
        ("rita", Role.RESPONDER),
        ("nina", Role.APPROVER),
        ("mona", Role.MANAGER),
    ],
)
def test_each_role_may_what_it_needs_and_what_those_below_may(action: str, name: str, role: Role) -> None:
    """Every action, every role; a refusal is a sentence that says whom to ask."""
    said = TEAM.objection(person(name), action)

    assert (said is None) == (role >= NEEDED[action])
    assert said is None or ("<@U-mona>" in said and NEEDED[action].key in said)


@pytest.mark.parametrize("action", [action for action in sorted(NEEDED) if NEEDED[action] > Role.VIEWER])
def test_an_empty_role_is_nobodys(action: str) -> None:
    """Fail closed: a team without people lets nobody do anything, and says what to write."""
    said = Team("T1").objection(person("nina"), action)

    assert said is not None
    assert f"team › roles › {NEEDED[action].key}" in said


@pytest.mark.parametrize(
    "who",
    [
        Person("U-nina", "nina", team="T1", guest=True),
        Person("U-nina", "nina", team="T1", bot=True),
        Person("U-nina", "nina", team="T1", deleted=True),
        Person("U-nina", "nina", team="T-other"),
    ],
    ids=["guest", "bot", "deleted", "other workspace"],
)
@pytest.mark.parametrize("action", [Action.APPROVE, Action.NOTE, LOOK, ASSIGN, PAUSE])
def test_guests_bots_and_strangers_decide_nothing_whatever_the_file_says(who: Person, action: str) -> None:
    """And they are told so."""
    said = TEAM.objection(who, action)

    assert said is not None
    assert said.endswith(".")


def test_what_nobody_thought_of_is_nobodys() -> None:
    """A new action is closed until it is named."""
    assert TEAM.objection(person("mona"), "publish everything") is not None


def test_every_decision_has_a_role() -> None:
    """None is forgotten."""
    assert set(Action) <= set(NEEDED)
