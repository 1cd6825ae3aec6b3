"""Platforms that are installed, Heard's own and plugins', and the start of a new one."""

import keyword
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from string import Template
from typing import Any, Final

from pydantic import BaseModel

from casework.clock import SystemClock
from casework.errors import HeardError
from config.brand import Brand
from config.brand_file import PLATFORMS
from config.connecting import looking
from config.places import Place, brand_file, here, own_brand
from config.settings import Settings
from config.usage import WrongUsage
from platforms.limits import OwnBudget
from platforms.platform import Platform
from platforms.setup import GROUP, NotConnected

SKELETON: Final = Path(__file__).parent / "skeleton"

_NAME: Final = re.compile(r"[a-z](?:_?[a-z0-9])*")
"""No two underscores: they part the levels of a variable."""


# ── those that are there ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed platform. ``used`` says that brand.yaml has it on.

    ``hears`` are the names of its paths and ``posts`` whether an account is connected that may post,
    once it is ``ready``; otherwise ``why`` it is not, and what mends that as ``fix``.
    """

    name: str
    distribution: str
    version: str
    used: bool
    ready: bool
    hears: tuple[str, ...] = ()
    posts: bool = False
    why: str = ""
    fix: str = ""

    def sentence(self) -> str:
        """The line on a terminal."""
        mark = "✔" if self.ready else "✘" if self.used else "·"
        words = self._can() if self.ready else self.why
        use = "in use" if self.used else "not in brand.yaml"
        fix = f"\n{'':18}→ {self.fix}" if self.fix else ""
        return f" {mark} {self.name:<14} {words} ({self.distribution} {self.version}, {use}){fix}"

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def _can(self) -> str:
        hears = f"hears by {', '.join(self.hears)}" if self.hears else "does not listen"
        return f"{hears}; {'may post' if self.posts else 'has no account to post with'}"


async def listed(config: Path | None = None, *, tell: Callable[[str], None]) -> list[Installed]:
    """The platforms as this place has them; ``tell`` hears why a brand file that is there cannot be read."""
    brand = None
    if config is not None or brand_file(None).exists():
        try:
            brand = own_brand(config)
        except HeardError as error:
            # A file that names a platform which is not there is why people ask for the list.
            tell(str(error))
    return await installed_platforms(brand, here(brand=brand))


async def installed_platforms(brand: Brand | None, place: Place) -> list[Installed]:
    """Every installed platform, by name. Each is made and let go again; nothing is sent anywhere."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    return [await _look_at(found[name], brand, place) for name in sorted(found)]


async def _look_at(point: EntryPoint, brand: Brand | None, place: Place) -> Installed:
    name, dist = point.name, point.dist
    origin = (dist.name, dist.version) if dist is not None else ("unknown", "")
    used = brand is not None and name in brand.platforms
    try:
        platform = _made(name, brand, place)
    except HeardError as error:
        fix = error.fix if isinstance(error, NotConnected) else ""
        return Installed(name, *origin, used, ready=False, why=str(error), fix=fix)
    except Exception as error:
        # Anybody's code: one that breaks must not hide the others.
        why = f"it cannot be loaded: {type(error).__name__}: {error}"
        return Installed(name, *origin, used, ready=False, why=why, fix=f"install {origin[0]} anew")
    hears, posts = tuple(path.name for path in platform.paths), platform.can_post
    with suppress(Exception):
        await platform.close()
    return Installed(name, *origin, used, ready=True, hears=hears, posts=posts)


def _made(name: str, brand: Brand | None, place: Place) -> Platform:
    if name not in PLATFORMS:
        raise NotConnected(f"brand.yaml cannot name {name!r}", fix="ask its authors for another name")
    clock = SystemClock()
    folder = place.folder / "platforms" / name
    return looking(name, (), brand, place, clock=clock, budget=OwnBudget(clock.now), folder=folder)


# ── a new one ────────────────────────────────────────────────────────────────────────────────────


def new_plugin(name: str, directory: Path | None = None) -> list[Path]:
    """Write a small package with a platform that runs and keeps the contract; returns its files.

    ``directory`` is ``heard-NAME`` here if it is left out. Nothing that exists is overwritten.

    Raises:
        WrongUsage: the name will not do or is taken, or the folder has something in it.
    """
    _check_name(name)
    folder = directory or Path(f"heard-{name.replace('_', '-')}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WrongUsage(f"{folder} is not empty; name another folder: heard plugins new {name} FOLDER")
    return [_write(folder / path, text) for path, text in _files(name)]


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise WrongUsage(f"{name!r} cannot name a platform; write a word in lower case, such as lemmy")
    if name in PLATFORMS:
        raise WrongUsage(f"there is a platform {name} already: heard plugins list")
    # A setting of Heard's own, or a word of the library that reads brand.yaml.
    if name in Settings.model_fields or hasattr(BaseModel, name):
        raise WrongUsage(f"the name {name} means something else to Heard; take another")


def _files(name: str) -> Iterator[tuple[str, str]]:
    words = {
        "name": name,
        "NAME": name.upper(),
        "Name": name.title().replace("_", ""),
        "dashed": name.replace("_", "-"),
    }
    for template in sorted(SKELETON.rglob("*.tmpl")):
        path = template.relative_to(SKELETON).with_suffix("").as_posix()
        text = Template(template.read_text(encoding="utf-8")).substitute(words)
        yield path.replace("NAME", name), text


def _write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8") as written:
        written.write(text)
    return file
