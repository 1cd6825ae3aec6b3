"""The hostile corpora as plain texts: everything in them that somebody could post, wherever it stands.

Features: all corpora or some by folder; nothing empty, nothing longer than any platform carries.
"""

import json
from collections.abc import Iterator
from pathlib import Path

NAUGHTY = Path("/work/shared/data/naughty")
LONGEST = 20_000
CORPORA = ("own", "blns", "bipia", "garak", "ldnoobw", "twitter-text", "unicode")


def texts(*folders: str) -> list[str]:
    """Every different text in these folders, or in all; none where the corpora are not."""
    found = (
        text
        for folder in folders or CORPORA
        for path in sorted((NAUGHTY / folder).rglob("*"))
        if path.is_file() and "LICENSE" not in path.name and "README" not in path.name
        for text in _of_file(path)
    )
    return list(dict.fromkeys(text for text in found if text.strip() and len(text) < LONGEST))


def _of_file(path: Path) -> Iterator[str]:
    raw = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".json":
        yield from _strings(json.loads(raw))
    elif path.suffix == ".jsonl":
        for line in raw.splitlines():
            row = json.loads(line)
            yield from [row["text"]] if isinstance(row, dict) and "text" in row else _strings(row)
    elif path.suffix in ("", ".txt"):
        yield from raw.splitlines()


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
