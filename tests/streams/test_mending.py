"""Files of the store that were cut or damaged: repaired, or one sentence that says what to do."""

import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from casework import moves
from streams import embedded, mending, topics
from streams.case_store import CaseStore
from streams.connection import open_store
from streams.errors import StoreUnavailable
from tests.fakes.cases import NOON, PROMISES, a_mention

SAVES = 20
IDS = [topics.case_id(number, topics.partition_of("x", "maya")) for number in range(1, SAVES + 1)]


@pytest.fixture
async def folder() -> AsyncIterator[Path]:
    """A data folder with twenty cases, which no server uses any more."""
    with tempfile.TemporaryDirectory() as made:
        home = Path(made) / "store"
        async with open_store(None, home) as store:
            for number, case_id in enumerate(IDS, 1):
                heard = moves.hear(a_mention(number), case_id=case_id, at=NOON, promises=PROMISES)
                await CaseStore(store).save(heard)
        yield home


def newest(folder: Path) -> Path:
    """The file that was written last."""
    (found,) = (folder / "appendonlydir").glob("*.incr.aof")
    return found


async def kept(folder: Path) -> int:
    """How many of the first cases are there at the next start, without a gap."""
    async with open_store(None, folder) as store:
        cases = await CaseStore(store).load_all(IDS)
    there = [case is not None for case in cases]
    assert there == sorted(there, reverse=True)
    return sum(there)


@pytest.mark.parametrize("cut", [1, 2, 37, 700, 1_500])
async def test_a_write_that_was_cut_short_is_dropped_and_it_is_said(folder: Path, cut: int) -> None:
    """It was never answered: a power cut in its middle. Everything before it is there."""
    file = newest(folder)
    file.write_bytes(file.read_bytes()[:-cut])
    with capture_logs() as logs:
        assert await kept(folder) == SAVES - 1

    assert [line["event"] for line in logs if "cut short" in line["event"]]
    with capture_logs() as logs:
        assert await kept(folder) == SAVES - 1
    assert not [line for line in logs if "cut short" in line["event"]]


def garbage_in_the_middle(folder: Path) -> None:
    """Bytes that are nobody's, from a disk or a copy."""
    file = newest(folder)
    raw = file.read_bytes()
    half = len(raw) // 2
    file.write_bytes(raw[:half] + b"garbage!" * 10 + raw[half:])


def zeros_at_the_end(folder: Path) -> None:
    """What some file systems leave after a power cut: the length was kept, the bytes were not."""
    with newest(folder).open("ab") as file:
        file.write(bytes(4096))


@pytest.mark.parametrize(("damage", "least"), [(garbage_in_the_middle, 5), (zeros_at_the_end, SAVES)])
async def test_a_damaged_file_is_named_and_mended_by_command(
    folder: Path, damage: Callable[[Path], None], least: int
) -> None:
    """The start says which command; the command keeps a copy and everything that can be read."""
    damage(folder)
    before = newest(folder).read_bytes()
    with pytest.raises(StoreUnavailable, match="heard store mend"):
        await kept(folder)
    assert newest(folder).read_bytes() == before

    found = mending.examine(folder)
    assert found is not None
    copy = mending.mend(folder, found, at=datetime(2026, 11, 3))  # noqa: DTZ001 (part of a name)

    assert newest(copy).read_bytes() == before
    assert newest(folder).read_bytes() == before[: found.good]
    assert mending.examine(folder) is None
    assert least <= await kept(folder) <= SAVES


def without_its_list(folder: Path) -> None:
    """Forgotten by whoever copied the folder."""
    (folder / "appendonlydir" / "appendonly.aof.manifest").unlink()


def with_a_broken_list(folder: Path) -> None:
    """Cut by a full disk."""
    (folder / "appendonlydir" / "appendonly.aof.manifest").write_text("fil")


def without_its_base(folder: Path) -> None:
    """One file of two."""
    (base,) = (folder / "appendonlydir").glob("*.base.*")
    base.unlink()


@pytest.mark.parametrize("damage", [without_its_list, with_a_broken_list, without_its_base])
async def test_files_that_are_not_complete_are_never_begun_anew(
    folder: Path, damage: Callable[[Path], None]
) -> None:
    """A server without the list of its files would begin empty ones in their place."""
    damage(folder)
    before = newest(folder).read_bytes()
    with pytest.raises(StoreUnavailable, match="restore"):
        await kept(folder)

    assert newest(folder).read_bytes() == before


async def test_what_is_in_use_is_not_mended(folder: Path) -> None:
    """The server writes to the very file."""
    server = embedded.start(folder)
    with pytest.raises(StoreUnavailable, match="end it first"):
        mending.examine(folder)
    server.close()


def test_an_empty_folder_has_nothing_to_mend(tmp_path: Path) -> None:
    """Said as it is."""
    with pytest.raises(StoreUnavailable, match="no list of its files"):
        mending.examine(tmp_path)
