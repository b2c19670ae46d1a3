"""The control of generation: aiohttp in a loop and nothing else, sending bodies that were recorded before.

``python -m benchmarks.bare_client URL FILE PARALLELISM``; FILE has one JSON body a line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp


async def send(url: str, bodies: list[bytes], parallelism: int) -> None:
    """Send all bodies, so many at a time, and parse what comes."""
    left = iter(bodies)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), headers={"Content-Type": "application/json"}
    ) as session:

        async def work() -> None:
            for body in left:
                async with session.post(url, data=body) as response:
                    response.raise_for_status()
                    json.loads(await response.read())

        await asyncio.gather(*(work() for _ in range(parallelism)))


if __name__ == "__main__":
    asyncio.run(send(sys.argv[1], Path(sys.argv[2]).read_bytes().splitlines(), int(sys.argv[3])))
