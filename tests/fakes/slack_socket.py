"""Slack's Socket Mode on loopback: tickets, connections, envelopes, acknowledgements, and all their faults.

An envelope goes to one open connection at random (seeded), as Slack sends it; a deaf connection swallows it.
"""

import asyncio
import json
import random
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import WSMsgType, web

from tests.fakes.slack_blocks import Json
from tests.fakes.slack_things import APP

MOST_CONNECTIONS = 10
MOST_RETRIES = 3
ANSWER_WITHIN_S = 3.0
Kind = Literal["interactive", "slash_commands", "events_api"]
Goodbye = Literal["warning", "refresh_requested", "link_disabled", "too_many_websockets"]


@dataclass(eq=False)
class Connection:
    """One WebSocket that Slack holds open for the app."""

    socket: web.WebSocketResponse
    transport: asyncio.BaseTransport
    number: int
    deaf: bool = False
    answers_pings: bool = True
    pings: int = 0
    pongs: int = 0
    delivered: int = 0

    async def ping(self) -> None:
        """Slack asks whether anybody is there; ``pongs`` counts the answers."""
        await self.socket.ping(b"Ping from applink")

    def drop(self) -> None:
        """The connection is gone without a word."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()


@dataclass(eq=False)
class Delivery:
    """One envelope, where it went, and what came back."""

    kind: Kind
    payload: Json
    envelope_id: str
    connection: Connection | None
    attempt: int = 0
    sent_at: float = field(default_factory=time.monotonic)
    acknowledged_at: float | None = None
    acknowledgements: int = 0
    response: Json | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def acknowledged(self) -> bool:
        return self.acknowledged_at is not None

    @property
    def latency_s(self) -> float:
        """Seconds from sending to the acknowledgement; infinite when there was none."""
        return float("inf") if self.acknowledged_at is None else self.acknowledged_at - self.sent_at

    async def answered(self, within_s: float) -> bool:
        """Whether the acknowledgement came in time."""
        if self.connection is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.arrived.wait(), within_s)
        return self.acknowledged


class SocketMode:
    """All connections of the app, and everything that was sent to it."""

    def __init__(self, seed: int) -> None:
        self.connections: list[Connection] = []
        self.deliveries: list[Delivery] = []
        self.connects = 0
        self.refuses_connects = False
        self.new_are_deaf = False
        self.patience_s = ANSWER_WITHIN_S
        self._tickets: set[str] = set()
        self._waiting: dict[str, Delivery] = {}
        self._random = random.Random(seed)

    def ticket(self) -> str:
        """A way in, for one connection."""
        ticket = uuid.uuid4().hex
        self._tickets.add(ticket)
        return ticket

    async def link(self, request: web.Request) -> web.StreamResponse:
        """``GET /link``: one connection, for as long as both sides hold it."""
        ticket = request.query.get("ticket", "")
        if self.refuses_connects:
            return web.Response(status=503, text="upstream connect error")
        if ticket not in self._tickets:
            return web.Response(status=403, text="invalid ticket")
        self._tickets.discard(ticket)
        self.connects += 1
        # Pings are answered by hand, so that a connection can leave them unanswered.
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        if len(self.connections) >= MOST_CONNECTIONS:
            await socket.send_json(_goodbye("too_many_websockets"))
            await socket.close()
            return socket
        assert request.transport is not None
        connection = Connection(socket, request.transport, self.connects, deaf=self.new_are_deaf)
        self.connections.append(connection)
        try:
            await socket.send_json(self._hello())
            await self._listen(connection)
        except ConnectionError:
            pass  # The app left while Slack was speaking.
        finally:
            self.connections.remove(connection)
        return socket

    async def _listen(self, connection: Connection) -> None:
        async for message in connection.socket:
            if message.type == WSMsgType.PING:
                connection.pings += 1
                if connection.answers_pings:
                    await connection.socket.pong(message.data)
            elif message.type == WSMsgType.PONG:
                connection.pongs += 1
            elif message.type == WSMsgType.TEXT:
                self._acknowledge(json.loads(message.data))

    def _acknowledge(self, answer: Json) -> None:
        delivery = self._waiting.get(str(answer.get("envelope_id")))
        if delivery is None:
            return
        delivery.acknowledgements += 1
        if not delivery.acknowledged:
            delivery.acknowledged_at = time.monotonic()
            delivery.response = answer.get("payload")
            delivery.arrived.set()

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self.connections),
            "connection_info": {"app_id": APP},
            "debug_info": {"host": "applink-1", "build_number": 81, "approximate_connection_time": 18060},
        }

    # ── delivering ───────────────────────────────────────────────────────────────────────────────

    async def deliver(self, kind: Kind, payload: Json, *, attempt: int = 0, reason: str = "") -> Delivery:
        """Send one envelope to one of the connections and wait as long as Slack waits for its answer."""
        open_now = [connection for connection in self.connections if not connection.socket.closed]
        chosen = self._random.choice(open_now) if open_now else None
        delivery = Delivery(kind, payload, str(uuid.uuid4()), chosen, attempt)
        self.deliveries.append(delivery)
        self._waiting[delivery.envelope_id] = delivery
        if chosen is not None and not chosen.deaf:
            chosen.delivered += 1
            with suppress(ConnectionError):
                await chosen.socket.send_json(self._envelope(delivery, reason))
        await delivery.answered(self.patience_s)
        return delivery

    def _envelope(self, delivery: Delivery, reason: str) -> Json:
        envelope: Json = {
            "envelope_id": delivery.envelope_id,
            "type": delivery.kind,
            "payload": delivery.payload,
            "accepts_response_payload": delivery.kind != "events_api",
        }
        if delivery.kind == "events_api":
            envelope |= {"retry_attempt": delivery.attempt, "retry_reason": reason}
        return envelope

    async def deliver_again(self, delivery: Delivery) -> Delivery:
        """The same payload in another envelope, acknowledged before or not."""
        return await self.deliver(delivery.kind, delivery.payload, attempt=delivery.attempt)

    def unacknowledged(self) -> list[Delivery]:
        """Events that nobody acknowledged in any attempt, and that Slack would still try again."""
        last = {delivery.payload.get("event_id"): delivery for delivery in self.deliveries}
        return [
            delivery
            for event_id, delivery in last.items()
            if event_id and not delivery.acknowledged and delivery.attempt < MOST_RETRIES
        ]

    async def retry_events(self) -> list[Delivery]:
        """Slack's next retry (at once, after 1 min, after 5 min: the test decides when that is)."""
        return [
            await self.deliver("events_api", lost.payload, attempt=lost.attempt + 1, reason="timeout")
            for lost in self.unacknowledged()
        ]

    # ── misbehaving ──────────────────────────────────────────────────────────────────────────────

    def deafen(self, connection: Connection | None = None, *, answers_pings: bool = True) -> None:
        """The connection (or all) stays open and delivers nothing more; it may stop answering pings too."""
        for each in [connection] if connection else self.connections:
            each.deaf = True
            each.answers_pings = answers_pings

    def drop(self, connection: Connection | None = None) -> None:
        """The connection (or all) is gone without a word."""
        for each in [connection] if connection else list(self.connections):
            each.drop()

    async def close(self, connection: Connection | None = None) -> None:
        """The connection (or all) is closed politely."""
        for each in [connection] if connection else list(self.connections):
            await each.socket.close()

    async def say_goodbye(self, reason: Goodbye, connection: Connection | None = None) -> None:
        """``disconnect``: the app is told that the connection (or all) will end."""
        for each in [connection] if connection else list(self.connections):
            await each.socket.send_json(_goodbye(reason))


def _goodbye(reason: Goodbye) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}}
