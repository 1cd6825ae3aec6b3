"""The last look at a text before it may go out: what it must not carry, found without knowing who wrote it.

It trusts nobody: a template, a person and a language model are held to the same list. Facts count as
known only where a reviewed text has them. Every pattern here takes time in proportion to the text.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from platforms.lengths import links, measure
from platforms.rules import Objection

# Joiners hold emoji and some scripts together; all other invisible characters can hide or turn a text.
_HARMLESS = frozenset("\n\u200c\u200d")
_HIDING = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_CARD = re.compile(r"(?<![\d-])\d(?:[ -]?\d){12,18}(?!\d)")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w.,:-])(?:\+|00)?\d(?:(?:[ ./-]|\) ?| ?\()?\d){7,14}(?![\w-])")
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{4}")
_HANDLE = re.compile(r"(?<![\w@/.])@\w[\w.-]{0,100}(?:@[\w.-]{1,100})?|(?<![\w/])/?[ur]/[\w-]{2,30}")
_CURRENCY = r"(?:[€$£¥]|kr\.?|kroner|nok|sek|dkk|eur(?:os?)?|usd|gbp|dollars?|pounds?)"
_NUMBER = r"\d{1,15}(?:[.,: ]\d{1,3}){0,4}"
_MONEY = re.compile(rf"(?<!\w){_CURRENCY} ?{_NUMBER}|(?<![\w.,]){_NUMBER} ?{_CURRENCY}(?!\w)", re.IGNORECASE)
_PERCENT = re.compile(
    r"(?<![\w.,])\d{1,15}(?:[.,]\d{1,6})? ?(?:%|percent|per cent|prosent|Prozent)", re.IGNORECASE
)
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")

_IBAN_LENGTHS = {
    "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24,
    "FI": 18, "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27, "LI": 21,
    "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24,
    "SE": 24, "SI": 19, "SK": 24, "TR": 26, "UA": 29,
}  # fmt: skip
_IBAN_CHECK = 97


def objections(text: str, *, platform: str, allowed: Sequence[str]) -> tuple[Objection, ...]:
    """Why the text must not go out, in order of weight; empty when nothing stands against it.

    ``allowed`` holds the texts whose facts are known to be right: the template, the cited article, the
    brand's name, the case's number. What is in none of them was made up, or came from a stranger.
    """
    if not any(unicodedata.category(letter)[0] in "LNSP" for letter in text):
        return (Objection("The reply is empty."),)
    known = _plain("\n".join(allowed))
    plain = _plain(text)
    return (*_hidden(text), *_personal(plain, known), *_made_up(plain, known), *_too_long(text, platform))


def _plain(text: str) -> str:
    """The text with one form of each letter and digit, so that a full-width digit is a digit."""
    normal = unicodedata.normalize("NFKC", text)
    return "".join(_ascii_digit(letter) for letter in normal)


def _ascii_digit(letter: str) -> str:
    if letter.isascii():
        return letter
    return str(unicodedata.digit(letter)) if letter.isdigit() else letter


def _hidden(text: str) -> Iterator[Objection]:
    found = {x for x in text if x not in _HARMLESS and unicodedata.category(x) in _HIDING}
    if found:
        points = ", ".join(sorted(f"U+{ord(letter):04X}" for letter in found)[:5])
        yield Objection(f"The reply has invisible characters that can hide or turn text: {points}.", "T3")


def _too_long(text: str, platform: str) -> Iterator[Objection]:
    length = measure(platform, text)
    if not length.fits:
        yield Objection(f"The reply is too long: {length}.")


def _personal(plain: str, known: str) -> Iterator[Objection]:
    for what, find in _PERSONAL:
        if set(map(_key, find(plain))) - set(map(_key, find(known))):
            # The data itself is not repeated here: this sentence is shown and logged.
            yield Objection(f"The reply carries {what}.", "T9")


def _made_up(plain: str, known: str) -> Iterator[Objection]:
    for what, find in _FACTS:
        sure = set(map(_key, find(known)))
        for fact in dict.fromkeys(find(plain)):
            if _key(fact) not in sure:
                yield Objection(f"The reply has {what} that no reviewed text has: {fact.strip()}", "T1")


def _key(found: str) -> str:
    return "".join(found.casefold().split()).strip(".,")


def _emails(text: str) -> list[str]:
    return [found.group() for found in _EMAIL.finditer(text)]


def _cards(text: str) -> list[str]:
    return [found.group() for found in _CARD.finditer(text) if _luhn(found.group())]


def _luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number) if digit.isdigit()]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _ibans(text: str) -> list[str]:
    candidates = (found.group().replace(" ", "").upper() for found in _IBAN.finditer(text))
    return [iban for one in candidates if (iban := one[: _IBAN_LENGTHS.get(one[:2], 0)]) and _is_iban(iban)]


def _is_iban(iban: str) -> bool:
    if len(iban) != _IBAN_LENGTHS[iban[:2]]:
        return False
    return int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % _IBAN_CHECK == 1


def _phones(text: str) -> list[str]:
    return [found.group() for found in _PHONE.finditer(_DATE.sub(" ", text))]


def _handles(text: str) -> list[str]:
    return [found.group() for found in _HANDLE.finditer(_EMAIL.sub(" ", text))]


def _links(text: str) -> list[str]:
    rest = _EMAIL.sub(" ", text)
    named = links(rest)
    for link in named:
        rest = rest.replace(link, " ", 1)
    return [*named, *(word for word in rest.split() if "://" in word or word.casefold().startswith("www."))]


def _money(text: str) -> list[str]:
    return [found.group() for found in _MONEY.finditer(text)]


def _percentages(text: str) -> list[str]:
    return [found.group() for found in _PERCENT.finditer(text)]


def _figures(text: str) -> list[str]:
    """Numbers, without those in what is looked at as a whole already."""
    rest = _PERCENT.sub(" ", _MONEY.sub(" ", _EMAIL.sub(" ", text)))
    return [found.group() for found in _FIGURE.finditer(rest)]


_PERSONAL: tuple[tuple[str, Callable[[str], list[str]]], ...] = (
    ("an e-mail address", _emails),
    ("a card number", _cards),
    ("a bank account number", _ibans),
    ("a telephone number", _phones),
)
_FACTS: tuple[tuple[str, Callable[[str], list[str]]], ...] = (
    ("a link", _links),
    ("a handle", _handles),
    ("an amount of money", _money),
    ("a percentage", _percentages),
    ("a number", _figures),
)
