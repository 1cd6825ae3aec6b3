"""Judges a mention: how its author feels, what they want, how soon to answer, and which matters it touches."""
