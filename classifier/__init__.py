"""Judges a mention: how its author feels, what they want, how soon to answer, which matters it touches."""
