"""Writes docs/platform-rules.md, the table of rules for people: ``python -m platforms.rules_page``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from casework.reply import Way
from platforms.rules import DOUBTS, SETTINGS, TABLE, Action, Rule

PAGE: Final = Path(__file__).parents[1] / "docs" / "platform-rules.md"

_TITLES: Final = {
    "x": "X",
    "reddit": "Reddit",
    "bluesky": "Bluesky",
    "mastodon": "Mastodon",
    "": "Heard's own, on every platform",
}
_HEAD: Final = """\
# What the platforms allow

This page is written by `python -m platforms.rules_page` from the table in `platforms/rules.py`; a test fails
when it is out of date. The numbers are those that the desk and the timeline name when something is not sent.

`platforms.rules.may(situation, action)` asks the table before a reply is drafted, and again right before it
is posted. Its answer is **sent**, **left to people** (Heard posts nothing; a person may, on the platform
itself) or **refused**. What refuses is asked first, then the brand's settings, then the platforms' rules. An
*automatic* reply is one that no person decided on. What no single reply can break is kept elsewhere in the
code, where the table says. Sources were read in the month given; *believed* marks what was not read
first-hand.
"""
_OWN: Final = """\

## The brand's settings, and doubt

These have no number: they are no platform's rules. On a platform that the table does not know, Heard answers
only whoever spoke to the brand, and by itself only from a profile that says so.

| What stands against it | Which replies | Then |
|---|---|---|
"""


def as_markdown() -> str:
    """The whole page."""
    return _HEAD + "".join(_chapters()) + _OWN + "".join(_own(line) for line in (*SETTINGS, *DOUBTS))


def _chapters() -> Iterator[str]:
    for platform, title in _TITLES.items():
        yield f"\n## {title}\n\n| Rule | What it says | What Heard does | Source |\n|---|---|---|---|\n"
        yield from (_row(rule) for rule in TABLE if rule.platform == platform)


def _row(rule: Rule) -> str:
    where = ", on every platform" if rule.everywhere else ""
    done = f"{_of(rule)}: {_then(rule)}{where}" if rule.evaluated else ""
    does = "; ".join(part for part in (done, rule.kept_by) if part)
    remarks = ", ".join(
        part for part in (rule.read and f"read {rule.read}", rule.believed and "believed") if part
    )
    return (
        f"| {rule.number} | {rule.sentence} | {does} | {rule.source}{f' ({remarks})' if remarks else ''} |\n"
    )


def _own(line: Rule) -> str:
    says = line.sentence.replace("{platform}", "the platform")
    return f"| {says[0].upper()}{says[1:]} | {_of(line)} | {_then(line)} |\n"


def _of(rule: Rule) -> str:
    if rule.actions == frozenset(Action):
        return "any reply"
    return "automatic replies" if Action.ACKNOWLEDGE in rule.actions else "a person's reply"


def _then(rule: Rule) -> str:
    return "refused" if rule.effect is Way.NEVER else "left to people"


if __name__ == "__main__":
    PAGE.write_text(as_markdown())
