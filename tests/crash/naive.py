"""The control: `heard up` with a sender that believes what it is told. The harness must find it out.

It posts, and writes down afterwards that it did; what is not answered it takes for sent. Many bots do no
more. Everything else is the product's.
"""

from collections.abc import Sequence
from datetime import datetime

from casework import moves
from casework.case import IN_FLIGHT, Case, Moved, Status
from config import cli, wiring
from platforms.platform import Fate, Posted, Refused
from responder.sender import Sender, _decided
from streams.consumer import Result, Work


class NaiveSender(Sender):
    """Posts, records afterwards."""

    async def __call__(self, works: Sequence[Work]) -> Sequence[Result]:
        """Each case in turn."""
        return [await self._naively(work.case, self.clock.now()) for work in works]

    async def _naively(self, case: Case, now: datetime) -> Result:
        if case.status in IN_FLIGHT:
            return self._believed(case, None, now)
        if case.status is not Status.APPROVED:
            return None
        mention, outgoing = _decided(case)
        fate = await self._platform(case).reply(mention, outgoing)
        begun = await self.cases.save(moves.begin_sending(case, at=now, look_at=now))
        return self._believed(begun, fate, now)

    def _believed(self, case: Case, fate: Fate | None, now: datetime) -> Moved:
        if isinstance(fate, Refused):
            return moves.refuse(case, at=now, why=fate.why)
        sent = fate if isinstance(fate, Posted) else Posted("it surely went out", now)
        return moves.sent(case, reply_id=sent.id, posted_at=sent.at, at=now, promises=self.promises)


if __name__ == "__main__":
    setattr(wiring, "Sender", NaiveSender)  # noqa: B010 (that is the control)
    cli.main()
