"""The top layer: settings, wiring and commands. It gives every stage typed values."""
