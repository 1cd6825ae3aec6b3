"""Tells which language a post is written in, so that what the model cannot read is handed to a person.

The script decides where it can; Latin letters are told apart by py3langid among the languages that
posts are most often written in. Asked among all 142 that it knows, it calls half of all German posts
Scots or Low German; among these it finds 88 to 99 of 100 posts in seven languages, and calls 8 of 5,884
English tweets foreign, all eight of which are mixed (docs/model.md has the table).
"""

import re
import threading
from functools import lru_cache
from typing import Final

import regex  # type: ignore[import-untyped]
from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

ENGLISH: Final = "en"
"""Also the answer where a text is too short or too mixed to tell."""

_LATIN_LANGUAGES: Final = "en de fr es it pt nl sv no da fi pl cs tr id ro hu vi tl ca sw hr sk ms"
_SCRIPTS: Final = {
    "ar": "Arabic",
    "hi": "Devanagari",
    "ru": "Cyrillic",
    "el": "Greek",
    "he": "Hebrew",
    "ko": "Hangul",
    "ja": "Hiragana}\\p{Katakana",
    "zh": "Han",
    "th": "Thai",
    "bn": "Bengali",
    "ta": "Tamil",
}
_LETTERS_READ = 1_000
_FEWEST_LETTERS = 12
_SURE_ENOUGH = 0.5
_FEWEST_ROMANISED = 2

_LATIN = regex.compile(r"\p{Latin}")
_LETTER = regex.compile(r"\p{L}")
_OF_SCRIPT = {code: regex.compile(rf"[\p{{{script}}}]") for code, script in _SCRIPTS.items()}
_WORDS = regex.compile(r"(?<!\w)[\p{L}\p{M}']+(?!\w)")
# Masks and the English names of emoji are no words of the author's.
_NOT_THE_AUTHORS = regex.compile(r"@user|@support|\bhttp\b|#\w+|:[\w-]{2,60}:")
# Hindi is written in Latin letters more often than in its own on these platforms, and py3langid does not
# know it so. These words are frequent in it and no words of English.
_ROMANISED_HINDI: Final = re.compile(
    r"hain?|nahin?|nhi|kyu|kyun|kya|mein|aur|bhi|karo?|karn[ae]|raha|rah[ei]|thi|yeh|woh|mer[aei]|ter[aei]"
    r"|apn[aei]|hum|tum|aap|bhai|kuch|sab|koi|jab|tak|bahut|bohot|acch?a|acha|kaise|kaun|gay[ae]|hog[ai]"
    r"|hot[ai]|liye|wal[aei]|abhi|phir|sirf"
)
_identifying = threading.Lock()


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(_LATIN_LANGUAGES.split())
    return identifier


def language_of(read: str) -> str:
    """The ISO 639-1 code of a text in its readable form; ``und`` for a script that is not listed here."""
    own = _NOT_THE_AUTHORS.sub(" ", read[:_LETTERS_READ])
    letters = _LETTER.findall(own)
    if len(letters) < 2:
        return ENGLISH
    if 2 * len(_LATIN.findall(own)) < len(letters):
        return _by_script(own)
    return _by_words(_WORDS.findall(own.lower()))


def _by_script(own: str) -> str:
    counts = {code: len(pattern.findall(own)) for code, pattern in _OF_SCRIPT.items()}
    # Japanese is written with Han letters too; whatever has kana is Japanese.
    if counts["ja"]:
        return "ja"
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else "und"


def _by_words(words: list[str]) -> str:
    joined = " ".join(words)
    if len(joined) < _FEWEST_LETTERS:
        return ENGLISH
    if sum(map(bool, map(_ROMANISED_HINDI.fullmatch, set(words)))) >= _FEWEST_ROMANISED:
        return "hi"
    # The identifier keeps its working arrays between calls.
    with _identifying:
        code, share = _identifier().classify(joined)
    return str(code) if float(share) >= _SURE_ENOUGH else ENGLISH
