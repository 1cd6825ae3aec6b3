"""Slack over signed HTTP, for who cannot hold a socket open: bolt checks the signature, this sees each once.

The SDK's check lets a request be sent again for five minutes (S5): the signatures seen are kept for ten.
Source: docs.slack.dev/authentication/verifying-requests-from-slack, read in July 2026.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import Clock as SignatureClock
from slack_sdk.signature import SignatureVerifier

from streams.connection import NO_STORE
from streams.requests import SeenRequests

log = structlog.get_logger(__name__)

GOOD_FOR_S: Final = 300
PATH: Final = "/slack/events"
LARGEST: Final = 2**20


class SignedHttp:
    """Takes Slack's requests: ``web.post(PATH, SignedHttp(…).handle)``.

    ``now`` counts seconds since 1970, as Slack's timestamps do.
    """

    def __init__(
        self,
        app: AsyncApp,
        signing_secret: str,
        seen: SeenRequests,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._seen = seen
        self._now = now
        self._verifier = SignatureVerifier(signing_secret, _Clock(now))

    async def handle(self, request: web.Request) -> web.Response:
        """One request of Slack's, or of somebody who says so."""
        try:
            body = (await request.read()).decode()
        except UnicodeDecodeError:
            return _refusal(400, "This is no text.")
        stamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        refused = self._objection(body, stamp, signature)
        if refused is not None:
            return refused
        try:
            if not await self._seen.first(signature):
                return _refusal(401, "This request was here before: it is not done twice.")
            answer = await self._app.async_dispatch(
                AsyncBoltRequest(body=body, query=request.query_string, headers=dict(request.headers))
            )
            if answer.status >= 500:
                # Nothing was stored, so the same request may come again.
                await self._seen.forget(signature)
        except NO_STORE as error:
            log.warning("slack request not stored", why=type(error).__name__)
            return _refusal(503, "The store cannot be reached: send it again.")
        made: web.Response = await to_aiohttp_response(answer)
        return made

    def _objection(self, body: str, stamp: str, signature: str) -> web.Response | None:
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
            return _refusal(401, "This request is not signed by Slack: it names no time.")
        apart = self._now() - int(stamp)
        if not self._verifier.is_valid(body, str(int(stamp)), signature):
            if abs(apart) <= GOOD_FOR_S:
                return _refusal(401, "This request is not signed with this app's signing secret.")
            side = "old" if apart > 0 else "ahead"
            said = f"This request is {abs(apart) / 60:.0f} min {side} by this machine's clock, more than 5."
            log.warning("slack request out of time", apart_s=round(apart))
            return _refusal(401, f"{said} If Slack sent it now, set the clock (NTP).")
        return None


async def serve(signed: SignedHttp, host: str, port: int) -> None:
    """Take Slack's requests at an address until cancelled; a proxy with TLS stands in front of it.

    Raises:
        OSError: the address is taken or not this machine's.
    """
    app = web.Application(client_max_size=LARGEST)
    app.router.add_post(PATH, signed.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


class _Clock(SignatureClock):
    """Our clock where the SDK reads its own."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now

    def now(self) -> float:
        """Seconds since 1970."""
        return self._now()


def _refusal(status: int, words: str) -> web.Response:
    return web.json_response({"ok": False, "error": words}, status=status)
