"""Replies are measured by each platform's own counting, and cut where a reader sees a letter end."""

import json
import re
import time
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from platforms.lengths import cut, graphemes, measure

NAUGHTY = Path("/work/shared/data/naughty")
PLATFORMS = ("x", "bluesky", "mastodon", "reddit")

# Where Heard does not follow a conformance case; each entry says why.
NOT_FOLLOWED = {
    "Handle invalid characters": "the count is X's; that X refuses U+FFFE is the outgoing guard's business"
}
# Unicode 16 took the pictograph property from scissors, and the file here is of Unicode 15.
OF_AN_OLDER_UNICODE = {"÷ 2701 × 200D × 2701 ÷"}


def _conformance(*groups: str) -> list[object]:
    path = NAUGHTY / "twitter-text" / "conformance-validate.yml"
    if not path.exists():
        return [
            pytest.param({}, marks=pytest.mark.skip(reason="twitter-text conformance is not on this machine"))
        ]
    tests = YAML(typ="safe").load(path)["tests"]
    return [pytest.param(case, id=case["description"][:60]) for group in groups for case in tests[group]]


@pytest.mark.parametrize(
    "case",
    _conformance("WeightedTweetsWithDiscountedEmojiCounterTest", "UnicodeDirectionalMarkerCounterTest"),
)
def test_x_counts_as_twitter_text_does(case: dict[str, object]) -> None:
    """Every weighted-length case of X's own conformance suite (configuration v3) gives X's number."""
    if case["description"] in NOT_FOLLOWED:
        pytest.xfail(NOT_FOLLOWED[str(case["description"])])
    expected = case["expected"]
    assert isinstance(expected, dict)
    length = measure("x", str(case["text"]))
    assert (length.used, length.fits) == (expected["weightedLength"], expected["valid"])


def test_x_counts_any_link_as_twenty_three() -> None:
    """A link costs 23 on X however long it is, with or without https://."""
    long_link = "https://example.com/" + "a" * 200
    assert measure("x", f"see {long_link}").used == 4 + 23
    assert measure("x", "see example.com/refunds").used == 4 + 23
    assert measure("x", "see https://example.com.").used == 4 + 23 + 1
    assert measure("x", "see https://example.com/refunds, please").used == 4 + 23 + 8


def test_a_host_no_name_server_could_hold_is_no_link() -> None:
    """A label over 63 letters is counted letter by letter, as X does."""
    assert measure("x", "https://" + "a" * 64 + ".com").used == 8 + 64 + 4


def test_x_counts_norwegian_letters_as_one_and_japanese_as_two() -> None:
    """Weights follow configuration v3."""
    assert measure("x", "blåbærsyltetøy").used == 14
    assert measure("x", "東京").used == 4


def test_bluesky_counts_graphemes_and_bytes() -> None:
    """Bluesky takes 300 graphemes and 3,000 bytes, and either limit alone refuses a text."""
    family = "👨‍👩‍👧‍👦"
    assert measure("bluesky", "é" * 300).fits
    assert not measure("bluesky", "e" * 301).fits
    assert measure("bluesky", family).used == 1 or measure("bluesky", family).unit == "bytes"
    many = measure("bluesky", family * 200)
    assert (many.unit, many.used, many.fits) == ("bytes", 200 * len(family.encode()), False)


def test_mastodon_counts_links_as_twenty_three_and_handles_without_their_server() -> None:
    """Mastodon's 500 counts a link as 23 and @name@server as @name; a server may allow more."""
    assert measure("mastodon", "https://example.com/" + "a" * 100).used == 23
    assert measure("mastodon", "@kari@mastodon.social hei").used == len("@kari hei")
    assert measure("mastodon", "a" * 800, mastodon_limit=1_000).fits
    assert not measure("mastodon", "a" * 501).fits


def test_reddit_takes_ten_thousand_characters() -> None:
    """Reddit counts plain characters."""
    assert measure("reddit", "a" * 10_000).fits
    assert not measure("reddit", "a" * 10_001).fits


def test_a_recording_counts_as_the_platform_it_recorded() -> None:
    """Replay uses the limits of the platform named, and the strictest where none is."""
    assert measure("replay:bluesky", "a").limit == 300
    assert measure("replay", "a").limit == 280


def test_a_platform_of_a_plugin_counts_as_the_strictest() -> None:
    """Nobody told Heard its limit: what X takes is taken anywhere, and the desk goes on."""
    assert measure("lemmy", "a" * 281) == measure("x", "a" * 281)
    assert measure("replay:lemmy", "東京") == measure("x", "東京")
    assert measure("lemmy", cut("lemmy", "a" * 1_000)).fits


def test_a_length_says_what_is_left_in_words() -> None:
    """People see the numbers with the unit that they mean."""
    assert str(measure("reddit", "hello")) == "5 of 10000 characters"
    assert measure("x", "a" * 283).left == -3


def test_a_text_that_fits_is_not_cut() -> None:
    """Cutting changes nothing that may stay."""
    assert cut("x", "a" * 280) == "a" * 280


def test_a_cut_never_leaves_half_a_link() -> None:
    """A link that does not fit whole goes whole: half of one leads elsewhere."""
    link = "https://example.com/" + "b" * 60
    assert cut("bluesky", "a " * 140 + link) == ("a " * 140).rstrip() + "…"


@pytest.mark.parametrize("platform", PLATFORMS)
@settings(deadline=None, max_examples=40)
@given(text=st.text(max_size=60), times=st.integers(1, 20))
def test_what_is_cut_fits_and_begins_the_text_on_a_grapheme_border(
    platform: str, text: str, times: int
) -> None:
    """Whatever the text, the cut fits by the platform's counting and splits no letter as a reader sees it."""
    whole = text * times
    short = cut(platform, whole)
    assert measure(platform, short).fits
    if short != whole:
        kept = short.removesuffix("…")
        assert whole.startswith(kept)
        borders = set(accumulate(map(len, graphemes(whole)), initial=0))
        blanks = len(whole[len(kept) :]) - len(whole[len(kept) :].lstrip())
        assert any(len(kept) + skipped in borders for skipped in range(blanks + 1))


def test_graphemes_break_where_unicode_says() -> None:
    """All cases of Unicode's GraphemeBreakTest break as listed."""
    path = NAUGHTY / "unicode" / "GraphemeBreakTest.txt"
    if not path.exists():
        pytest.skip("Unicode's GraphemeBreakTest is not on this machine")
    wrong = []
    for line in path.read_text(encoding="utf-8").splitlines():
        rule = line.split("#")[0].strip()
        if not rule:
            continue
        expected = [
            "".join(chr(int(point, 16)) for point in part.replace("×", " ").split())
            for part in re.split("÷", rule)
            if part.strip()
        ]
        if rule not in OF_AN_OLDER_UNICODE and graphemes("".join(expected)) != expected:
            wrong.append(rule)
    assert wrong == []


def test_every_emoji_of_unicode_counts_two_on_x_and_one_on_bluesky() -> None:
    """A flag, a profession or a family with skin tones counts as one picture."""
    path = NAUGHTY / "unicode" / "emoji-test.txt"
    if not path.exists():
        pytest.skip("Unicode's emoji-test is not on this machine")
    pictures = [
        "".join(chr(int(point, 16)) for point in line.split(";")[0].split())
        for line in path.read_text(encoding="utf-8").splitlines()
        if "; fully-qualified" in line
    ]
    assert len(pictures) > 3_000
    assert [p for p in pictures if measure("x", p).used != 2] == []
    assert [p for p in pictures if len(graphemes(p)) != 1] == []


@pytest.mark.parametrize(
    "text",
    [
        "a." * 20_000,
        "http://a." * 5_000,
        "@a@b." * 8_000,
        "http://a.co/" + "(" * 40_000,
        "🇳" * 40_000,
        "-" * 40_000,
    ],
    ids=["dots", "links", "handles", "brackets", "flags", "dashes"],
)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_no_text_takes_long_to_measure(platform: str, text: str) -> None:
    """Measuring takes time in proportion to the length, so that no text can hold up the line."""
    started = time.perf_counter()
    measure(platform, text)
    assert time.perf_counter() - started < 2.0


def test_everything_in_the_list_of_naughty_strings_can_be_measured() -> None:
    """Strings that break programs have a length too."""
    path = NAUGHTY / "blns" / "blns.json"
    if not path.exists():
        pytest.skip("the list of naughty strings is not on this machine")
    for text in json.loads(path.read_text(encoding="utf-8")):
        for platform in PLATFORMS:
            assert measure(platform, cut(platform, text)).fits
