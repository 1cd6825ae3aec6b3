"""The models that a brand has on this machine, and which one judges: files below HEARD_HOME/models.

    models/active.json       the choice: which model, which one before, when, by whom
    models/<name>/           a copy of a bundle whose checksums were right
    models/log.jsonl         every choice that was made

The bundled model is always there and needs no file. Nothing here loads a model into memory to judge with.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from casework.errors import HeardError
from classifier.bundle import BUNDLED, read_bundle
from config.lanes import only_one
from config.safe_files import append_safely, sync_tree
from config.settings import Settings
from platforms.private_files import sync_folder, write_private

BUNDLED_NAME: Final = "bundled"
"""The name under which the model that comes with Heard can always be chosen."""

WorseThan = Callable[[Path, Path], Sequence[str]]
"""What the first folder's model does worse than the second's, as sentences; none lets it in."""

ReadName = Callable[[Path], str]
"""The name of the model in a folder, once its checksums are verified; raises `HeardError`."""

Stamp = tuple[int, int, int]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_LEFT_BEHIND: Final = (".*", "tone.safetensors")
_INCOMING: Final = ".incoming"
_MOST_OF_A_NAME: Final = 100


class Worse(HeardError):
    """The model is worse than the one in use; ``sentences`` say at what."""

    def __init__(self, name: str, current: str, sentences: Sequence[str]) -> None:
        lines = "".join(f"\n  - {sentence}" for sentence in sentences)
        super().__init__(f"{name} is worse than {current} and was not chosen (--anyway does):{lines}")
        self.sentences = tuple(sentences)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which model judges, which one did before, and who chose so when; empty where nobody ever chose."""

    name: str = BUNDLED_NAME
    previous: str = BUNDLED_NAME
    at: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """One model of this machine. ``weights`` is the name that it judges under, ``wrong`` why it cannot."""

    name: str
    weights: str
    active: bool
    wrong: str = ""

    def as_json(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)

    def sentence(self) -> str:
        """One line for a terminal."""
        said = self.wrong or f"{self.weights}, checksums right"
        return f"{'*' if self.active else ' '} {self.name:<28} {said}"


def verified_name(folder: Path) -> str:
    """The name of the bundle in a folder, once its checksums are verified."""
    return read_bundle(folder).name


def models_of(settings: Settings) -> "Models":
    """The models of this place."""
    return Models(settings.home / "models")


@dataclass(frozen=True, slots=True)
class Models:
    """The models below a folder. ``read`` verifies one and tells its name."""

    folder: Path
    read: ReadName = verified_name
    bundled: Path = BUNDLED

    @property
    def active(self) -> Path:
        """The file with the choice."""
        return self.folder / "active.json"

    # ── looking ──────────────────────────────────────────────────────────────────────────────────

    def choice(self) -> Choice:
        """The choice in force.

        Raises:
            HeardError: the file that holds it cannot be read.
        """
        try:
            said = json.loads(self.active.read_text(encoding="utf-8"))
            fields = Choice(*(str(said[name]) for name in ("name", "previous", "at", "by")))
        except FileNotFoundError:
            return Choice()
        except (OSError, ValueError, TypeError, KeyError):
            raise HeardError(f"{self.active} cannot be read: heard model use bundled mends it") from None
        if not _NAME.fullmatch(fields.name) or not _NAME.fullmatch(fields.previous):
            raise HeardError(f"{self.active} names no model: heard model use bundled mends it")
        return fields

    def stamp(self) -> Stamp | None:
        """Changes whenever the choice is written; None while there is none."""
        try:
            found = self.active.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def place(self, name: str) -> Path:
        """The folder of a model by its name."""
        return self.bundled if name == BUNDLED_NAME else self.folder / name

    def listed(self) -> tuple[Listed, ...]:
        """Every model of this machine, the bundled one first."""
        active = self._choice_or_bundled().name
        return tuple(self._listed(name, active) for name in (BUNDLED_NAME, *self._names()))

    def _listed(self, name: str, active: str) -> Listed:
        try:
            return Listed(name, self.read(self.place(name)), name == active)
        except HeardError as error:
            return Listed(name, "", name == active, wrong=str(error))

    def _names(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        return sorted(
            path.name for path in self.folder.iterdir() if path.is_dir() and _NAME.fullmatch(path.name)
        )

    def _choice_or_bundled(self) -> Choice:
        try:
            return self.choice()
        except HeardError:
            return Choice()

    # ── choosing ─────────────────────────────────────────────────────────────────────────────────

    def use(
        self,
        wanted: str,
        *,
        by: str,
        at: datetime,
        worse_than: WorseThan | None = None,
        anyway: bool = False,
    ) -> Choice:
        """Choose a model: by the name of one that is here, or a folder, which is verified and copied.

        The bundled one is never compared: it must always be there to go back to.

        Raises:
            Worse: it is worse than the one in use, and nobody said ``anyway``.
            HeardError: there is no such model, it is not whole, or another process is choosing.
        """
        with self._alone():
            before = self._choice_or_bundled()
            source, name = self._found(wanted)
            worse = self._worse(source, before.name, worse_than) if name != BUNDLED_NAME else ()
            if worse and not anyway:
                raise Worse(name, before.name, worse)
            if source != self.place(name):
                name = self._take_in(source, name)
            return self._write(
                name, before, by=by, at=at, how="use --anyway" if anyway else "use", worse=worse
            )

    def undo(self, *, by: str, at: datetime) -> Choice:
        """Go back to the model before; once more goes forward again.

        Raises:
            HeardError: there was none before, or it is not whole any more.
        """
        with self._alone():
            before = self.choice()
            if before.name == before.previous:
                raise HeardError("there is no earlier choice to go back to")
            if before.previous != BUNDLED_NAME:
                self.read(self.place(before.previous))
            return self._write(before.previous, before, by=by, at=at, how="undo")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with only_one(self.folder / "choosing.lock", "chooses a model already"):
            yield

    def _found(self, wanted: str) -> tuple[Path, str]:
        """The verified folder that is meant, and the name that its copy has or will have."""
        if wanted == BUNDLED_NAME:
            return self.bundled, BUNDLED_NAME
        if wanted in self._names():
            self.read(self.place(wanted))
            return self.place(wanted), wanted
        folder = Path(wanted).expanduser()
        if not folder.is_dir():
            known = ", ".join((BUNDLED_NAME, *self._names()))
            raise HeardError(f"there is no model {wanted} and no such folder; models here: {known}")
        name = self.read(folder)
        if not _NAME.fullmatch(name) or name == BUNDLED_NAME:
            raise HeardError(f"the model in {folder} has a name that cannot name a folder: {name!r}")
        return folder, name

    def _worse(self, source: Path, current: str, worse_than: WorseThan | None) -> tuple[str, ...]:
        if worse_than is None or source == self.place(current):
            return ()
        try:
            self.read(self.place(current))
        except HeardError:
            # Nothing is worse than a model that cannot judge.
            return ()
        return tuple(worse_than(source, self.place(current)))

    def _take_in(self, source: Path, name: str) -> str:
        """Copy a bundle; what is verified last is the copy, so that nothing can change in between."""
        self.folder.mkdir(parents=True, exist_ok=True)
        incoming = self.folder / _INCOMING
        shutil.rmtree(incoming, ignore_errors=True)
        try:
            shutil.copytree(source, incoming, ignore=shutil.ignore_patterns(*_LEFT_BEHIND))
            if self.read(incoming) != name:
                raise HeardError(f"the model in {source} changed while it was copied: try again")
            sync_tree(incoming)
            name = self._free_name(name, incoming)
            if not self.place(name).exists():
                incoming.rename(self.place(name))
                sync_folder(self.folder)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
        return name

    def _free_name(self, name: str, incoming: Path) -> str:
        """The name, or with a number behind it where another model, or a broken copy, has it."""
        names = (name, *(f"{name}.{number}" for number in range(2, _MOST_OF_A_NAME)))
        for free in names:
            if not self.place(free).exists() or _same(self.place(free), incoming):
                return free
        raise HeardError(f"there are too many models called {name}: remove some from {self.folder}")

    def _write(
        self, name: str, before: Choice, *, by: str, at: datetime, how: str, worse: Sequence[str] = ()
    ) -> Choice:
        # Choosing the same again is written too: a process that could not use it tries once more.
        previous = before.previous if name == before.name else before.name
        chosen = Choice(name, previous, at.isoformat(), by)
        written = json.dumps(asdict(chosen), indent=2, ensure_ascii=False) + "\n"
        write_private(self.active, written.encode())
        line: Mapping[str, object] = {
            "at": chosen.at,
            "by": by,
            "how": how,
            "from": before.name,
            "to": name,
            "worse": list(worse),
        }
        append_safely(self.folder / "log.jsonl", json.dumps(line, ensure_ascii=False))
        return chosen


def _same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files, byte for byte."""
    names = [
        sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file()) for folder in (one, other)
    ]
    return names[0] == names[1] and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in names[0]
    )
