"""Recorded feeds: every line becomes a mention or a named problem; none is dropped, none is fatal."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from platforms.feed import Feed, FeedError, load_feed

NOW = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
GOOD = {"id": "1", "author": "maya", "text": "Where is my bag?", "created_at": "2026-11-03T10:00:00Z"}


def feed_of(tmp_path: Path, *lines: object, name: str = "feed.jsonl") -> Feed:
    raw = b"\n".join(
        line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode() for line in lines
    )
    (tmp_path / name).write_bytes(raw)
    return load_feed(tmp_path / name, now=NOW)


def test_a_line_becomes_a_mention(tmp_path: Path) -> None:
    """The required fields are enough; the platform has a default."""
    (item,) = feed_of(tmp_path, GOOD).recorded

    assert (item.mention.key, item.mention.author.handle, item.line) == ("replay:1", "maya", 1)
    assert item.mention.created_at == datetime(2026, 11, 3, 10, 0, tzinfo=UTC)


BAD: dict[str, tuple[object, str]] = {
    "broken": (b'{"id": "1", "text": ', "is not JSON"),
    "not an object": ([1, 2], "is not a JSON object"),
    "deep": (b"[" * 100_000, "is not JSON"),
    "latin-1": ('{"id": "é"}'.encode("latin-1"), "is not UTF-8"),
    "unknown field": ({**GOOD, "likes": 3}, "unknown field 'likes'"),
    "unknown author field": ({**GOOD, "author": {"id": "1", "age": 3}}, "unknown author field 'age'"),
    "no author": ({k: v for k, v in GOOD.items() if k != "author"}, "has no author"),
    "empty text": ({**GOOD, "text": "  \n"}, "has an empty text"),
    "no text": ({**GOOD, "text": None}, "has no text"),
    "text of a number": ({**GOOD, "text": 7}, "has a text that is no text"),
    "a megabyte": ({**GOOD, "text": "a" * 1_000_000}, "text of 1,000,000 characters"),
    "future": ({**GOOD, "created_at": "2031-01-01T00:00:00Z"}, "written in the future"),
    "no zone": ({**GOOD, "created_at": "2026-11-03T10:00:00"}, "without a time zone"),
    "no time": ({**GOOD, "created_at": "yesterday"}, "is no time"),
    "half a character": (
        b'{"id":"1","author":"m","text":"\\ud800","created_at":"2026-11-03T10:00:00Z"}',
        "half a character",
    ),
    "id of a list": ({**GOOD, "id": [1]}, "has a id that is no id"),
    "flag of a word": ({**GOOD, "mentions_brand": "perhaps"}, "where true or false belongs"),
    "followers of a word": ({**GOOD, "author": {"id": "1", "followers": "many"}}, "no number"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_named_and_the_next_one_is_played(tmp_path: Path, name: str) -> None:
    """The problem says its line and what is wrong; good lines round it are mentions."""
    line, problem = BAD[name]
    feed = feed_of(tmp_path, {**GOOD, "id": "0"}, line, {**GOOD, "id": "2"})

    assert [item.mention.id for item in feed.recorded] == ["0", "2"]
    assert [(bad.where, problem in bad.why) for bad in feed.unreadable] == [("feed.jsonl:2", True)]
    assert feed.lines == 3


def test_a_repeated_id_names_the_line_it_repeats(tmp_path: Path) -> None:
    """The first one is played."""
    feed = feed_of(tmp_path, GOOD, {**GOOD, "text": "again"})

    assert [item.mention.text for item in feed.recorded] == ["Where is my bag?"]
    assert feed.unreadable[0].why == "line 2 has the id '1' of line 1"


def test_the_same_id_on_two_platforms_is_two_mentions(tmp_path: Path) -> None:
    """Ids are a platform's own."""
    feed = feed_of(tmp_path, {**GOOD, "platform": "x"}, {**GOOD, "platform": "reddit"})

    assert sorted(feed.by_key) == ["reddit:1", "x:1"]


def test_mentions_are_played_in_the_order_of_their_times(tmp_path: Path) -> None:
    """Whatever order the file has."""
    early = {**GOOD, "id": "early", "created_at": "2026-11-03T08:00:00+02:00"}
    feed = feed_of(tmp_path, GOOD, early)

    assert [item.mention.id for item in feed.recorded] == ["early", "1"]


def test_csv_is_read_by_a_mapping(tmp_path: Path) -> None:
    """Columns that are not asked for stay out; quoted line breaks stay in the text."""
    (tmp_path / "export.csv").write_text(
        'tweet_id,user,body,when,likes\n7,maya,"Where is\nmy bag?",2026-11-03T10:00:00Z,3\n'
    )
    columns = {"id": "tweet_id", "author": "user", "text": "body", "created_at": "when"}
    (item,) = load_feed(tmp_path / "export.csv", columns=columns, platform="x", now=NOW).recorded

    assert (item.mention.key, item.mention.text) == ("x:7", "Where is\nmy bag?")


def test_a_csv_row_with_a_missing_column_is_named(tmp_path: Path) -> None:
    """By its line."""
    (tmp_path / "export.csv").write_text("id,author,text,created_at\n1,maya\n")
    feed = load_feed(tmp_path / "export.csv", now=NOW)

    assert feed.unreadable[0].why == "line 2 has more or fewer columns than the header"


def test_gzipped_files_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    """As exports come."""
    raw = b"\xef\xbb\xbf" + json.dumps(GOOD).encode()
    (tmp_path / "feed.jsonl.gz").write_bytes(gzip.compress(raw))

    assert len(load_feed(tmp_path / "feed.jsonl.gz", now=NOW).recorded) == 1


@pytest.mark.parametrize("content", [None, b"\x1f\x8bnonsense"], ids=["missing", "broken gzip"])
def test_a_file_that_cannot_be_read_is_one_plain_sentence(tmp_path: Path, content: bytes | None) -> None:
    """Nothing is played from it."""
    path = tmp_path / "feed.jsonl.gz"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(FeedError, match="cannot read"):
        load_feed(path, now=NOW)


def test_conversations_are_played_as_their_customers_wrote_them(tmp_path: Path) -> None:
    """Each customer's turn is a mention in reply to the one before; the company's turns are not played."""
    turns = [
        {"who": "customer", "text": "My app is down", "at": "2020-04-01T10:00:00.000Z"},
        {"who": "agent", "text": "Sorry!"},
        {"who": "customer", "text": "Still down", "at": "2020-04-01T11:00:00.000Z"},
    ]
    line = json.dumps({"brand": "Acme", "text": "My app is down", "at": "x", "turns": turns})
    (tmp_path / "dev.jsonl.gz").write_bytes(gzip.compress(line.encode() + b"\n{}"))
    feed = load_feed(tmp_path, now=NOW)

    assert [(i.mention.id, i.mention.in_reply_to) for i in feed.recorded] == [
        ("dev-0-0", None),
        ("dev-0-2", "dev-0-0"),
    ]
    assert [bad.why for bad in feed.unreadable] == ["line 2 has no turns"]
