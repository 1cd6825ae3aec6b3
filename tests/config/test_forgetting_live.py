"""A person is forgotten by the command while `heard up` runs: it goes on, and nothing of theirs is left."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from casework.case import WITH_PEOPLE, Status
from streams.case_store import CaseStore
from tests.contracts.worlds.mastodon import open_world
from tests.crash.hearing import Bench
from tests.crash.places import CLOCK, brand_file, environment
from tests.crash.product import Product, wait_until
from tests.fakes.remains import everything

WORDS = "Мой чемодан потеряли, lost my bag kx-live-1"
HANDLE = "zoemarker4711"
PARTS = ("listener", "classifier", "responder", "promises")
WITHIN_S = 120.0


async def status_of(product: Product, post: str) -> Status | None:
    """How the case of a post stands; None while it has none."""
    cases = CaseStore(await product.store())
    case_id = await cases.case_of(f"mastodon:{post}")
    return (await cases.load(case_id)).status if case_id else None


async def came_to_people(product: Product, post: str) -> bool:
    """Whether it was heard, judged and put before people."""

    async def with_people() -> bool:
        return await status_of(product, post) in WITH_PEOPLE

    return await wait_until(with_people, WITHIN_S)


async def heard(product: Product, *words: str) -> tuple[int | None, str]:
    """A command beside the running product; how it ended and what it said."""
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "config.cli", *words), env=product.environment, stdout=PIPE, stderr=PIPE
    )
    out, err = await command.communicate()
    return command.returncode, (out + err).decode()


@pytest.mark.timeout(300)
async def test_a_person_is_forgotten_beside_a_running_heard(tmp_path: Path) -> None:
    """Before, they are found in its files; after, nowhere, though it has gone on hearing others."""
    async with open_world(CLOCK) as world:  # type: ignore[arg-type]  # only asked for the time
        product = Product(
            tmp_path / "p",
            PARTS,
            environment("mastodon", world.server.url),
            brand_file("mastodon", stream=True),
        )
        try:
            bench = Bench("mastodon", product, world)
            await bench.begin()
            post = world.says(WORDS, author=HANDLE)
            assert await came_to_people(product, post)
            before = await everything(await product.store(), product.folder)
            code, said = await heard(product, "customer", f"mastodon:@{HANDLE}", "--forget", "--yes")

            assert (code, "forgotten" in said.lower()) == (0, True), said
            assert WORDS.encode() in before
            assert HANDLE.encode() in before
            assert product.alive
            assert await came_to_people(product, world.says("My bag is lost as well", author="maya7"))
            after = await everything(await product.store(), product.folder)
            assert [one for one in (WORDS, HANDLE) if one.encode() in after] == []
            assert await status_of(product, post) in (None, Status.ERASED)
        finally:
            await product.stop()
