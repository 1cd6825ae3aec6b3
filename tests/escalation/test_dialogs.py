"""The dialogs: what they ask, what they carry, and that only what they asked is read back."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from casework.case import Case
from casework.classification import Intent, Sentiment, Urgency
from casework.decisions import Hard, Labels
from escalation import dialogs
from escalation.dialogs import Next, Place, Submitted, read, read_metadata
from escalation.slack_payload import View, read_value
from tests.escalation.looks import (
    ODD,
    POST_URL,
    STATES,
    a_look,
    held,
    in_state,
    naughty,
    proposed,
    written_by_a_stranger,
)
from tests.fakes.block_kit import DESK, problems
from tests.fakes.cases import BY_HAND, a_draft, drafted

LINKS = (DESK, POST_URL)
CARD = Place("C0SOCIAL", "1795443000.000100")


def every(case: Case, text: str = "") -> Iterator[View]:
    """Every dialog of a case; ``text`` wherever somebody may have typed it."""
    look = a_look()
    yield dialogs.edit(case, look, CARD)
    yield dialogs.edit(
        case, look, CARD, objections=[text or "Too long.", Hard("It names a price.")], text=text
    )
    yield dialogs.reject(case, CARD)
    yield dialogs.snooze(case, look, CARD)
    yield dialogs.relabel(case, CARD)
    yield dialogs.close(case, CARD, reason="irrelevant")
    yield dialogs.escalate(case, CARD, to=("managers", "leads"))
    yield dialogs.note(case, CARD)
    yield dialogs.posted(case, look, CARD)
    yield dialogs.assign(case, CARD)
    yield dialogs.explain(case, look, CARD, rule_words=f"when: any\ndo: draft\n{text}")
    yield dialogs.sending(case)
    yield dialogs.sent(case)
    yield dialogs.done("Rejected", text or "Heard writes another draft.")
    yield dialogs.failed(text or "It broke.", typed=text)


def filled(view: View) -> dict[str, Any]:
    """What Slack sends when somebody presses the dialog's button at once."""
    values: dict[str, Any] = {}
    for block in view.as_json()["blocks"]:  # type: ignore[attr-defined]  # a list of blocks
        if block["type"] != "input":
            continue
        element = block["element"]
        answer = {
            "plain_text_input": {"value": element.get("initial_value")},
            "checkboxes": {"selected_options": element.get("initial_options", [])},
            "users_select": {"selected_user": "U012ABC"},
            "datetimepicker": {"selected_date_time": element.get("initial_date_time")},
        }.get(element["type"], {"selected_option": element.get("initial_option")})
        values[block["block_id"]] = {element["action_id"]: {"type": element["type"], **answer}}
    return {"values": values}


def typed(view: View, **answers: object) -> dict[str, Any]:
    """The same with some answers given: ``block=value``."""
    state = filled(view)
    for block, value in answers.items():
        (action,) = state["values"][block]
        answer = state["values"][block][action]
        field = next(name for name in answer if name != "type")
        choice = isinstance(value, str) and field == "selected_option"
        answer[field] = {"value": value} if choice else value
    return state


def words(view: View) -> str:
    return json.dumps(view.as_json(), ensure_ascii=False)


# ── what they show and carry ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", STATES)
def test_slack_takes_every_dialog_in_every_state(name: str) -> None:
    """A dialog may open on a card that is just being drawn anew."""
    case, _ = in_state(name)
    for view in every(case):
        assert problems(view, links=LINKS) == [], view.title


def test_every_dialog_carries_the_case_the_text_and_the_place_of_its_card() -> None:
    """What is submitted decides about what was shown, and the card is found to draw it anew."""
    case = drafted()
    for view in list(every(case))[:-2]:
        origin = read_metadata(view.private_metadata)
        assert origin is not None
        assert (origin.value.case, origin.value.version) == (case.id, case.version)
        assert origin.value.draft == a_draft().sha256[:16]
        assert view.callback_id == "told" or origin.place == CARD


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "{",
        "[]",
        "{}",
        '{"value":"{}","ch":"C","ts":"1"}',
        '{"value":1,"ch":2,"ts":3}',
        "[" * 9_000,
        7,
    ],
)
def test_metadata_that_is_not_ours_is_nothing(raw: object) -> None:
    """Never an exception: whoever sends it decides what it is."""
    assert read_metadata(raw) is None


def test_the_edit_dialog_begins_with_the_draft_and_counts_as_the_platform_does() -> None:
    """It is locked while it is open, so Slack tells when it is closed."""
    view = dialogs.edit(drafted(), a_look(), CARD)

    assert '"initial_value": "Hi Maya, we are looking for it."' in words(view)
    assert "31 of 280 characters as X counts" in words(view)
    assert view.notify_on_close
    assert view.submit == "Send reply"


def test_the_edit_dialog_keeps_what_was_typed_letter_by_letter() -> None:
    """What is written out for the eye on a card would be written into the reply here."""
    hidden = "a\u200bb <!channel>"

    assert json.dumps(hidden) in json.dumps(dialogs.edit(drafted(), a_look(), CARD, text=hidden).as_json())


def test_objections_stand_above_the_reply() -> None:
    """Those that refuse it are marked as such."""
    view = dialogs.edit(drafted(), a_look(), CARD, objections=["It names a flight.", Hard("It is too long.")])
    alerts = [block for block in view.blocks if block["type"] == "alert"]

    assert [block["level"] for block in alerts] == ["warning", "error"]


def test_a_reply_too_long_for_the_box_is_edited_at_the_desk() -> None:
    """The box would cut it, and nobody would see what is gone."""
    view = dialogs.edit(drafted(), a_look(), CARD, text="a" * 3_001)

    assert not view.submit
    assert "Edit it at the desk" in words(view)
    assert f"{DESK}/cases/C-100" in words(view)
    assert problems(view, links=LINKS) == []


@pytest.mark.parametrize(
    ("case", "needed", "submit"),
    [(drafted(), 1, "Send reply"), (drafted(), 2, "Save reply"), (proposed(BY_HAND), 1, "Save reply")],
)
def test_the_edit_dialog_offers_to_send_only_where_that_can_be(case: Case, needed: int, submit: str) -> None:
    """Not where the platform does not let Heard, nor where whoever wrote it may not approve it."""
    view = dialogs.edit(case, a_look(approvals=lambda _case: needed), CARD)

    assert view.submit == submit
    got = read("edit.submit", filled(view))
    assert got
    assert got.review is (submit == "Save reply")


def test_why_this_card_tells_all_that_led_to_it() -> None:
    """Labels and how sure, the rule in the brand's words, what the draft rests on, what was rejected."""
    case = replace(proposed(topics=("legal",)), rejections=("Too cold",))
    assert case.classification
    case = replace(case, classification=replace(case.classification, truncated=True, model="small-1"))
    told = words(dialogs.explain(case, a_look(), CARD, rule_words="when: {topic: refund}\ndo: draft"))

    for said in (
        "Sure of the intent to 90 %",
        "Judged by small-1",
        "Word rules found: legal",
        "Only the beginning of the post was judged",
        "`refunds`",
        "when: {topic: refund}",
        "Delayed bags (KB-12)",
        "Too cold",
        "*first hour*: due",
    ):
        assert said in told


def test_a_failure_keeps_the_text_that_was_typed() -> None:
    """Nobody writes a reply twice because something broke."""
    view = dialogs.failed("Something went wrong and nothing was sent. Quote err-7f3a.", typed="Hi Maya")

    assert "Hi Maya" in words(view)
    assert problems(view) == []


# ── what comes back ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("view", "answers", "expected"),
    [
        (dialogs.edit(drafted(), a_look(), CARD), {"reply": "Hi!"}, Submitted(text="Hi!")),
        (
            dialogs.edit(drafted(), a_look(), CARD),
            {"reply": "Hi!", "opts": [{"value": "review"}]},
            Submitted(text="Hi!", review=True),
        ),
        (
            dialogs.reject(drafted(), CARD),
            {"reason": "facts", "note": " no such flight "},
            Submitted(reason="The facts are wrong: no such flight", next=Next.REDRAFT),
        ),
        (
            dialogs.reject(drafted(), CARD),
            {"reason": "noreply", "next": "close"},
            Submitted(reason="It needs no reply", next=Next.CLOSE),
        ),
        (
            dialogs.snooze(drafted(), a_look(), CARD),
            {},
            Submitted(until=datetime(2026, 11, 3, 13, 15, tzinfo=UTC)),
        ),
        (
            dialogs.relabel(drafted(), CARD),
            {"intent": "praise"},
            Submitted(labels=Labels(Sentiment.NEGATIVE, Intent.PRAISE, Urgency.HIGH)),
        ),
        (dialogs.close(drafted(), CARD, reason="irrelevant"), {}, Submitted(reason="Not about us")),
        (
            dialogs.escalate(drafted(), CARD),
            {"reason": "A lawyer wrote"},
            Submitted(to="managers", reason="A lawyer wrote"),
        ),
        (dialogs.note(drafted(), CARD), {"note": "call her"}, Submitted(text="call her")),
        (dialogs.posted(drafted(), a_look(), CARD), {}, Submitted(text="Hi Maya, we are looking for it.")),
        (dialogs.assign(drafted(), CARD), {}, Submitted(to="U012ABC")),
    ],
)
def test_what_a_dialog_asked_is_read_back(
    view: View, answers: dict[str, object], expected: Submitted
) -> None:
    """Through the answer as Slack sends it."""
    assert read(view.callback_id, typed(view, **answers)) == expected


NEEDED = {"reply": "Hi", "note": "because", "reason": "noreply", "next": "own"}
FOREIGN: list[Any] = [
    None,
    7,
    "text",
    [],
    {},
    {"value": 7, "selected_option": 7, "selected_user": 7, "selected_date_time": "now"},
    {"value": "a" * 3_001, "selected_option": {"value": "facts\n"}, "selected_user": "nina"},
    {
        "value": ["a"],
        "selected_option": {"text": "x"},
        "selected_user": "<!here>",
        "selected_date_time": 10**20,
    },
    {"value": {"a": 1}, "selected_option": None, "selected_date_time": True, "selected_user": None},
]
SUBMITTABLE = [view for view in every(drafted()) if view.submit and not view.callback_id.startswith("edit")]


@pytest.mark.parametrize("view", SUBMITTABLE, ids=lambda view: view.callback_id)
def test_a_field_that_is_missing_or_foreign_makes_the_submission_nothing(view: View) -> None:
    """Each field taken away, and each replaced by what no box of ours sends; never an exception."""
    whole = typed(view, **{k: v for k, v in NEEDED.items() if k in filled(view)["values"]})
    assert read(view.callback_id, whole) is not None

    for block, asked in whole["values"].items():
        (action,) = asked
        # Slack may leave out what nobody wrote where nothing need be.
        optional = block == "note" and view.callback_id != "note.submit"
        wrong = [{action: foreign} for foreign in FOREIGN if not (optional and foreign == {})]
        for answer in (None, {}, *wrong):
            assert read(view.callback_id, {"values": {**whole["values"], block: answer}}) is None, answer
        others = {name: given for name, given in whole["values"].items() if name != block}
        assert read(view.callback_id, {"values": others}) is None


@pytest.mark.parametrize(
    "state", [None, 7, "x", [], {}, {"values": None}, {"values": []}, {"values": {"reply": 1}}]
)
def test_a_state_that_is_none_is_nothing(state: object) -> None:
    """For every dialog, and for one that we do not have."""
    for view in SUBMITTABLE:
        assert read(view.callback_id, state) is None
    assert read("edit.submit", state) is None
    assert read("told", {"values": {}}) is None
    assert read(7, {"values": {}}) is None


def test_a_reason_must_be_one_of_those_offered() -> None:
    """A choice that we did not offer is not written into the timeline."""
    view = dialogs.reject(drafted(), CARD)

    assert read(view.callback_id, typed(view, reason="<!channel>")) is None


def test_only_what_refuses_a_text_keeps_the_dialog_open() -> None:
    """The words stand beside the box; a warning alone stops nobody."""
    assert dialogs.edit_errors(["It names a flight."]) is None
    assert dialogs.edit_errors(["It names a flight.", Hard("It is 3 too long.")]) == {
        "response_action": "errors",
        "errors": {"reply": "It is 3 too long."},
    }
    assert len(str(dialogs.errors("until", "a" * 9_000)["errors"])) < 600


# ── hostile words ────────────────────────────────────────────────────────────────────────────────


def test_slack_obeys_no_text_in_any_dialog() -> None:
    """Odd texts everywhere in every dialog."""
    for text in ODD.values():
        for case in (drafted(), held(), proposed(BY_HAND)):
            for view in every(written_by_a_stranger(case, text), text):
                assert problems(view, links=LINKS) == [], (view.title, text[:80])


def test_slack_obeys_no_text_of_the_collections_in_the_edit_dialog() -> None:
    """As post, name, draft, objection, and typed text."""
    case, look = drafted(), a_look()
    for text in naughty():
        odd = written_by_a_stranger(case, text)
        for view in (
            dialogs.edit(odd, look, CARD, objections=[text or "-"]),
            dialogs.explain(odd, look, CARD),
        ):
            assert problems(view, links=LINKS) == [], text[:80]


def test_the_buttons_of_a_dialog_carry_the_case_too() -> None:
    """A press there is read as one on the card."""
    view = dialogs.explain(drafted(), a_look(), CARD)
    row: Any = view.blocks[-1]["elements"]

    assert [element["action_id"] for element in row] == ["card.note", "card.assign", "card.close"]
    assert all(read_value(element["value"]) for element in row)
