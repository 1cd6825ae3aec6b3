"""Decides what becomes of a judged case, drafts its reply, and alone posts (`responder.sender`)."""
