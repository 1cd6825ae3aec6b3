"""Reading labelled files: what is read, and that everything else is one sentence with file and line."""

import gzip
import json
from pathlib import Path

import pytest

from classifier.examples import HEADS
from classifier.labelled import LabelledRow, NotLabelled, read_labelled


def _file(folder: Path, *lines: object, name: str = "posts.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_a_row_brings_the_labels_it_has(tmp_path: Path) -> None:
    """Each as its number in the order of the heads; the others are not there."""
    path = _file(
        tmp_path,
        {"text": "It broke", "sentiment": "negative", "intent": "bug", "urgency": "normal", "brand": "acme"},
        {"text": "How?", "intent": "question", "source": "forum", "urgency": None},
    )

    first, second = read_labelled([path])

    assert first == LabelledRow("It broke", "posts", {"sentiment": 0, "intent": 1, "urgency": 1}, "acme")
    assert second == LabelledRow("How?", "forum", {"intent": 2})
    assert HEADS["intent"][1:3] == ("bug", "question")


def test_rows_of_tweeteval_are_read_as_they_are(tmp_path: Path) -> None:
    """Its number is the sentiment, unless the row says that too."""
    path = _file(
        tmp_path,
        {"text": "a", "label": 2, "src": "twitter-2013"},
        {"text": "b", "label": 0, "sentiment": "neutral"},
    )

    assert [(row.labels, row.source) for row in read_labelled([path])] == [
        ({"sentiment": 2}, "twitter-2013"),
        ({"sentiment": 1}, "posts"),
    ]


def test_critical_is_read_as_high(tmp_path: Path) -> None:
    """The rules alone raise to critical; no head tells it."""
    path = _file(tmp_path, {"text": "a", "urgency": "critical"}, {"text": "b", "urgency": "high"})

    first, second = read_labelled([path])

    assert first.labels == second.labels == {"urgency": HEADS["urgency"].index("high")}


def test_files_are_pooled_and_gzip_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    """Whatever the file is called; a row without a source gets the file's name."""
    packed = tmp_path / "packed.txt"
    packed.write_bytes(gzip.compress(b'{"text": "a", "sentiment": "neutral"}\n'))
    plain = _file(tmp_path, {"text": "b", "sentiment": "neutral"}, name="plain.jsonl.gz")

    assert [(row.text, row.source) for row in read_labelled([packed, plain])] == [
        ("a", "packed"),
        ("b", "plain"),
    ]


def test_blank_lines_a_mark_in_front_and_windows_line_ends_are_no_mistake(tmp_path: Path) -> None:
    """Other people's editors write them."""
    path = tmp_path / "posts.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "a", "label": 1}\r\n\r\n  \n{"text": "b", "label": 1}')

    assert [row.text for row in read_labelled([path])] == ["a", "b"]


def test_rows_without_any_label_are_left_out(tmp_path: Path) -> None:
    """There is nothing to measure them by."""
    path = _file(tmp_path, {"text": "a"}, {"text": "b", "intent": "praise"})

    assert [row.text for row in read_labelled([path])] == ["b"]


def test_a_source_cannot_give_the_terminal_orders(tmp_path: Path) -> None:
    """It is printed in the table."""
    path = _file(tmp_path, {"text": "a", "label": 1, "source": "\x1b[31mred\nline\ud800"})

    assert read_labelled([path])[0].source == "[31mred line"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{not json", "line 2: it is not JSON"),
        (b"[" * 20_000, "line 2: it is not JSON"),
        (b"[1]", "line 2: it is not a JSON object"),
        (b'{"text": "\xff"}', "line 2: it is not UTF-8"),
        (b'{"sentiment": "neutral"}', "line 2: there is no text"),
        (b'{"text": "  ", "sentiment": "neutral"}', "line 2: there is no text"),
        (b'{"text": 7, "sentiment": "neutral"}', "line 2: there is no text"),
        (b'{"text": "a", "sentiment": "fine"}', 'line 2: "fine" is no sentiment: write negative, neutral or'),
        (b'{"text": "a", "intent": 3}', "line 2: 3 is no intent: write churn, bug, "),
        (b'{"text": "a", "intent": ["bug"]}', 'line 2: ["bug"] is no intent'),
        (b'{"text": "a", "urgency": "soon"}', '"soon" is no urgency: write low, normal, high or critical'),
        (b'{"text": "a", "label": 3}', "line 2: 3 is no label of a sentiment: write 0, 1 or 2"),
        (b'{"text": "a", "label": true}', "line 2: true is no label of a sentiment"),
    ],
)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: bytes, why: str) -> None:
    """With its file and its number."""
    path = tmp_path / "posts.jsonl"
    path.write_bytes(b'{"text": "fine", "sentiment": "neutral"}\n' + line)

    with pytest.raises(NotLabelled) as refused:
        read_labelled([path])

    assert why in str(refused.value)
    assert str(refused.value).startswith(f"{path} line 2: ")
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, a folder, or gzip that ends too early."""
    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(gzip.compress(b'{"text": "a", "label": 1}' * 50)[:-12])

    for path, why in (
        (tmp_path / "nowhere", "cannot be read"),
        (tmp_path, "cannot be read"),
        (damaged, "gzip"),
    ):
        with pytest.raises(NotLabelled) as refused:
            read_labelled([path])
        assert str(refused.value).startswith(f"{path} ")
        assert why in str(refused.value)


@pytest.mark.parametrize("content", [b"", b'{"text": "a"}\n'])
def test_files_without_a_label_are_refused(tmp_path: Path, content: bytes) -> None:
    """The sentence says which labels are wanted."""
    path = tmp_path / "posts.jsonl"
    path.write_bytes(content)

    with pytest.raises(NotLabelled, match="no row has a label: give rows sentiment, intent or urgency"):
        read_labelled([path])
