"""What is born of a process that has imported the product runs as if it had been started."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.crash import nursery
from tests.crash.product import wait_for


def of(module: str, *words: str, folder: Path) -> nursery.Born:
    return nursery.born(module, words, environment={}, folder=folder, talk=folder / "talk.log")


async def test_it_ends_with_its_own_exit_code_and_says_why(tmp_path: Path) -> None:
    """Standard error is kept; what was said before is not written over."""
    (tmp_path / "talk.log").write_text("before\n")
    process = of("config.cli", "sing", folder=tmp_path)

    assert await process.wait() == process.returncode == 2
    talk = (tmp_path / "talk.log").read_text()
    assert talk.startswith("before\n")
    assert "No such command" in talk


async def test_it_lives_in_its_folder_until_it_is_killed(tmp_path: Path) -> None:
    """With a signal's number, however many wait for it."""
    process = of("http.server", "0", "--bind", "127.0.0.1", folder=tmp_path)
    try:
        assert await wait_for(lambda: Path(f"/proc/{process.pid}/cwd").readlink() == tmp_path, 20)
        assert process.returncode is None
    finally:
        process.kill()

    assert await process.wait() == -9
    assert await process.wait() == -9


@pytest.mark.parametrize("module", nursery.IMPORTED)
def test_what_is_imported_beforehand_is_there(module: str) -> None:
    """The library passes over a name that it cannot import, which would only be slow."""
    assert find_spec(module) is not None
