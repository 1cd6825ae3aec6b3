"""Reads a YAML 1.2 file into plain values, and finds the line of each of its keys again.

YAML 1.2 keeps ``NO`` a text. A key that is written twice is an error, as one of the two would silently win.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.constructor import DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

LARGEST = 1_000_000
"""Bytes. A settings file is a few kilobytes; anything larger is some other file."""

_MOST_VALUES = 50_000
_DEEPEST = 20
_DUPLICATE = re.compile(r'found duplicate key "?([^"\n]*?)"?(?: with| \(|$)')

Location = tuple[int | str, ...]
"""The keys and list positions that lead to a value."""


class Unreadable(Exception):
    """The file cannot be read at all; ``line`` is where, if anywhere."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """A file as read: its bytes, its plain values, and the tree that knows the lines."""

    data: bytes
    values: dict[str, Any]
    tree: CommentedMap

    def line(self, location: Sequence[int | str]) -> int:
        """The line of the last key of ``location`` that stands in the file, counted from 1."""
        node: Any = self.tree
        found = _first_line(node)
        for part in location:
            key = _key_of(node, part)
            if key is None:
                break
            lines = node.lc.data or {}
            if key in lines:
                found = lines[key][0] + 1
            node = node[key]
        return found


def read_document(path: Path) -> Document:
    """The document in the file.

    Raises:
        Unreadable: there is no such file, or it is no YAML that Heard can read.
    """
    data = _bytes(path)
    try:
        tree = _yaml().load(_text(data))
    except DuplicateKeyError as error:
        key = _DUPLICATE.search(error.problem or "")
        name = f"`{key[1]}`" if key else "a key"
        raise Unreadable(f"{name} is written twice; keep one", _marked(error)) from None
    except MarkedYAMLError as error:
        raise Unreadable(f"this is not valid YAML: {_why(error)}", _marked(error)) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(f"this is not valid YAML: {str(error).splitlines()[0] or 'unreadable'}") from None
    if tree is None:
        raise Unreadable("the file is empty; `heard init` writes one to start from")
    if not isinstance(tree, CommentedMap):
        raise Unreadable("write settings as `key: value` lines, as in `heard init`", _first_line(tree))
    return Document(data=data, values=_Plain().mapping(tree, 0), tree=tree)


class _Texts(RoundTripConstructor):
    """Leaves days as they are written: a day that no month has is said where it stands, by who reads it."""


_Texts.add_constructor("tag:yaml.org,2002:timestamp", RoundTripConstructor.construct_scalar)


def _yaml() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.allow_duplicate_keys = False
    yaml.Constructor = _Texts
    return yaml


def _bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise Unreadable("this is a folder, not a file")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise Unreadable(f"there is no file {path}; `heard init` writes one") from None
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror or error}") from None
    if len(data) > LARGEST:
        raise Unreadable("the file is larger than 1 MB, so it is no settings file")
    return data


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable("the file is not UTF-8 text; save it as UTF-8", line) from None


def _marked(error: MarkedYAMLError) -> int | None:
    mark = error.problem_mark or error.context_mark
    return None if mark is None else int(mark.line) + 1


def _why(error: MarkedYAMLError) -> str:
    why = (error.problem or error.context or "unreadable").strip().splitlines()[0]
    if r"'\t'" in why:
        return f"{why}; indent with spaces, not tabs"
    return why


def _first_line(node: Any) -> int:
    line = getattr(getattr(node, "lc", None), "line", None)
    return int(line) + 1 if line is not None else 1


def _key_of(node: Any, part: int | str) -> Any:
    if isinstance(node, CommentedMap):
        return next((key for key in node if str(key) == str(part)), None)
    if isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
        return part
    return None


class _Plain:
    """Turns the tree into plain values. Counts them, so that no file of references can grow without end."""

    def __init__(self) -> None:
        self._left = _MOST_VALUES

    def mapping(self, node: CommentedMap, depth: int) -> dict[str, Any]:
        # A key with nothing behind it is a setting that was not made.
        plain = {str(key): self._value(value, depth + 1) for key, value in node.items()}
        return {key: value for key, value in plain.items() if value is not None}

    def _value(self, node: Any, depth: int) -> Any:
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise Unreadable("the settings are nested too deeply or refer to themselves", _first_line(node))
        if isinstance(node, CommentedMap):
            return self.mapping(node, depth)
        if isinstance(node, CommentedSeq):
            return [self._value(item, depth + 1) for item in node]
        if isinstance(node, TaggedScalar):
            return node.value
        if isinstance(node, ScalarBoolean):
            return bool(node)
        if isinstance(node, str):
            return str(node)
        if isinstance(node, float):
            return float(node)
        if isinstance(node, int) and not isinstance(node, bool):
            return int(node)
        return node
