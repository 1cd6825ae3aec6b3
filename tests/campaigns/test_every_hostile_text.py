"""Every hostile text of every corpus, on every surface of Slack: valid, and nothing that Slack obeys."""

from dataclasses import replace

import pytest

from escalation import dialogs, home
from escalation.cards import card
from tests.escalation import looks
from tests.fakes import naughty
from tests.fakes.block_kit import problems
from tests.fakes.cases import drafted

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(900)]


def test_every_text_is_a_valid_card_dialog_and_row() -> None:
    """As the post, the author's name and handle, and the reason why a person is needed."""
    texts = [text for text in naughty.texts() if text.encode(errors="ignore").decode() == text]
    if not texts:
        pytest.skip("the hostile corpora are not on this machine")
    base, look = drafted(), looks.a_look()
    bad: list[tuple[str, list[str]]] = []
    for text in texts:
        author = replace(base.author, name=text[:200], handle=text[:60])
        case = replace(
            base, mentions=(replace(base.last, text=text, author=author),), author=author, why=text[:200]
        )
        surfaces = (
            card(case, look),
            dialogs.edit(case, look, dialogs.Place("C1", "1.2")),
            home.queue([case], look, you="Nina", page=home.Page()),
        )
        bad += [(text[:40], found) for surface in surfaces if (found := problems(surface))]

    assert bad == []
