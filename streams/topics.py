"""The names of everything in the store, and which partition an author's things live in.

Everything about one author carries one hash tag, so that the one door stays on a single slot of a
cluster and an author's mentions stay in order. By author and not by conversation: a viral thread would
put twenty times the mean on one partition.
"""

import re
import zlib
from collections.abc import Iterable
from functools import cache, lru_cache

from casework.case import Status, Topic
from casework.errors import NoSuchCase
from casework.mention import Mention

PARTITIONS = 64
CASE_ID = re.compile(r"C-([1-9][0-9]{0,15})", re.ASCII)


def partition_of(platform: str, author_id: str) -> int:
    """The partition of an author, fixed for the life of a store."""
    return zlib.crc32(f"{platform}:{author_id}".encode()) % PARTITIONS


def partition_of_mention(mention: Mention) -> int:
    """The partition of a mention's author."""
    return partition_of(mention.platform, mention.author.id)


def case_id(number: int, partition: int) -> str:
    """The id of the ``number``-th case (from 1) of a partition; it names its partition."""
    return f"C-{number * PARTITIONS + partition}"


@lru_cache(maxsize=65_536)
def partition_of_case(identifier: str) -> int:
    """The partition a case lives in, read from its id.

    Raises:
        NoSuchCase: this is not a case id.
    """
    match = CASE_ID.fullmatch(identifier)
    if match is None:
        raise NoSuchCase(identifier)
    return int(match[1]) % PARTITIONS


def case_key(identifier: str) -> str:
    """The hash that holds a case."""
    return f"{{p{partition_of_case(identifier)}}}:case:{identifier}"


def timeline_key(identifier: str) -> str:
    """The list that holds a case's timeline."""
    return f"{{p{partition_of_case(identifier)}}}:timeline:{identifier}"


@cache
def topic_key(partition: int, topic: Topic) -> str:
    """The stream of a topic in a partition."""
    return f"{{p{partition}}}:{topic}"


@cache
def due_key(partition: int) -> str:
    """The sorted set of cases by when the clock must look at them, in milliseconds since 1970."""
    return f"{{p{partition}}}:due"


@cache
def seen_key(partition: int) -> str:
    """The hash from what was heard to the case it became, or to why it became none."""
    return f"{{p{partition}}}:seen"


@cache
def threads_key(partition: int) -> str:
    """The hash from author and conversation to the case they have."""
    return f"{{p{partition}}}:threads"


@cache
def status_key(partition: int, status: Status) -> str:
    """The sorted set of the cases in a status, by when they were opened."""
    return f"{{p{partition}}}:status:{status}"


@cache
def changes_key(partition: int) -> str:
    """The stream of which case changed, for open screens."""
    return f"{{p{partition}}}:changes"


@cache
def dead_key(partition: int) -> str:
    """The stream of entries that could not be handled."""
    return f"{{p{partition}}}:dead"


@cache
def number_key(partition: int) -> str:
    """The counter of a partition's cases."""
    return f"{{p{partition}}}:number"


def optouts_key(partition: int) -> str:
    """The set of authors who asked not to be answered."""
    return f"{{p{partition}}}:optouts"


def forgotten_field(mark: str) -> str:
    """Where among what was heard it stands since when an author is forgotten."""
    return f"@{mark}"


def thread_fields(mention: Mention) -> list[str]:
    """Under which names a mention's case is found by what the same author writes later."""
    return [thread_field(mention.platform, mention.author.id, post) for post in mention.threads]


def thread_field(platform: str, author_id: str, post: str) -> str:
    """An author in one conversation."""
    return f"{platform}:{author_id}:{post}"


def all_partitions() -> Iterable[int]:
    """Every partition."""
    return range(PARTITIONS)
