"""The record and the rules: what a case is and how it may move. Standard library only, no I/O."""
