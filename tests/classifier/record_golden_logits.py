"""Records the logits of the bundled model, to be run after each new bundle and never otherwise."""

import json
from pathlib import Path

from classifier.model import Classifier

TEXTS = (
    "@acme my app crashes every time I open it, third time I write. Fix it!!",
    "@acme how do I change the address of my order?",
    "Love my new headphones from acme, thank you so much 😍",
    "acme opens a new office in Lisbon http",
    "WHY does nobody answer @acme #CustomerService",
    "Mein Paket ist immer noch nicht angekommen",
    "",
)


def main() -> None:
    """Write the logits beside the test that reads them."""
    classifier = Classifier.load()
    golden = {"model": classifier.name, "logits": {text: classifier.logits(text) for text in TEXTS}}
    rounded = json.loads(json.dumps(golden), parse_float=lambda number: round(float(number), 5))
    Path(__file__).with_name("golden_logits.json").write_text(
        json.dumps(rounded, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
