"""The brand's reviewed wording: templates with typed slots, which never take a customer's own words.

The one exception is the first name, and only while it is plainly a name.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from casework.draft import ReplyKind
from casework.errors import HeardError


class WordingError(HeardError):
    """The templates cannot be used; names the file and the line, if there is one."""

    def __init__(self, path: Path, line: int | None, why: str) -> None:
        super().__init__(f"{path}: {why}" if line is None else f"{path}, line {line}: {why}")
        self.path = path
        self.line = line


@dataclass(frozen=True, slots=True)
class Template:
    """Reviewed wording of one reply in one language, with slots in braces."""

    id: str
    kind: ReplyKind
    language: str
    text: str

    @property
    def slots(self) -> frozenset[str]:
        """The names of the slots that the text has."""
        return frozenset(_SLOT.findall(self.text))


@dataclass(frozen=True, slots=True)
class Slots:
    """What the slots are filled with. ``first_name`` is cleaned, and left out where it is no plain name."""

    brand: str
    case: str
    first_name: str = ""
    desk_hours: str = ""
    disclosure: str = ""


SLOTS = frozenset(Slots.__slots__)
"""Every slot that a template may have."""

_SLOT = re.compile(r"\{([^{}]*)\}")
_NAME_SLOT = "first_name"
# A name that is left out takes the comma before it along: "Hi {first_name}, we" becomes "Hi, we".
_NAME_WITH_COMMA = re.compile(r"(?:,? )?\{first_name\}")
_NAME_AT_START = re.compile(r"^\{first_name\}[,:!.]? ?")
_BETWEEN_NAMES = re.compile(r"[-'’]")
_LONGEST_NAME = 30
_FIELDS = ("id", "kind", "language", "text")
_ENGLISH = "en"
# A post in no language (a photo, an emoji) is answered in English; one in a language that the brand does
# not write is kept for a person instead.
_NO_LANGUAGE = frozenset({"", "und", "zxx", "mul"})
_NORWEGIAN = frozenset({"no", "nn", "nb"})


def written(language: str) -> str:
    """The language a reply is written in for an author's language code: the base one, Norwegian as Bokmål."""
    base = language.casefold().replace("_", "-").partition("-")[0]
    if base in _NO_LANGUAGE:
        return _ENGLISH
    return "nb" if base in _NORWEGIAN else base


def clean_first_name(name: str) -> str:
    """The name if it is plainly one (letters, at most 30, capital first), else nothing."""
    plain = unicodedata.normalize("NFC", name).strip()
    if len(plain) > _LONGEST_NAME or not all(part.isalpha() for part in _BETWEEN_NAMES.split(plain)):
        return ""
    return plain if plain[0].upper() == plain[0] else ""


def render(template: Template, slots: Slots) -> str:
    """The template's text with its slots filled, once: braces in a value stay what they are."""
    values = {**asdict(slots), _NAME_SLOT: clean_first_name(slots.first_name)}
    text = template.text if values[_NAME_SLOT] else _without_name(template.text)
    return _SLOT.sub(lambda slot: str(values[slot.group(1)]), text)


def missing(template: Template, slots: Slots) -> frozenset[str]:
    """The slots of the template that there is nothing to fill with; a missing name is left out instead."""
    values = asdict(slots)
    return frozenset(slot for slot in template.slots - {_NAME_SLOT} if not values[slot].strip())


def _without_name(text: str) -> str:
    text = _NAME_AT_START.sub("", text)
    text = _NAME_WITH_COMMA.sub("", text)
    return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Wording:
    """All reviewed templates, and in each language the words that say no person wrote this."""

    templates: tuple[Template, ...] = ()
    disclosures: Mapping[str, str] | None = None

    def find(self, template_id: str, language: str) -> Template | None:
        """The template in the author's language; None where the brand has none in it."""
        wanted = written(language)
        fitting = (one for one in self.templates if (one.id, one.language) == (template_id, wanted))
        return next(fitting, None)

    def disclosure(self, language: str) -> str | None:
        """The words that say that the reply is automatic, in the author's language."""
        return (self.disclosures or {}).get(written(language))

    def has(self, template_id: str) -> bool:
        """Whether the template exists in any language."""
        return any(one.id == template_id for one in self.templates)


def load_templates(path: Path) -> Wording:
    """The reviewed wording in the file.

    Raises:
        WordingError: it cannot be read, has an unknown slot, or an acknowledgement lacks the words that
            the law and the platforms ask for.
    """
    content = _read(path)
    disclosures = _disclosures(path, content.get("disclosure"))
    rows: Any = content.get("templates")
    if not isinstance(rows, CommentedSeq) or not rows:
        raise WordingError(path, 1, "the file needs a list of templates")
    templates: list[Template] = []
    for at, row in enumerate(rows):
        line = int(rows.lc.item(at)[0]) + 1
        template = _template(path, line, row)
        _check(path, line, template, templates, disclosures)
        templates.append(template)
    return Wording(tuple(templates), disclosures)


def _read(path: Path) -> CommentedMap:
    try:
        content = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise WordingError(path, 1, "the file is not UTF-8 text") from error
    except OSError as error:
        why = f"the reviewed wording cannot be read ({error.strerror}); `heard init` writes one to begin with"
        raise WordingError(path, None, why) from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise WordingError(path, line, error.problem or "this is not YAML") from error
    except YAMLError as error:
        raise WordingError(path, 1, "this is not YAML") from error
    if not isinstance(content, CommentedMap):
        raise WordingError(path, 1, "the file needs a list of templates")
    return content


def _disclosures(path: Path, found: object) -> dict[str, str]:
    if found is None:
        return {}
    if not isinstance(found, CommentedMap) or not all(isinstance(text, str) for text in found.values()):
        raise WordingError(path, 1, "disclosure must give a text for each language")
    return {str(language): str(text).strip() for language, text in found.items()}


def _template(path: Path, line: int, row: object) -> Template:
    if not isinstance(row, CommentedMap) or not all(isinstance(row.get(name), str) for name in _FIELDS):
        raise WordingError(path, line, f"a template needs the texts {', '.join(_FIELDS)}")
    if unknown := sorted(set(row) - set(_FIELDS)):
        raise WordingError(path, line, f"nobody knows what {unknown[0]!r} means here")
    kinds = [kind.value for kind in ReplyKind]
    if row["kind"] not in kinds:
        raise WordingError(path, line, f"kind must be {' or '.join(kinds)}, not {row['kind']!r}")
    return Template(str(row["id"]), ReplyKind(row["kind"]), str(row["language"]), str(row["text"]).strip())


def _check(
    path: Path,
    line: int,
    template: Template,
    before: Sequence[Template],
    disclosures: Mapping[str, str],
) -> None:
    name = f"template {template.id} ({template.language})"
    if unknown := sorted(template.slots - SLOTS):
        known = ", ".join(sorted(SLOTS))
        raise WordingError(path, line, f"{name} has an unknown slot {{{unknown[0]}}}; there are {known}")
    if "{" in _SLOT.sub("", template.text) or "}" in _SLOT.sub("", template.text):
        raise WordingError(path, line, f"{name} has a brace that belongs to no slot")
    if any((one.id, one.language) == (template.id, template.language) for one in before):
        raise WordingError(path, line, f"{name} is there twice")
    if template.kind is ReplyKind.ACKNOWLEDGEMENT and not {"disclosure", "case"} <= template.slots:
        raise WordingError(path, line, f"{name} must say {{disclosure}} and {{case}}: it goes out by itself")
    if "disclosure" in template.slots and not disclosures.get(template.language):
        raise WordingError(path, line, f"there is no disclosure in {template.language} for {name}")
