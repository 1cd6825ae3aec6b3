"""Reviewed wording is checked when it is read, and its slots never take a customer's own words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.draft import ReplyKind
from responder.wording import (
    Slots,
    Template,
    Wording,
    WordingError,
    clean_first_name,
    load_templates,
    missing,
    render,
    written,
)

DEMO = Path(__file__).parents[2] / "config" / "demo" / "templates.yaml"
HEAD = "disclosure: {en: Automatic message}\ntemplates:\n"
ACK = '  - {id: ack, kind: acknowledgement, language: en, text: "Hi, seen. ({disclosure}, {case})"}\n'
SLOTS = Slots(brand="Aurora Air", case="C-100", first_name="Maya", disclosure="Automatic message")


def loaded(folder: Path, text: str) -> Wording:
    path = folder / "templates.yaml"
    path.write_text(text, encoding="utf-8")
    return load_templates(path)


def an_answer(text: str) -> Template:
    return Template("thanks", ReplyKind.ANSWER, "en", text)


def test_slots_are_filled() -> None:
    """Each slot takes its own value."""
    template = an_answer("Hi {first_name}, {brand} here ({case}).")
    assert render(template, SLOTS) == "Hi Maya, Aurora Air here (C-100)."


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("Hi {first_name}, we know.", "Hi, we know."),
        ("Thank you, {first_name}! That made our day.", "Thank you! That made our day."),
        ("We are sorry, {first_name}. Please wait.", "We are sorry. Please wait."),
        ("{first_name}, thank you.", "Thank you."),
    ],
)
@pytest.mark.parametrize(
    "name", ["", "x_Kaja_x", "<!channel>", "https://evil.example", "A" * 31, "42", "🎉", "kaja"]
)
def test_a_name_that_is_no_plain_name_is_left_out_with_its_comma(text: str, without: str, name: str) -> None:
    """The sentence stays a sentence without it."""
    slots = Slots(brand="b", case="c", first_name=name)
    assert render(an_answer(text), slots) == without


@pytest.mark.parametrize("name", ["Maya", "Åse", "Jean-Luc", "O'Brien", "Łukasz", "美咲", "Zoë"])
def test_plain_names_are_kept(name: str) -> None:
    """Letters of any script, with a hyphen or an apostrophe inside, make a name."""
    assert clean_first_name(name) == name


@given(st.text(max_size=60))
def test_a_cleaned_name_is_nothing_but_letters(name: str) -> None:
    """Whatever a stranger calls themselves, no link, handle, digit or control gets through."""
    clean = clean_first_name(name)
    assert len(clean) <= 30
    assert all(letter.isalpha() or letter in "-'’" for letter in clean)


def test_braces_in_a_value_are_not_slots() -> None:
    """A value is never read as wording."""
    assert render(an_answer("{brand}: {case}"), Slots(brand="{case}", case="C-1")) == "{case}: C-1"


def test_what_is_missing_is_named_and_a_name_never_is() -> None:
    """A reply is not sent with a hole in it."""
    template = an_answer("{first_name}, we are here {desk_hours}.")
    assert missing(template, Slots(brand="b", case="c")) == {"desk_hours"}


def test_nobody_is_answered_in_a_language_they_did_not_write() -> None:
    """There is no English for a German; a post in no language gets English, and all Norwegian is one."""
    wording = Wording((an_answer("Thank you!"), Template("thanks", ReplyKind.ANSWER, "nb", "Takk!")))
    assert wording.find("thanks", "de") is None
    assert wording.find("thanks", "und") == wording.find("thanks", "en-GB") == wording.templates[0]
    assert wording.find("thanks", "no") == wording.find("thanks", "nn") == wording.templates[1]
    assert wording.find("sorry", "en") is None
    assert wording.has("thanks")
    assert written("") == "en"


@pytest.mark.parametrize(
    ("rows", "line", "words"),
    [
        (ACK.replace("{case}", "{text}"), 3, "unknown slot {text}"),
        (ACK.replace("{case}", "C-1"), 3, "goes out by itself"),
        (ACK.replace("{disclosure}", "bot"), 3, "goes out by itself"),
        (ACK + ACK, 4, "twice"),
        (ACK.replace("acknowledgement", "greeting"), 3, "kind must be"),
        (ACK.replace("language: en", "language: nb"), 3, "no disclosure in nb"),
        (ACK.replace("seen", "seen }"), 3, "brace"),
        (ACK.replace("language: en, ", ""), 3, "needs the texts"),
        (ACK.replace("id: ack", "id: ack, tone: warm"), 3, "tone"),
    ],
)
def test_wording_that_could_not_go_out_is_refused_when_it_is_read(
    tmp_path: Path, rows: str, line: int, words: str
) -> None:
    """Errors name the file and the line, long before a customer waits for the text."""
    with pytest.raises(WordingError, match=words) as error:
        loaded(tmp_path, HEAD + rows)
    assert error.value.line == line
    assert "templates.yaml" in str(error.value)


def test_wording_that_is_not_there_says_how_to_get_some(tmp_path: Path) -> None:
    """It names the file, and no line of it."""
    with pytest.raises(WordingError, match=r"templates\.yaml: .*`heard init` writes one"):
        load_templates(tmp_path / "templates.yaml")


@pytest.mark.parametrize(
    "text", ["", "templates: []\n", "- a\n", "templates: [\n", "disclosure: 3\ntemplates: [a]\n"]
)
def test_a_file_without_templates_is_refused(tmp_path: Path, text: str) -> None:
    """An empty or broken file is an error, not a brand without words."""
    with pytest.raises(WordingError):
        loaded(tmp_path, text)


def test_the_demo_templates_can_all_be_used() -> None:
    """Every shipped template is read and rendered without a hole."""
    if not DEMO.exists():
        pytest.skip("the demo's templates are not here")
    wording = load_templates(DEMO)
    for template in wording.templates:
        slots = Slots(
            "Aurora Air", "C-100", "Maya", "08:00-22:00", wording.disclosure(template.language) or ""
        )
        assert not missing(template, slots)
        assert "{" not in render(template, slots)
