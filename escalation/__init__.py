"""Hands cases to people: the promise clock, alerts to managers, and whoever announces what waits."""
