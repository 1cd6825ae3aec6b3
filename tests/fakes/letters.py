"""Ready dead letters: entries of a line that a stage gave up, and a line of a feed."""

from typing import Any

from casework.case import Case, Topic
from streams import topics
from streams.case_store import Entry
from streams.connection import Store
from streams.dead_letters import DeadLetter, DeadLetters
from tests.fakes.cases import NOON


async def bury_case(store: Store, case: Case, *, topic: Topic = Topic.CLASSIFIED) -> DeadLetter:
    """The entry that a stage has of a case, given up."""
    partition = topics.partition_of_case(case.id)
    key = topics.topic_key(partition, topic)
    # Any: redis-py's stubs promise a text that a client without decoding never gives.
    added: Any = await store.writes.xadd(key, {"c": case.id, "a": b""})
    entry = Entry(partition, topic, "stage", added.decode(), case.id)
    dead = DeadLetters(store)
    before = {letter.id async for letter in dead.every()}
    await dead.bury(entry, "KeyError in stage", at=NOON)
    (letter,) = [letter async for letter in dead.every() if letter.id not in before]
    return letter


async def bury_line(store: Store, number: int) -> DeadLetter:
    """A line of a feed that is no mention."""
    dead, where = DeadLetters(store), f"day.jsonl:{number}"
    await dead.bury_line(where, f"{{broken {number}", f"line {number} is not JSON", at=NOON)
    (letter,) = [letter async for letter in dead.every() if letter.where == where]
    return letter
