"""The files that a new brand starts with: commented, valid, and never written over what is there."""

import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from casework.errors import HeardError
from config.brand import DEFAULTS, load_brand

ARTICLE = "KB-01-opening-hours.md"

_TOKEN_BYTES = 32
_SLACK_NAME = 35
_PLAIN = re.compile(r"[A-Za-z][\w .]*")


class CannotWrite(HeardError):
    """A start file cannot be written; the sentence says which and why."""


@dataclass(frozen=True, slots=True)
class StartFiles:
    """What became of each start file: written, or left alone because it was there already."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]

    def sentences(self) -> tuple[str, ...]:
        """One sentence for each file."""
        kept = (f"kept {path}, which was there already" for path in self.kept)
        return (*(f"wrote {path}" for path in self.written), *kept)


def start_files(
    folder: Path,
    *,
    brand: str,
    handles: Mapping[str, str | Sequence[str]] | None = None,
    watch: Sequence[str] = (),
    languages: Sequence[str] = (),
    timezone: str | None = None,
    holidays: Sequence[str] = (),
    slack_channel: str | None = None,
    managers_channel: str | None = None,
) -> StartFiles:
    """Write brand.yaml, .env (for its owner only), slack-manifest.json, templates.yaml and an article.

    A file that is there already is never touched. Answers that are left out keep the commented default.

    Raises:
        BrandError: an answer is wrong (an unknown time zone or country); nothing was written.
        CannotWrite: a file cannot be written.
    """
    places = {"channel": slack_channel, "managers": managers_channel}
    settings = _brand_yaml(
        {
            ("brand", "name"): brand,
            ("brand", "handles"): dict(handles or {}),
            ("brand", "watch"): list(watch) or [brand.lower()],
            ("brand", "languages"): list(languages),
            ("hours", "timezone"): timezone,
            ("hours", "holidays"): list(holidays),
            ("team", "slack"): {key: value for key, value in places.items() if value},
        }
    )
    texts = {
        folder / "brand.yaml": settings,
        folder / ".env": _env(),
        folder / "slack-manifest.json": manifest_for(brand),
        folder / "templates.yaml": (DEFAULTS / "templates.yaml").read_text(encoding="utf-8"),
        folder / "knowledge" / ARTICLE: (DEFAULTS / ARTICLE).read_text(encoding="utf-8"),
    }
    knowledge_is_there = (folder / "knowledge").exists()
    written: list[Path] = []
    kept: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check(folder, settings)
        for path, text in texts.items():
            # The article is an example: it has no place among real ones.
            example = path.name == ARTICLE and knowledge_is_there
            (kept if example or not _write(path, text) else written).append(path)
    except OSError as error:
        name = error.filename or folder
        raise CannotWrite(f"{name} cannot be written: {error.strerror or error}") from None
    return StartFiles(tuple(written), tuple(kept))


def slack_link(manifest: str) -> str:
    """The address that makes the Slack app with one click."""
    from urllib.parse import quote

    compact = json.dumps(json.loads(manifest), separators=(",", ":"))
    return f"https://api.slack.com/apps?new_app=1&manifest_json={quote(compact, safe='')}"


def _brand_yaml(answers: Mapping[tuple[str, str], Any]) -> str:
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 200
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.preserve_quotes = True
    tree = yaml.load((DEFAULTS / "brand.yaml").read_text(encoding="utf-8"))
    for (part, key), answer in answers.items():
        if answer:
            tree[part][key] = _node(answer)
    out = StringIO()
    yaml.dump(tree, out)
    return out.getvalue()


def _node(value: Any) -> Any:
    """The answer as YAML on one line, quoted where another program might read it as something else."""
    if isinstance(value, Mapping):
        node = CommentedMap((key, _node(item)) for key, item in value.items())
        node.fa.set_flow_style()
        return node
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else DoubleQuotedScalarString(value)
    items = CommentedSeq([_node(item) for item in value])
    items.fa.set_flow_style()
    return items


def _env() -> str:
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    text = (DEFAULTS / "env").read_text(encoding="utf-8")
    return text.replace("HEARD_DESK__TOKEN=", f"HEARD_DESK__TOKEN={token}", 1)


def manifest_for(brand: str) -> str:
    """The manifest of the brand's own Slack app (S2): each brand makes one, none is distributed."""
    manifest = json.loads((DEFAULTS / "slack-manifest.json").read_text(encoding="utf-8"))
    manifest["display_information"]["name"] = f"heard · {brand}"[:_SLACK_NAME].rstrip()
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def _check(folder: Path, settings: str) -> None:
    draft = folder / f".brand-{secrets.token_hex(4)}.yaml"
    try:
        draft.write_text(settings, encoding="utf-8")
        load_brand(draft)
    finally:
        draft.unlink(missing_ok=True)


def _write(path: Path, text: str) -> bool:
    """Write a new file; False if there is one (or a link) already. Secrets are never readable by others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o600 if path.name == ".env" else 0o644
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return True
