"""Where cases live and how they travel: the only folder that knows Redis."""
