"""`heard store mend`: asks before it drops anything, keeps a copy, and says what to look at afterwards."""

from pathlib import Path

import pytest

from streams import embedded
from tests.config.conftest import Command


@pytest.fixture
def damaged(home: Path) -> Path:
    """A store's newest file, with bytes at its end that are nobody's."""
    embedded.start(home / "store").close()
    (file,) = (home / "store" / "appendonlydir").glob("*.incr.aof")
    with file.open("ab") as written:
        written.write(b"nobody's")
    return file


def test_the_start_names_the_command(heard: Command, damaged: Path) -> None:
    """Before anything is touched."""
    before = damaged.read_bytes()
    ended = heard("pause")

    assert ended.code == 1
    assert "heard store mend" in ended.err
    assert damaged.read_bytes() == before


def test_nothing_is_dropped_without_a_yes(heard: Command, damaged: Path) -> None:
    """What is damaged is said, and who does not answer has not agreed."""
    before = damaged.read_bytes()
    ended = heard("store", "mend")

    assert ended.code == 2
    assert "the 8 after it cannot" in ended.err
    assert "say --yes" in ended.err
    assert damaged.read_bytes() == before


def test_what_can_be_read_stays_and_a_copy_is_kept(heard: Command, damaged: Path, home: Path) -> None:
    """And a second look finds nothing."""
    before = damaged.read_bytes()
    ended = heard("store", "mend", "--yes")
    (copy,) = home.glob("store-before-mending-*")

    assert ended.code == 0
    assert str(copy) in ended.err
    assert (copy / "appendonlydir" / damaged.name).read_bytes() == before
    assert "Nothing is damaged" in heard("store", "mend").err
    assert heard("pause").code == 0


def test_where_there_is_no_store_nothing_is_to_mend(heard: Command, home: Path) -> None:
    """And nothing is made."""
    ended = heard("store", "mend")

    assert (ended.code, "there is no store" in ended.err) == (1, True)
    assert not (home / "store").exists()


def test_a_server_of_ones_own_is_mended_there(heard: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are not ours."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    ended = heard("store", "mend")

    assert ended.code == 1
    assert "mend its files there" in ended.err
