"""Nothing goes out that carries strangers' data, made-up facts or hidden characters, or does not fit."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.guard import objections

OWN = Path("/work/shared/data/naughty/own")
KNOWN = (
    "A bag may weigh up to 23 kg and costs 500 NOK. See https://aurora.example/bags or call +47 21 00 00 00. "
    "20 % off at noon, 12:30. Ask @auroraair or help@aurora.example until 2026-10-31.",
)


def rules(text: str, platform: str = "reddit") -> set[str]:
    return {objection.rule for objection in objections(text, platform=platform, allowed=KNOWN)}


@pytest.mark.parametrize(
    "text",
    [
        "Your bag may weigh 23 kg, and it costs 500 NOK.",
        "Please see https://aurora.example/bags, or call +47 21 00 00 00.",
        "It is 20% off at 12:30, until 2026-10-31. Ask @auroraair!",
        "Write to help@aurora.example.",
        "Bagasjen kan veie ２３ kg 👨‍👩‍👧‍👦",
    ],
)
def test_facts_that_a_reviewed_text_has_may_be_said(text: str) -> None:
    """What the template or the article states is no invention, however it is spaced."""
    assert objections(text, platform="reddit", allowed=KNOWN) == ()


@pytest.mark.parametrize(
    "text",
    [
        "See https://evil.example/bags",
        "See www.evil.example/a",
        "See evil.com/refund now",
        "Open ftp://aurora.example",
        "Ask @aurora_support",
        "Ask u/aurora_helper",
        "It costs 400 NOK.",
        "It costs NOK 5000.",
        "You get €250.",
        "You get 50 % off.",
        "It takes 14 days.",
        "It may weigh ３２ kg.",
        "It may weigh ٣٢ kg.",
        "23 NOK it is",
        "Your number is 1234567890123456.",
    ],
)
def test_facts_that_no_reviewed_text_has_are_inventions(text: str) -> None:
    """Links, handles, money, percentages and numbers must stand in a reviewed text (T1)."""
    assert "T1" in rules(text)


@pytest.mark.parametrize(
    "text",
    [
        "You wrote from kari.nordmann@mail.example",
        "We will call 912 34 567",
        "We will call +44 20 7946 0958",
        "Card 4111 1111 1111 1111",
        "Card 4111-1111-1111-1111",
        "Account NO93 8601 1117 947 it is",
        "account DE89370400440532013000",
    ],
)
def test_personal_data_never_goes_out(text: str) -> None:
    """E-mail, telephone, card and account numbers are refused, and not repeated in the refusal (T9)."""
    found = [o for o in objections(text, platform="reddit", allowed=KNOWN) if o.rule == "T9"]
    assert found
    assert not any(letter.isdigit() or letter == "@" for objection in found for letter in objection.why)


@pytest.mark.parametrize(
    "hidden", ["\u202e", "\u200b", "\u2066", "\x00", "\x1b", "\U000e0041", "\ufeff", "\uffff", "\t"]
)
def test_characters_that_hide_or_turn_text_never_go_out(hidden: str) -> None:
    """Direction overrides, zero-width and tag characters and controls are refused (T3)."""
    assert rules(f"All is{hidden} well.") == {"T3"}


@pytest.mark.parametrize("text", ["", "   ", "\n", "\u200d"])
def test_an_empty_reply_never_goes_out(text: str) -> None:
    """A reply that a reader sees as blank is none."""
    (objection,) = objections(text, platform="x", allowed=())
    assert "empty" in objection.why


def test_a_reply_that_is_too_long_never_goes_out() -> None:
    """The platform's own counting decides, and the sentence says by how much."""
    (objection,) = objections("a" * 281, platform="x", allowed=())
    assert "281 of 280" in objection.why
    assert objections("a" * 281, platform="bluesky", allowed=()) == ()


def test_a_reply_of_plain_words_is_fine() -> None:
    """Line breaks, accents, other scripts and emoji are words too."""
    assert objections("Hei Åse!\nVi ser på saken 🙏 ありがとう", platform="x", allowed=()) == ()


@given(st.text(min_size=1, max_size=80))
def test_a_reviewed_text_that_fits_objects_only_to_what_hides(text: str) -> None:
    """Whatever a reviewed text states, stating it is no invention and no leak."""
    found = objections(text, platform="reddit", allowed=(text,))
    assert {objection.rule for objection in found} <= {"T3", ""}


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "1",
        "1 ",
        "1.",
        "@",
        "@a",
        "a@",
        "a.",
        "NO93 ",
        "kr ",
        "http://",
        "-",
        "(",
        "u/",
        "1:",
        "é",
        "+",
        "a@a.",
    ],
)
def test_no_text_keeps_the_guard_busy(unit: str) -> None:
    """Every pattern takes time in proportion to the text."""
    text = unit * (40_000 // len(unit))
    started = time.perf_counter()
    objections(text, platform="reddit", allowed=())
    assert time.perf_counter() - started < 3.0


def test_every_synthetic_personal_datum_of_the_hostile_set_is_caught() -> None:
    """The collected e-mail, card, account and telephone samples all raise an objection."""
    rows = [
        row
        for path in sorted(OWN.glob("*.jsonl"))
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())
        if row["class"] == "pii"
    ]
    if not rows:
        pytest.skip("the hostile set is not on this machine")
    assert [row for row in rows if not objections(str(row["text"]), platform="reddit", allowed=())] == []
