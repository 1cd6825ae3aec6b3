"""The public platforms: one file each, reading and replying, and what each of them allows."""
