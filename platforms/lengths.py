"""How long a reply is by each platform's own counting, and where to cut one that is too long.

X counts weights, Bluesky counts graphemes and bytes, Mastodon counts a link as 23, Reddit counts
characters. A text that fits by `len` may be refused, and a refused reply is a promise not kept.
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import emoji
import regex  # type: ignore[import-untyped]

LINK_LENGTH = 23
"""What X and Mastodon count for any link: they shorten it, or pretend to."""

MASTODON_LIMIT = 500
"""Mastodon's own default; a server may allow more, which is why it is a parameter."""

MASTODON_TEXT = MASTODON_LIMIT - len("@ ") - 30
"""What is left for the words: a reply begins with the handle that it speaks to, of at most 30 letters."""

_X_LIMIT = 280
_BLUESKY_GRAPHEMES = 300
_BLUESKY_BYTES = 3_000
_REDDIT_LIMIT = 10_000
_ELLIPSIS = "…"

# twitter-text, configuration v3: these code points weigh one, all others two.
_LIGHT = ((0, 4_351), (8_192, 8_205), (8_208, 8_223), (8_242, 8_247))

# Flags are spelled out, as `\X` alone looks back over the whole run of them at every one: 10,000 flags
# would take half a second.
_GRAPHEME = regex.compile(
    r"\p{Regional_Indicator}{2}[\p{Grapheme_Extend}\p{Emoji_Modifier}\p{Mc}\u200d]*+|\X"
)
# Possessive repetition throughout: a text of our own may be long, and none may take long to measure.
_LABEL = r"[\p{L}\p{N}](?:[\p{L}\p{N}_-]*+(?<![_-]))?+"
# The first top-level domains people write without "https://"; X links them all the same. Two letters
# are a country's.
_BARE_ENDING = (
    r"(?:com|org|net|edu|gov|info|biz|app|dev|shop|travel|aero|online|site|store|blog|news|social"
    r"|cloud|help|support|tech|[a-z]{2})(?![\p{L}\p{N}_@-])"
)
_TAIL = r"(?::\d{1,5})?+(?:[/?#][\p{L}\p{N}_\-./?#=&%+~:;,!'()*$@|\[\]]*(?<![.,;:!?'()*|\[\]]))?+"
_LINK_WITH_SCHEME = regex.compile(
    rf"(?<![\p{{L}}\p{{N}}_@#$])https?://(?P<host>(?:{_LABEL}\.)+\p{{L}}{{2,63}}+){_TAIL}", regex.IGNORECASE
)
_LINK_ON_X = regex.compile(
    rf"{_LINK_WITH_SCHEME.pattern}|(?<![\p{{L}}\p{{N}}_@#$./-])(?P<bare>(?:[a-z0-9](?:[a-z0-9-]*+(?<!-))?+\.)+"
    rf"{_BARE_ENDING}){_TAIL}",
    regex.IGNORECASE,
)
_REMOTE_HANDLE = regex.compile(r"(?<![\w@/])@\w[\w.-]{0,63}@[\w-]+(?:\.[\w-]+)+")
_LONGEST_LABEL = 63


@dataclass(frozen=True, slots=True)
class Length:
    """How much of a platform's limit a text uses; ``unit`` is the word people see beside the numbers.

    Where a platform has two limits, this is the one that the text is nearer to breaking.
    """

    used: int
    limit: int
    unit: str

    @property
    def fits(self) -> bool:
        """Whether the platform takes the text."""
        return self.used <= self.limit

    @property
    def left(self) -> int:
        """How much more may be written; negative when it is too long already."""
        return self.limit - self.used

    def __str__(self) -> str:
        return f"{self.used} of {self.limit} {self.unit}"


def measure(platform: str, text: str, *, mastodon_limit: int = MASTODON_TEXT) -> Length:
    """How long the text is as the platform counts.

    A recorded platform counts as the one it recorded: ``replay:bluesky`` as Bluesky. A bare ``replay``
    and a plugin's platform count as X, whose limit is the shortest that Heard knows.
    """
    match platform.removeprefix("replay:"):
        case "bluesky":
            return _bluesky(text)
        case "mastodon":
            return Length(_mastodon(text), mastodon_limit, "characters as Mastodon counts")
        case "reddit":
            return Length(len(text), _REDDIT_LIMIT, "characters")
        case _:
            return Length(_weight(text), _X_LIMIT, "characters as X counts")


def cut(platform: str, text: str, *, mastodon_limit: int = MASTODON_TEXT) -> str:
    """The longest beginning of the text that fits with a final "…"; the text itself when it fits.

    Nothing is cut inside what a reader sees as one letter, nor inside a link, which would lead elsewhere.
    """

    def fits(candidate: str) -> bool:
        return measure(platform, candidate, mastodon_limit=mastodon_limit).fits

    if fits(text):
        return text
    borders = [0, *_borders(text)]
    return _longest_that_fits(text, borders, fits)


def graphemes(text: str) -> list[str]:
    """The letters as a reader counts them: an accent, a flag or a family belongs to one."""
    return [found.group() for found in _GRAPHEME.finditer(text)]


def links(text: str) -> list[str]:
    """What X would make a link, with or without "https://", in order."""
    return [found.group() for found in _LINK_ON_X.finditer(text) if _link_span(found)]


def _longest_that_fits(text: str, borders: list[int], fits: Callable[[str], bool]) -> str:
    low, high = 0, len(borders) - 1
    # More text is never shorter, since a border is never inside a link.
    while low < high:
        middle = (low + high + 1) // 2
        if fits(text[: borders[middle]].rstrip() + _ELLIPSIS):
            low = middle
        else:
            high = middle - 1
    return text[: borders[low]].rstrip() + _ELLIPSIS


def _borders(text: str) -> list[int]:
    """Where a reader sees one letter end, leaving out the inside of links."""
    inside = {at for found in _LINK_ON_X.finditer(text) for at in range(found.start() + 1, found.end())}
    return [end for found in _GRAPHEME.finditer(text) if (end := found.end()) not in inside]


def _bluesky(text: str) -> Length:
    seen = Length(len(graphemes(text)), _BLUESKY_GRAPHEMES, "characters")
    stored = Length(len(text.encode()), _BLUESKY_BYTES, "bytes")
    return max(seen, stored, key=lambda length: length.used / length.limit)


def _mastodon(text: str) -> int:
    links = [found.span() for found in _LINK_WITH_SCHEME.finditer(text)]
    # A handle on another server counts without its server.
    local = _REMOTE_HANDLE.sub(lambda found: "@" + found.group().split("@")[1], _without(text, links))
    return len(graphemes(local)) + LINK_LENGTH * len(links)


def _weight(text: str) -> int:
    """X's weighted length: links count 23, an emoji sequence 2, everything else by its code point."""
    normal = unicodedata.normalize("NFC", text)
    links = [span for found in _LINK_ON_X.finditer(normal) if (span := _link_span(found))]
    rest = _without(normal, links)
    pictures = [] if rest.isascii() else emoji.emoji_list(rest)
    pictured = sum(picture["match_end"] - picture["match_start"] for picture in pictures)
    weight = sum(map(_letter_weight, rest))
    if pictured:
        inside = sum(_letter_weight(letter) for picture in pictures for letter in picture["emoji"])
        weight += 2 * len(pictures) - inside
    return weight + LINK_LENGTH * len(links)


def _letter_weight(letter: str) -> int:
    point = ord(letter)
    return 1 if any(first <= point <= last for first, last in _LIGHT) else 2


def _link_span(found: "regex.Match[str]") -> tuple[int, int] | None:
    """Where the link stands, or None for a host that no name server could hold."""
    host = found.group("host") or found.group("bare")
    return found.span() if all(map(_is_label, host.split("."))) else None


def _is_label(label: str) -> bool:
    if label.isascii():
        return len(label) <= _LONGEST_LABEL
    return len(label.encode("punycode")) + len("xn--") <= _LONGEST_LABEL


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    kept, at = [], 0
    for start, end in spans:
        kept.append(text[at:start])
        at = end
    return "".join((*kept, text[at:]))
