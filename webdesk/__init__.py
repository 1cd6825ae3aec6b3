"""The web desk: the same cases, moves and words as in Slack, in a browser and over a JSON API."""
