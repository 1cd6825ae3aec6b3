"""Hears: takes mentions off the platforms' feeds and makes cases of them, or records why not."""
