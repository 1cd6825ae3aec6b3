"""How cases, timelines and alerts are written down: MessagePack, with the version of the writing.

The first byte says which version wrote a record. A newer one is refused by name, never guessed at.
"""

from typing import Final, TypeVar

import msgspec

from casework.case import Case
from casework.sla import Alert
from casework.timeline import TimelineEntry
from streams.errors import WrongStore

VERSION: Final = 1
_MARK: Final = bytes([VERSION])
_encoder = msgspec.msgpack.Encoder()
_cases = msgspec.msgpack.Decoder(Case)
_entries = msgspec.msgpack.Decoder(TimelineEntry)
_alerts = msgspec.msgpack.Decoder(Alert)
_T = TypeVar("_T")


def write(record: Case | TimelineEntry | Alert) -> bytes:
    """The record as bytes."""
    return _MARK + _encoder.encode(record)


def pack(rows: list[tuple[object, ...]]) -> bytes:
    """Rows of plain values as one argument of a store function."""
    return _encoder.encode(rows)


def read_case(raw: bytes) -> Case:
    """The case that was written."""
    return _read(_cases, raw)


def read_entry(raw: bytes) -> TimelineEntry:
    """The timeline entry that was written."""
    return _read(_entries, raw)


def read_alert(raw: bytes) -> Alert:
    """The alert that was written."""
    return _read(_alerts, raw)


def _read(decoder: "msgspec.msgpack.Decoder[_T]", raw: bytes) -> _T:
    if raw[:1] != _MARK:
        written = raw[0] if raw else 0
        raise WrongStore(
            f"this store was written by version {written} of the record, this Heard reads version {VERSION}: "
            "use the Heard that wrote it, or a newer one"
        )
    try:
        return decoder.decode(raw[1:])
    except msgspec.DecodeError as error:
        raise WrongStore(f"a record in this store cannot be read: {error}") from error
