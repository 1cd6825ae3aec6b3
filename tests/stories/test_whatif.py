"""What if: a manager tries a changed policy on a recorded afternoon before anybody is bound by it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from config.brand import Brand, load_brand
from config.recorded import DEMO
from config.whatif import Past, WhatIf, what_if
from config.whatif_text import as_json, rendered
from platforms.feed import Feed, Recorded
from tests.fakes.cases import MINUTE, NOON, a_mention
from tests.fakes.model import LookUpModel

SAID = (
    "@auroraair our flight AU412 was cancelled, secret-word!",
    "@auroraair my bag is lost, where is it?",
    "@auroraair how long does a refund take?",
    "@auroraair thank you, lovely crew",
    "@auroraair my lawyer will write to you",
)
HOUR_FOR_ALL = "within: 1h,"
ACKNOWLEDGES = "topic: cancellation}, do: acknowledge, template: ack-disruption"


def an_afternoon() -> Past:
    """Five people write, ten minutes apart."""
    recorded = tuple(
        Recorded(
            replace(
                a_mention(number, text, author=replace(a_mention().author, id=f"author-{number}")),
                created_at=NOON + number * 10 * MINUTE,
            ),
            number,
        )
        for number, text in enumerate(SAID, start=1)
    )
    by_key = {item.mention.key: item for item in recorded}
    return Past(Feed("afternoon", recorded, lines=len(recorded), by_key=by_key))


def a_brand(folder: Path, *changes: tuple[str, str]) -> Brand:
    """Aurora Air with one article, and with these words of its file replaced."""
    folder.mkdir(parents=True)
    (folder / "knowledge").mkdir()
    for name in ("brand.yaml", "templates.yaml", "knowledge/KB-05-refund-times.md"):
        shutil.copy(DEMO / name, folder / name)
    file = folder / "brand.yaml"
    for old, new in changes:
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))
    return load_brand(file)


async def tried(folder: Path, *changes: tuple[str, str], answers_per_hour: float | None = None) -> WhatIf:
    """The afternoon under Aurora Air's policy and under the changed one."""
    return await what_if(
        an_afternoon(),
        a_brand(folder / "own"),
        a_brand(folder / "changed", *changes),
        LookUpModel(),
        folder,
        answers_per_hour=answers_per_hour,
    )


async def test_a_manager_sees_what_a_shorter_promise_asks_of_people(tmp_path: Path) -> None:
    """Each promise is due half an hour sooner; what a template acknowledges is kept all the same, the rest
    asks for answers sooner.
    """
    found = await tried(tmp_path, (HOUR_FOR_ALL, "within: 30m,"))

    assert [case.mention for case in found.differences] == ["x:post-1", "x:post-2", "x:post-3", "x:post-5"]
    (first,) = found.differences[1].promises
    assert first[1] is not None
    assert first[2] is not None
    assert first[1].due_at - first[2].due_at == 30 * MINUTE
    assert found.before.promises["first hour"] == {"kept": 1, "broken": 3, "open": 0}
    assert found.after.promises["first hour"] == {"kept": 1, "broken": 3, "open": 0}
    assert found.after.staffing["first hour"].peak > found.before.staffing["first hour"].peak
    assert found.after.staffing["same day"] == found.before.staffing["same day"]


async def test_a_manager_sees_what_an_acknowledgement_less_would_break(tmp_path: Path) -> None:
    """The rule drafts instead of acknowledging: one promise more breaks."""
    found = await tried(tmp_path, (ACKNOWLEDGES, "topic: cancellation}, do: draft"))
    (case,) = found.differences
    before, after = case.decisions

    assert (before and before.action, after and after.action) == ("acknowledged", "held")
    assert found.before.actions["acknowledged"] - found.after.actions["acknowledged"] == 1
    assert found.after.promises["first hour"]["broken"] == found.before.promises["first hour"]["broken"] + 1
    said = rendered(found)
    assert "x:post-1  rule disruption, acknowledged → held" in said
    assert "broken" in said
    assert "kept → " not in said.splitlines()[0]


async def test_the_policy_that_is_in_force_changes_nothing(tmp_path: Path) -> None:
    """A comment more is no other policy."""
    found = await tried(tmp_path, ("schema: 1 ", "schema: 1 # the same as ever "))

    assert found.nothing
    assert rendered(found).endswith("Nothing would differ.")
    assert as_json(found)["cases"] == []


async def test_people_at_a_pace_keep_what_nobody_would(tmp_path: Path) -> None:
    """At six answers an hour everybody is answered in time; half an hour asks for no more than that."""
    found = await tried(tmp_path, (HOUR_FOR_ALL, "within: 30m,"), answers_per_hour=6)

    for side in (found.before, found.after):
        assert side.promises["first hour"]["broken"] == 0
        assert side.promises["same day"]["broken"] == 0
    assert "6 cases an hour" in found.assumed


async def test_the_pace_that_staffing_names_is_enough_and_less_is_not(tmp_path: Path) -> None:
    """The peak of the harder promise keeps every one of them; nine tenths of it break some."""
    changes = (HOUR_FOR_ALL, "within: 12m,")
    needed = max(need.peak for need in (await tried(tmp_path / "a", changes)).after.staffing.values())
    enough = await tried(tmp_path / "b", changes, answers_per_hour=needed * 1.01)
    too_few = await tried(tmp_path / "c", changes, answers_per_hour=needed * 0.9)

    assert enough.after.promises["first hour"]["broken"] == 0
    assert too_few.after.promises["first hour"]["broken"] > 0


async def test_words_that_the_brand_ignores_would_open_no_case(tmp_path: Path) -> None:
    """A post that is passed over under one policy alone is no case of its own there."""
    past = an_afternoon()
    quiet = tuple(
        replace(item, mention=replace(item.mention, addressed=False)) for item in past.feed.recorded
    )
    found = await what_if(
        replace(past, feed=replace(past.feed, recorded=quiet)),
        a_brand(tmp_path / "own"),
        a_brand(tmp_path / "changed", ('ignore: ["aurora borealis"', 'ignore: ["refund"')),
        LookUpModel(),
        tmp_path,
    )

    (case,) = found.differences
    assert case.mention == "x:post-3"
    assert case.decisions[1] is not None
    assert case.decisions[1].said == "passed over"


@pytest.mark.parametrize("write", [rendered, lambda found: str(as_json(found))])
async def test_no_word_of_a_post_is_shown(tmp_path: Path, write: "object") -> None:
    """Cases are named by their ids."""
    found = await tried(tmp_path, (HOUR_FOR_ALL, "within: 30m,"))
    assert callable(write)
    shown = write(found)

    assert "x:post-1" in shown
    assert not [word for word in ("secret-word", "lawyer", "refund take", "lovely") if word in shown]
