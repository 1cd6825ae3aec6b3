"""Prints every benchmark: `make bench`."""

import asyncio
import logging
import os

import structlog

from bench import classified, deadlines, jetstream, judging, line, replies


async def main() -> None:
    """Measure and print, one after the other."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} at the start; ratios within this run are what counts\n")
    print((await line.measure()).text(), flush=True)
    print((await replies.measure()).text(), flush=True)
    print((await deadlines.measure()).text(), flush=True)
    print((await classified.measure()).text(), flush=True)
    print(jetstream.measure().text(), flush=True)
    print(judging.measure().text())


asyncio.run(main())
