"""Words: found whole in any form of them; and a quick look that never passes over what is there."""

import json
import re
import unicodedata
from functools import cache
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from platforms.words import Words, folded

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
FORMS: tuple[Form, ...] = ("NFC", "NFD", "NFKC", "NFKD")
BRANDS = (
    "aurora air",
    "auroraair",
    "JAL",
    "KFC",
    "fish & chips",
    "3M",
    "hp",
    "Nestlé",
    "é",
    "Straße",
    "日本航空",
    "グーグル",
    "Аэрофлот",
    "Ωmega",
    "삼성",
    "Ærø",
    "İş",
)


@cache
def folding_letters() -> tuple[str, ...]:
    """Every character in all of Unicode that is not compared as itself."""
    return tuple(letter for point in range(0x110000) if folded(letter := chr(point)) != letter)


@pytest.mark.parametrize(
    "text",
    [
        "aurora air",
        "AURORA AIR is late",
        "#auroraair",
        "@AuroraAir!",
        "ａｕｒｏｒａａｉｒ",
        "aurora\n air",
        "「auroraair」",
    ],
)
def test_a_word_is_found_in_any_form(text: str) -> None:
    """Case, full width, hash and at sign make no other word of it."""
    assert Words(["Aurora Air", "#auroraair"]).within(text)


@pytest.mark.parametrize(
    "text", ["auroraairlines", "@auroraair_fans", "my-auroraair2", "аuroraair", "aurora, air", ""]
)
def test_a_longer_word_and_a_look_alike_are_others(text: str) -> None:
    """A Cyrillic letter is another letter, whatever it looks like."""
    assert not Words(["Aurora Air", "auroraair"]).within(text)


def test_no_words_are_in_nothing() -> None:
    """And blank ones are none."""
    words = Words(["", "  ", "#"])

    assert not words
    assert not words.within("anything")


# No other character stands in for a syllable of 삼성; the marks that it is joined from are tried below.
@pytest.mark.parametrize("brand", [brand for brand in BRANDS if brand != "삼성"])
def test_every_character_that_stands_in_for_a_letter_is_let_through(brand: str) -> None:
    """All of Unicode, one by one: full width, mathematical, ligatures, the Kelvin sign, the long s."""
    words = Words([brand])
    look = words.first_look()
    whole = folded(brand)
    tried = 0
    for letter in folding_letters():
        stands_for = folded(letter)
        if stands_for not in whole:
            continue
        text = whole.replace(stands_for, letter, 1)
        if words.within(text):
            tried += 1
            assert look.lets_through(text.encode()), f"U+{ord(letter):04X} in {text!r}"
            assert look.lets_through(json.dumps(text).encode()), f"U+{ord(letter):04X}, escaped"
    assert tried > 0


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("form", FORMS)
def test_composed_and_decomposed_forms_are_let_through(brand: str, form: Form) -> None:
    """Whichever way an author's keyboard writes an accent or a syllable, and in either case."""
    words = Words([brand])
    look = words.first_look()
    for text in (brand, brand.upper(), brand.lower(), brand.title(), brand.swapcase()):
        formed = unicodedata.normalize(form, text)
        if words.within(formed):
            assert look.lets_through(f"so, {formed}!".encode())


@cache
def _letters_of(brand: str) -> list[str]:
    letters = set(folded(brand)) | {" ", "x", "\u0301", "\u0307", "\u3099", "\u200d", "ß", "\\", '"'}
    letters |= {other for other in folding_letters() if set(folded(other)) & set(folded(brand))}
    return sorted(letters | set(unicodedata.normalize("NFD", "".join(letters))))


@st.composite
def _written(draw: st.DrawFn) -> tuple[str, str]:
    """A brand, and a text that may have it, letter by letter in one of the ways to write it."""
    brand = draw(st.sampled_from(BRANDS))
    letters = _letters_of(brand)
    sources = {
        letter: [letter, letter.upper(), *(other for other in letters if folded(other) == letter)]
        for letter in set(folded(brand))
    }
    spelled = "".join(draw(st.sampled_from(sources[letter])) for letter in folded(brand))
    forms = st.sampled_from((*FORMS, None))
    around = st.text(st.sampled_from(letters), max_size=4)
    form = draw(forms)
    return brand, draw(around) + (unicodedata.normalize(form, spelled) if form else spelled) + draw(around)


@settings(max_examples=400, deadline=None)
@given(_written())
@example(("Straße", "STRASSE"))
@example(("KFC", "\u212afc"))
@example(("fish & chips", "\ufb01sh & chips"))
def test_what_the_quick_look_passes_over_has_no_word(written: tuple[str, str]) -> None:
    """However it is spelled, as plain UTF-8, as JSON, and as JSON with escapes."""
    brand, text = written
    words = Words([brand])
    look = words.first_look()
    if words.within(text):
        assert look.lets_through(text.encode(errors="replace"))
        assert look.lets_through(json.dumps(text, ensure_ascii=False).encode(errors="replace"))
        assert look.lets_through(json.dumps(text).encode())
        pairs = text.encode("utf-16-be", errors="replace").hex()
        assert look.lets_through(re.sub("(....)", r"\\u\1", pairs).encode())


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_with_a_word_is_let_through(text: str) -> None:
    """For texts that nobody made for the purpose, and words cut out of them."""
    parts = re.findall(r"\w+", text)
    for part in parts[:3]:
        words = Words([part])
        if words.within(text):
            assert words.first_look().lets_through(text.encode(errors="replace"))


def test_most_of_a_stream_is_passed_over() -> None:
    """Also for a brand without a Latin letter: letting everything through would be no look at all."""
    others = (
        "今日は寒いですね",
        "bom dia, já são 7h",
        "the build is red",
        "오늘 날씨가 좋네요",
        "Доброе утро",
    )
    for brand in ("auroraair", "日本航空", "グーグル", "Аэрофлот", "Samsung"):
        look = Words([brand]).first_look()
        assert not any(look.lets_through(text.encode()) for text in others), brand
        assert not look.lets_through(b'{"uri":"https://example.com/?a=1\\u0026b=2"}')
