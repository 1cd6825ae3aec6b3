"""App Home: whose turn it is, the most urgent first; and on the first day what to do."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from casework.case import Case
from escalation import home
from escalation.home import ROWS, SHOWS, Page, Step, read_page
from escalation.slack_payload import View, read_value
from tests.escalation.looks import (
    ODD,
    STATES,
    a_look,
    in_state,
    naughty,
    proposed,
    snoozed,
    written_by_a_stranger,
)
from tests.fakes.block_kit import DESK, problems
from tests.fakes.cases import MINUTE, drafted

SKETCHES = Path("/work/shared/ux")


def numbered(number: int, minutes: int = 0, owner: str | None = None, case: Case | None = None) -> Case:
    """A case of its own, begun so many minutes after the others."""
    made = case or drafted()
    later = tuple(replace(promise, due_at=promise.due_at + minutes * MINUTE) for promise in made.promises)
    return replace(made, id=f"C-{number}", promises=later, owner=owner)


def elements(view: View) -> Iterator[dict[str, Any]]:
    for block in view.as_json()["blocks"]:  # type: ignore[attr-defined]  # a list of blocks
        found = block.get("elements", []) if block["type"] == "actions" else []
        yield from [*found, *([block["accessory"]] if "accessory" in block else [])]


def listed(view: View) -> list[str]:
    """The cases on the page, in order."""
    opens = [e for e in elements(view) if e["action_id"] == "home.open"]
    return [value.case for value in (read_value(e["value"]) for e in opens) if value]


def words(view: View) -> str:
    return json.dumps(view.as_json(), ensure_ascii=False)


def test_yours_come_first_then_what_nobody_has_by_deadline() -> None:
    """A colleague's are theirs, and what is snoozed rests."""
    cases = [
        numbered(1, 30),
        numbered(2, 5),
        numbered(3, 50, owner="Nina"),
        numbered(4, 0, owner="Ola"),
        numbered(5, 0, case=snoozed()),
        numbered(6, -50),
    ]
    view = home.queue(cases, a_look(), you="Nina", kept=0.91)

    assert listed(view) == ["C-3", "C-6", "C-2", "C-1"]
    assert "1 yours  ·  4 unassigned  ·  1 late  ·  0 at risk  ·  0 not sent" in words(view)
    assert "today 91 % of promises kept" in words(view)
    assert "■ Late  ·  *5 min late*" in words(view)
    assert "● On time  ·  *50 min left*" in words(view)


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        ("mine", ["C-3", "C-2", "C-1"]),
        ("unassigned", ["C-2", "C-1"]),
        ("risk", ["C-2"]),
        ("everybody", ["C-2", "C-4", "C-1", "C-3", "C-5"]),
        ("snoozed", ["C-5"]),
    ],
)
def test_the_filter_shows_a_part_of_the_queue(show: str, expected: list[str]) -> None:
    """And is remembered in what Home carries."""
    cases = [
        numbered(1, 30),
        numbered(2, -50),
        numbered(3, 50, owner="Nina"),
        numbered(4, 0, owner="Ola"),
        numbered(5, 0, case=snoozed()),
    ]
    view = home.queue(cases, a_look(), you="Nina", page=Page(show))

    assert listed(view) == expected
    assert read_page(view.private_metadata) == Page(show)


def test_a_long_queue_is_paged() -> None:
    """Fifteen rows a page; a page that is no more becomes the last."""
    cases = [numbered(n, n) for n in range(1, 2 * ROWS + 2)]
    first, second, third, fourth = (
        home.queue(cases, a_look(), you="Nina", page=Page("mine", number)) for number in range(4)
    )

    assert listed(first) == [f"C-{n}" for n in range(1, ROWS + 1)]
    assert listed(second) == [f"C-{n}" for n in range(ROWS + 1, 2 * ROWS + 1)]
    assert listed(third) == listed(fourth) == [f"C-{2 * ROWS + 1}"]
    assert "Showing 16 to 30 of 31" in words(second)
    pages = {
        element["action_id"]: read_page(element["value"]).number
        for element in elements(second)
        if element["action_id"] in ("home.page", "home.previous")
    }
    assert pages == {"home.previous": 0, "home.page": 2}
    assert all(problems(view) == [] for view in (first, second, third))


def test_the_next_one_is_offered_while_there_is_one() -> None:
    """One button stands out, and only if it does something."""
    assert "home.next" in words(home.queue([numbered(1)], a_look(), you="Nina"))
    assert "home.next" not in words(home.queue([numbered(1, owner="Ola")], a_look(), you="Nina"))


@pytest.mark.parametrize("show", SHOWS)
def test_an_empty_queue_teaches(show: str) -> None:
    """It says what would stand there, and offers a practice case."""
    view = home.queue([], a_look(), you="Nina", page=Page(show))

    assert "practice.show" in words(view)
    assert problems(view) == []


@pytest.mark.parametrize(
    "raw",
    [None, 7, "", "{", "[]", '{"f":"all","p":0}', '{"f":"mine","p":-1}', '{"f":"mine","p":true}', '{"p":0}'],
)
def test_a_page_that_is_not_ours_is_the_first(raw: object) -> None:
    """Never an exception."""
    assert read_page(raw) == Page()


def test_the_first_day_is_a_checklist() -> None:
    """What is done, what is not and how to do it; the promises in the brand's words."""
    steps = [Step("Connected to Slack", done=True), Step("X: no keys yet", done=False, fix="heard init")]
    view = home.first_run(
        a_look(), steps, promises=["an answer within one hour"], guide="https://docs.example.com/slack"
    )

    assert "✔ Connected to Slack\\n☐ X: no keys yet – heard init" in words(view)
    assert "an answer within one hour" in words(view)
    assert {e["action_id"] for e in elements(view)} == {"practice.show", "home.refresh", "link.guide"}
    assert problems(view) == []
    assert problems(home.first_run(a_look(brand="<!channel> *x*"), [])) == []


def test_the_practice_case_is_marked_and_can_publish_nothing() -> None:
    """Its buttons carry nothing that a worker reads, and no platform is connected by its name."""
    shown = home.practice_card(a_look())
    carried = json.dumps(shown.as_json())

    assert shown.text.startswith("Practice.")
    assert '"card.' not in carried
    assert shown.metadata is None
    assert problems(shown) == []
    assert home.practised("practice.approve", a_look()).startswith("Practice: on a real case")
    assert home.practised("practice.<!here>", a_look()).endswith("Maya got nothing.")


def test_every_state_is_a_row() -> None:
    """Ended ones are not listed; every other is, whatever it lacks."""
    cases = [replace(in_state(name)[0], id=f"C-{n}") for n, name in enumerate(STATES)]
    for show in SHOWS:
        for number in range(4):
            page = Page(show, number)
            assert problems(home.queue(cases, a_look(), you="Nina", page=page), links=(DESK,)) == []


def test_slack_obeys_no_text_in_a_row() -> None:
    """Odd texts, and all of the collections, fifteen a page."""
    texts = [*ODD.values(), *naughty()]
    for at in range(0, len(texts), ROWS):
        rows = [
            replace(written_by_a_stranger(proposed(), text), id=f"C-{n}")
            for n, text in enumerate(texts[at : at + ROWS])
        ]
        view = home.queue(rows, a_look(), you="Nina")

        assert len(listed(view)) == len(rows)
        assert problems(view) == [], at


def test_a_colleague_s_name_is_not_obeyed() -> None:
    """Whoever may type a display name may type anything."""
    rough = "<!channel> *x* <https://evil.example|ok>"
    view = home.queue([numbered(1, owner=rough)], a_look(), you=rough)

    assert listed(view) == ["C-1"]
    assert problems(view) == []


@pytest.mark.parametrize("name", sorted(path.name for path in SKETCHES.glob("home*.json")))
def test_the_checker_takes_what_the_sketches_show(name: str) -> None:
    """It asks no more than Slack does."""
    assert problems(json.loads((SKETCHES / name).read_text())) == []
