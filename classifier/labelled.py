"""Reads labelled posts from JSON Lines, plain or gzipped, and says what is wrong with a line that is none.

A row is an object with ``text`` and any of ``sentiment``, ``intent`` and ``urgency``; ``brand`` and
``source`` may stand beside them. TweetEval's own rows, with ``label`` 0, 1 or 2 and ``src``, are read too.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from casework.classification import Urgency
from casework.errors import HeardError
from classifier.examples import HEADS
from classifier.text import without_hidden_characters

_GZIP = b"\x1f\x8b"
_NUMBERED = "label"
"""Where TweetEval keeps the sentiment, as its number in the order of `HEADS`."""


class NotLabelled(HeardError):
    """A file of labelled rows cannot be read; the message names the file, and the line where there is one."""


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """One post with the labels that somebody gave it: for each head that has one, its number in `HEADS`."""

    text: str
    source: str
    labels: Mapping[str, int]
    brand: str = ""


def read_labelled(files: Sequence[Path]) -> list[LabelledRow]:
    """The labelled rows of all files, pooled in their order; rows without any label are left out.

    A row without a source gets the name of its file as one. Blank lines are no rows.

    Raises:
        NotLabelled: a file cannot be read, one of its lines is no row, or no row of any file has a label.
    """
    rows = [row for path in files for row in _rows(path) if row.labels]
    if not rows:
        names = ", ".join(str(path) for path in files)
        raise NotLabelled(f"{names}: no row has a label: give rows {_in_words(HEADS)}")
    return rows


def learnable(urgency: str) -> str:
    """The urgency as it is counted: too few rows are critical to be told apart, so those are high."""
    return Urgency.HIGH if urgency == Urgency.CRITICAL else urgency


def _rows(path: Path) -> Iterator[LabelledRow]:
    stem = _printable(path.name.split(".")[0] or path.name)
    for number, line in enumerate(_lines(path), start=1):
        if line.strip():
            yield _row(line, stem, f"{path} line {number}")


def _lines(path: Path) -> Iterable[bytes]:
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise NotLabelled(f"{path} is a damaged gzip file: {error}") from None
    except OSError as error:
        raise NotLabelled(f"{path} cannot be read: {error.strerror or error}") from None
    return content.removeprefix(b"\xef\xbb\xbf").split(b"\n")


def _row(line: bytes, stem: str, where: str) -> LabelledRow:
    fields = _fields(line, where)
    text = fields.get("text")
    if not isinstance(text, str) or not text.strip():
        raise NotLabelled(f"{where}: there is no text: every row needs a field text")
    found = ((head, _label(head, names, fields, where)) for head, names in HEADS.items())
    return LabelledRow(
        text=text,
        source=_name(fields, "source", "src") or stem,
        labels={head: label for head, label in found if label is not None},
        brand=_name(fields, "brand"),
    )


def _fields(line: bytes, where: str) -> dict[str, object]:
    try:
        fields: object = json.loads(line.decode())
    except UnicodeDecodeError:
        raise NotLabelled(f"{where}: it is not UTF-8") from None
    except (ValueError, RecursionError):
        raise NotLabelled(f"{where}: it is not JSON") from None
    if not isinstance(fields, dict):
        raise NotLabelled(f"{where}: it is not a JSON object")
    return fields


def _label(head: str, names: Sequence[str], fields: Mapping[str, object], where: str) -> int | None:
    label = fields.get(head)
    if label is None and head == "sentiment":
        return _numbered(fields.get(_NUMBERED), names, where)
    if label is None:
        return None
    counted = learnable(label) if head == "urgency" and isinstance(label, str) else label
    if counted not in names:
        known = [*names, str(Urgency.CRITICAL)] if head == "urgency" else names
        raise NotLabelled(f"{where}: {_shown(label)} is no {head}: write {_in_words(known)}")
    return names.index(str(counted))


def _numbered(label: object, names: Sequence[str], where: str) -> int | None:
    if label is None:
        return None
    if isinstance(label, bool) or not isinstance(label, int) or not 0 <= label < len(names):
        raise NotLabelled(f"{where}: {_shown(label)} is no label of a sentiment: write 0, 1 or 2")
    return label


def _name(fields: Mapping[str, object], *keys: str) -> str:
    return _printable(str(next((fields[key] for key in keys if fields.get(key) is not None), "")))


def _printable(name: str) -> str:
    # It is printed on a terminal, where a hidden character may be an order.
    return " ".join(without_hidden_characters(name).split())


def _in_words(names: Iterable[str]) -> str:
    *others, last = (str(name) for name in names)
    return f"{', '.join(others)} or {last}"


def _shown(value: object) -> str:
    return json.dumps(value)[:60]
