"""Prepares a post for reading: capped, unmasked of tricks, spelled the way the model was taught to read.

Nothing here changes the mention itself. What a person sees is the text as received; only the copy that
the model and the word rules read is prepared. Every step takes time in proportion to the length, so
that no post can be written to keep the classifier busy (T4).
"""

import html
import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache

import emoji

LONGEST_READ = 40_000
"""Characters that are read at all. No platform's post is longer, and tokenising more would only cost time."""

_SOMEONE = "@user"
_THE_BRAND = "@support"
_ALREADY_MASKED = frozenset({"user", "customer"})
_LETTERS_WITH_EMOJI = 4_000

_LINK = re.compile(r"(?:https?://|(?<![\w.])www\.)\S+", re.IGNORECASE)
# The look-behind lets a match start only where a run of address characters starts: without it, a long
# run without "@" would be scanned again from every one of its characters.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_NAME = r"[\w-]+(?:\.[\w-]+)*"
_HANDLE = re.compile(rf"(?<![\w.@/])(?:@{_NAME}(?:@{_NAME})?|/?u/[\w-]{{3,20}}(?![\w/]))")
_HASHTAG = re.compile(r"#(\w{2,100})")
_CAMEL_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_STRETCHED = re.compile(r"(.)\1{3,}", re.DOTALL)
# Masks and the English names of emoji are no words of the author's.
_NOT_THE_AUTHORS = re.compile(r"@user|@support|\bhttp\b|:[\w-]{2,60}:")
_LETTER = re.compile(r"[^\W\d_]")
_BLANKS = re.compile(r"\s+")
_SHOUTED_WORD = re.compile(r"(?<![\w#@])[A-Z][A-Z']{2,}(?!\w)")
_WORD = re.compile(r"[^\W\d_]{3,}")

_FEWEST_SHOUTED = 3
_SHOUTED_SHARE = 0.4
_SHOUTING_MARK = " (shouting)"

# Letters that only change how their neighbours look. They carry no meaning but can split a word, so
# that "k<ZERO WIDTH>ill" would pass the word rules.
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_INVISIBLE_MARKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")


def readable(text: str, handles: Collection[str] | None = None) -> str:
    """The text as the word rules read it: one form of each letter, no hidden characters, masks in place.

    ``handles`` are the brand's own, without ``@``. They become ``@support``, every other handle ``@user``:
    whether a post speaks to the brand or to a friend tells much of what it wants. Where the brand's are not
    known, every handle that is not masked already is taken for one of them, because a mention that reached
    us most likely names the brand first.
    """
    capped = text[:LONGEST_READ]
    # NFKC may make one character into eighteen, hence the second cap.
    plain = unicodedata.normalize("NFKC", html.unescape(capped))[:LONGEST_READ]
    visible = without_hidden_characters(_with_emoji_spelled(plain))
    return _BLANKS.sub(" ", _masked(visible, handles)).strip()


def model_input(text: str, handles: Collection[str] | None = None) -> str:
    """The text as the model reads it: `readable`, hashtags split, stretched words cut and shouting marked."""
    return model_input_of_readable(readable(text, handles))


def model_input_of_readable(read: str) -> str:
    """The same, for a caller that has the readable form already."""
    shouted = is_shouting(read)
    spelled = _HASHTAG.sub(lambda found: "# " + _CAMEL_HUMP.sub(" ", found.group(1)), read)
    spelled = _STRETCHED.sub(r"\1\1\1", spelled.replace("_", " "))
    return spelled + _SHOUTING_MARK if shouted else spelled


def tweet_form(text: str) -> str:
    """The text as models made elsewhere read it: case and emoji kept, `@user` for whoever, `http` for links.

    It is the form of TweetEval, which most models for short posts were trained on.
    """
    visible = without_hidden_characters(html.unescape(text[:LONGEST_READ]))[:LONGEST_READ]
    return _BLANKS.sub(" ", _HANDLE.sub(_SOMEONE, _LINK.sub("http", visible))).strip()


def has_words(read: str) -> bool:
    """Whether the author wrote any letter. A picture, a link or emoji alone may mean anything."""
    return _LETTER.search(_NOT_THE_AUTHORS.sub(" ", read)) is not None


def is_longer_than_read(text: str) -> bool:
    """Whether the end of the text is not read at all."""
    return len(text) > LONGEST_READ


def is_shouting(read: str) -> bool:
    """Whether a good part of the text is in capitals; the model's vocabulary knows no case."""
    shouted = len(_SHOUTED_WORD.findall(read))
    if shouted < _FEWEST_SHOUTED:
        return False
    return shouted >= _SHOUTED_SHARE * len(_WORD.findall(read))


def without_hidden_characters(text: str) -> str:
    """The text without controls, tags, zero-width characters, direction overrides and variation marks."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(kept for letter in text if (kept := _visible(letter)))


def _with_emoji_spelled(text: str) -> str:
    # Names are long: a post of nothing but emoji would take most of a second, and the model reads no
    # further than the first few hundred letters anyway.
    head, rest = text[:_LETTERS_WITH_EMOJI], text[_LETTERS_WITH_EMOJI:]
    return head + rest if head.isascii() else emoji.demojize(head, delimiters=(" :", ": ")) + rest


@lru_cache(maxsize=4096)
def _visible(letter: str) -> str:
    if letter in "\t\n\r":
        return " "
    if letter in _INVISIBLE_MARKS or "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef":
        return ""
    return "" if unicodedata.category(letter) in _INVISIBLE_CATEGORIES else letter


def _masked(text: str, handles: Collection[str] | None) -> str:
    ours = None if handles is None else {handle.lstrip("@").casefold() for handle in handles}

    def mask(found: re.Match[str]) -> str:
        handle = found.group().lstrip("@/").casefold()
        if handle in _ALREADY_MASKED or handle.startswith("u/"):
            return _SOMEONE
        return _THE_BRAND if ours is None or handle in ours else _SOMEONE

    return _HANDLE.sub(mask, _EMAIL.sub("email", _LINK.sub("http", text)))
