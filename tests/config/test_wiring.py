"""How the brand's file becomes what the platforms' rules are asked with."""

from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from casework.hours import OpeningHours, Span
from config.brand import load_brand
from config.places import demo_brand
from config.wiring import Accounts, desk_hours, permitting
from platforms.rules import ReplyMode, Terms

FILE = """
brand: {name: Aurora Air}
automatic: {enabled: true, confidence: 0.8}
platforms:
  x: {reply: when_mentioned, labelled: true, %s}
  reddit: {reply: when_mentioned, reply_in: [travel], %s}
  bluesky: {reply: never, labelled: true}
"""


def terms_of(folder: Path, platform: str, *, x: str = "", reddit: str = "") -> Terms:
    file = folder / "brand.yaml"
    file.write_text(FILE % (x or "enabled: true", reddit or "enabled: true"))
    return permitting(load_brand(file))(platform)


def test_each_platform_is_used_as_the_file_says(tmp_path: Path) -> None:
    """Where Heard may reply, in which places, and under which label."""
    x, reddit, bluesky = (terms_of(tmp_path, name) for name in ("x", "reddit", "bluesky"))

    assert (x.reply, x.labelled, x.account) == (ReplyMode.WHEN_MENTIONED, True, True)
    assert (reddit.allowed_places, reddit.approval) == (frozenset({"travel"}), None)
    assert bluesky.reply is ReplyMode.NEVER
    assert {terms.automatic.confidence for terms in (x, reddit, bluesky)} == {0.8}


def test_a_platform_that_the_file_does_not_name_is_left_to_people(tmp_path: Path) -> None:
    """Nothing is sent there, alone or not."""
    off = terms_of(tmp_path, "mastodon")
    assert (off.reply, off.labelled, off.automatic.enabled) == (ReplyMode.MANUAL, False, False)


@pytest.mark.parametrize(
    ("written", "approval", "for_models"),
    [
        ("approval_reference: case 0417", "case 0417", None),
        ("approval_reference: case 0417, ai_replies_approved: true", "case 0417", "case 0417"),
        ("enabled: true", None, None),
    ],
)
def test_approval_is_a_reference(
    tmp_path: Path, written: str, approval: str | None, for_models: str | None
) -> None:
    """R1 asks for one, and X3 for one that is for replies by language models."""
    assert terms_of(tmp_path, "reddit", reddit=written).approval == approval
    assert terms_of(tmp_path, "x", x=written).ai_replies_approved == for_models


def test_what_is_known_of_the_accounts_has_the_last_word() -> None:
    """No account means no sending, and a profile without the label no automatic replies."""
    brand = demo_brand()
    terms = permitting(brand, Accounts(posting=frozenset({"x"}), unlabelled=frozenset({"x"})))

    assert (terms("x").account, terms("x").labelled) == (True, False)
    assert (terms("bluesky").account, terms("bluesky").labelled) == (False, True)
    assert permitting(brand)("bluesky").account


@pytest.mark.parametrize(
    ("day", "shown"),
    [(2, "09:00-12:00, 14:00-17:00"), (3, ""), (4, "09:00-17:00")],
    ids=["closed over noon", "closed", "as usual"],
)
def test_customers_read_the_hours_of_today(day: int, shown: str) -> None:
    """What a calendar closes is left out, where the brand is."""
    hours = OpeningHours(
        "Europe/Oslo",
        ((Span(time(9), time(17)),),) * 7,
        frozenset({date(2026, 12, 3)}),
        ((datetime(2026, 12, 2, 11, tzinfo=UTC), datetime(2026, 12, 2, 13, tzinfo=UTC)),),
    )
    assert desk_hours(hours, datetime(2026, 12, day, 6, tzinfo=UTC)) == shown
