"""Serves a server's real firehose as a Jetstream does, which the reference network has none of.

The firehose (``com.atproto.sync.subscribeRepos``) is binary: each frame is a header and a body in CBOR, the
records in an archive of blocks. A Jetstream decodes it and sends one JSON frame for each record that is
written or deleted. Wire format, parameters and cursor as github.com/bluesky-social/jetstream describes
them; compression and the client's options messages are left out, and asking for them is refused.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import libipld
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

OPERATIONS: Final = frozenset({"create", "update", "delete"})
PARAMETERS: Final = frozenset({"wantedCollections", "wantedDids", "cursor", "maxMessageSizeBytes"})
LINK: Final = b"\x01"
LINK_LENGTH: Final = 36
"""A link in a record is a version 1 CID with a SHA-256: 4 bytes that say so and 32 of hash."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, as it is sent; ``collection`` is empty where it is no record's."""

    did: str
    time_us: int
    collection: str
    frame: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one listener asked for.

    ``cursor`` is in microseconds since 1970, None for only what is new; ``largest`` in bytes.
    """

    collections: tuple[str, ...]
    dids: frozenset[str]
    cursor: int | None
    largest: int

    @classmethod
    def of(cls, query: str) -> "Wanted":
        """From the query of an address.

        Raises:
            ValueError: something is asked for that is not offered here, or is no number.
        """
        asked = parse_qs(query)
        if unknown := asked.keys() - PARAMETERS:
            raise ValueError(f"not offered here: {', '.join(sorted(unknown))}")
        (cursor,) = asked.get("cursor", [None])
        (largest,) = asked.get("maxMessageSizeBytes", ["0"])
        return cls(
            collections=tuple(asked.get("wantedCollections", ())),
            dids=frozenset(asked.get("wantedDids", ())),
            cursor=int(cursor) if cursor else None,
            largest=int(largest) or sys.maxsize,
        )

    def takes(self, event: Event) -> bool:
        """Whether an event is for this listener; what is of accounts, not of records, goes to all."""
        if (self.dids and event.did not in self.dids) or len(event.frame.encode()) > self.largest:
            return False
        return not (event.collection and self.collections) or any(
            event.collection.startswith(wanted[:-1]) if wanted.endswith(".*") else event.collection == wanted
            for wanted in self.collections
        )


@dataclass(slots=True)
class Jetstream:
    """Everything that the firehose has sent, in order, and those who wait for more of it."""

    events: list[Event] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, pds_url: str) -> None:
        """Take the firehose in from its beginning, for as long as the server lives."""
        address = f"{pds_url.replace('http', 'ws', 1)}/xrpc/com.atproto.sync.subscribeRepos?cursor=0"
        async with connect(address, max_size=None) as firehose:
            async for frame in firehose:
                assert isinstance(frame, bytes)
                header, body = libipld.decode_dag_cbor_multi(frame)
                self._add(events_of(header.get("t", ""), body), body.get("time"))

    def _add(self, events: Sequence[dict[str, Any]], written_at: str | None) -> None:
        for event in events:
            # From the firehose's own time, so that cursors outlive this process; no two are the same.
            at = datetime.fromisoformat(written_at).timestamp() if written_at else 0.0
            last = self.events[-1].time_us if self.events else 0
            time_us = max(int(at * 1_000_000), last + 1)
            frame = _frame({"did": event["did"], "time_us": time_us, **event})
            collection = event.get("commit", {}).get("collection", "")
            self.events.append(Event(event["did"], time_us, collection, frame))
        self._more.set()
        self._more = asyncio.Event()

    async def serve_one(self, listener: ServerConnection) -> None:
        """Send one listener what it wants, from its cursor on, until it goes."""
        assert listener.request is not None
        wanted = Wanted.of(urlsplit(listener.request.path).query)
        # A cursor is where the listener was: what it had last is sent once more.
        after = wanted.cursor
        start = (e for e, event in enumerate(self.events) if after is not None and event.time_us >= after)
        position = next(start, len(self.events))
        try:
            while True:
                more = self._more
                for event in self.events[position:]:
                    position += 1
                    if wanted.takes(event):
                        await listener.send(event.frame)
                if position == len(self.events):
                    await more.wait()
        except ConnectionClosed:
            return


def events_of(kind: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a Jetstream makes of one frame of the firehose; nothing, of kinds that it does not pass on."""
    if kind == "#commit":
        _, blocks = libipld.decode_car(body["blocks"])
        return [
            {"did": body["repo"], "kind": "commit", "commit": {"rev": body["rev"], **_written(op, blocks)}}
            for op in body["ops"]
            if op["action"] in OPERATIONS
        ]
    if kind in ("#identity", "#account"):
        name = kind.removeprefix("#")
        return [{"did": body["did"], "kind": name, name: dict(body)}]
    return []


def _written(op: Mapping[str, Any], blocks: Mapping[bytes, Any]) -> dict[str, Any]:
    collection, _, rkey = op["path"].partition("/")
    written = {"operation": op["action"], "collection": collection, "rkey": rkey}
    if op["action"] == "delete":
        return written
    return {**written, "record": _as_json(blocks[op["cid"]]), "cid": libipld.encode_cid(op["cid"])}


def _as_json(value: Any) -> Any:
    """A record as JSON writes it: links and bytes, which JSON has none of, as objects that say so."""
    if isinstance(value, dict):
        return {key: _as_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_json(inner) for inner in value]
    if isinstance(value, bytes) and value.startswith(LINK) and len(value) == LINK_LENGTH:
        return {"$link": libipld.encode_cid(value)}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode().rstrip("=")}
    return value


def _frame(event: Mapping[str, Any]) -> str:
    """An event as Go writes JSON: without a space, and with these letters escaped wherever they stand."""
    frame = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        frame = frame.replace(letter, f"\\u{ord(letter):04x}")
    return frame


def _check(connection: ServerConnection, request: Request) -> Response | None:
    address = urlsplit(request.path)
    if address.path != "/subscribe":
        return connection.respond(404, "not found\n")
    try:
        Wanted.of(address.query)
    except ValueError as error:
        return connection.respond(400, f"{error}\n")
    return None


async def main(pds_url: str) -> None:
    """Serve the firehose of a server, and say where, in one line of JSON."""
    jetstream = Jetstream()
    async with serve(jetstream.serve_one, "127.0.0.1", 0, process_request=_check) as server:
        port = server.sockets[0].getsockname()[1]
        print(json.dumps({"jetstream": f"ws://127.0.0.1:{port}/subscribe"}), flush=True)  # noqa: T201
        await jetstream.read(pds_url)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
