"""Where a person writes the reply themselves: the page of the platform, with the text in it if it can be."""

from urllib.parse import urlencode

from casework.mention import Mention


def composer(mention: Mention, text: str) -> str | None:
    """The address that opens the platform's composer under the mention; None where nobody knows one.

    X takes the text along (X docs, web intents); the others show the post, and the text is pasted.
    """
    if mention.platform == "x" and mention.id.isdigit():
        return "https://x.com/intent/post?" + urlencode({"in_reply_to": mention.id, "text": text})
    return mention.url
