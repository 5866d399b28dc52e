"""The screen in a browser: key to frame, alone and among twenty sessions, and what those take.

python benchmarks/web.py [SESSIONS]
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

KEYS = 40
"""Steps that are measured in each session."""
QUIET = 0.3
"""Seconds without a frame after which a screen is at rest."""


class Visitor:
    """A screen that is looked at: when its frames came."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.frame = asyncio.Event()
        self.task = asyncio.create_task(self.take())

    async def take(self) -> None:
        """Take frames as they come."""
        async for _ in self.socket:
            self.frame.set()

    async def rest(self, seconds: float = QUIET) -> None:
        """Wait until no frame comes."""
        while True:
            self.frame.clear()
            try:
                await asyncio.wait_for(self.frame.wait(), seconds)
            except TimeoutError:
                return

    async def answer(self) -> float:
        """Milliseconds from a key to the first frame that it draws."""
        await self.rest()
        self.frame.clear()
        start = time.perf_counter()
        await self.socket.send_json(["stdin", "s"])
        await asyncio.wait_for(self.frame.wait(), 30)
        return (time.perf_counter() - start) * 1000


async def measure(url: str, sessions: int) -> None:
    """Print the table."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession())

        async def visit() -> Visitor:
            address = url.replace("http", "ws", 1) + "ws?width=120&height=40"
            return Visitor(await stack.enter_async_context(client.ws_connect(address)))

        start = time.perf_counter()
        first = await visit()
        await first.frame.wait()
        print(f"the first frame                    {time.perf_counter() - start:.1f} s", flush=True)
        await first.rest(3)
        say("key to frame, one session", [await first.answer() for _ in range(KEYS)])
        start = time.perf_counter()
        everyone = [first, *[await visit() for _ in range(sessions - 1)]]
        await asyncio.gather(*(visitor.frame.wait() for visitor in everyone[1:]))
        print(f"{sessions - 1} more have opened               {time.perf_counter() - start:.1f} s", flush=True)
        await asyncio.gather(*(visitor.rest(5) for visitor in everyone))
        say(f"one after the other, {sessions} sessions", [await v.answer() for v in everyone for _ in range(4)])
        at_once = [time_ for _ in range(4) for time_ in await asyncio.gather(*(v.answer() for v in everyone))]
        say(f"all {sessions} at the same moment", at_once)
        print(f"private memory of {sessions} sessions      {private() / 1e9:.1f} GB with their scripts")


def say(what: str, times: list[float]) -> None:
    """A line of the table."""
    middle, slow = statistics.median(times), sorted(times)[int(0.95 * len(times))]
    print(f"{what:<32}  median {middle:.0f}, p95 {slow:.0f} ms (at most 150)", flush=True)


def private() -> int:
    """Bytes that the sessions and their scripts have for themselves (Linux)."""
    total = 0
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and b"microgpt_tui" in (folder / "cmdline").read_bytes():
                rows = (folder / "smaps_rollup").read_text().splitlines()
                total += sum(int(row.split()[1]) for row in rows if row.startswith("Private_")) << 10
        except OSError:
            continue
    return total


def main() -> None:
    """Start a server, measure, end it."""
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    server = subprocess.Popen(
        [sys.executable, "-m", "microgpt_tui", "--web", "--port", "0", "--sessions", str(sessions)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    try:
        asyncio.run(measure(server.stdout.readline().strip(), sessions))
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    main()
