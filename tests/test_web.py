"""The screen in a browser: who is let in, what read-only means, and that nothing is left."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from snippets import PRELUDE, SNIPPETS

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ESCAPES = re.compile(r"\x1b\[[0-9;?<>=$]*[a-zA-Z]")
MARKED = "MICROGPT_TUI_TEST_WEB"


class Site:
    """A server of its own, and what is there of it."""

    def __init__(self, place: Path, *arguments: str) -> None:
        self.place = place
        self.script = place / "train.py"
        self.script.write_text(PRELUDE + SNIPPETS["train"])
        (place / "tmp").mkdir()
        self.mark = f"{MARKED}={place}\0".encode()
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "microgpt_tui", "--web", "--port", "0", *arguments, str(self.script)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd=place,
            env={**os.environ, MARKED: str(place), "TMPDIR": str(place / "tmp"), "HOME": str(place)},
        )  # fmt: skip
        assert self.popen.stdout is not None
        self.url = self.popen.stdout.readline().strip()
        self.rule = self.popen.stdout.readline().strip()

    def processes(self) -> int:
        """The server, its sessions and their scripts."""
        count = 0
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                count += entry.name.isdigit() and self.mark in (entry / "environ").read_bytes()
        return count

    def folders(self) -> list[str]:
        return [found.name for found in (self.place / "tmp").iterdir()]

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        self.popen.wait(20)


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    made = Site(tmp_path, *getattr(request, "param", ()))
    yield made
    made.end(signal.SIGKILL)
    assert made.popen.stdout is not None
    with made.popen.stdout as said:
        print(said.read())


class Seen:
    """What one visitor's terminal was sent."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.text = ""
        self.closed = False

    async def until(self, words: str, seconds: float = 60.0) -> None:
        """Wait for words on the screen."""
        end = time.monotonic() + seconds
        while words not in self.text:
            message = await self.socket.receive(timeout=max(0.1, end - time.monotonic()))
            if message.type == aiohttp.WSMsgType.BINARY:
                self.text += ESCAPES.sub("", message.data.decode("utf-8", "replace"))
            elif message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING):
                self.closed = True
                assert not words, f"closed before {words!r}: {self.text[-500:]}"
                return

    async def type(self, keys: str) -> None:
        self.text = ""
        await self.socket.send_json(["stdin", keys])


@contextlib.asynccontextmanager
async def visit(site: Site) -> AsyncIterator[Seen]:
    """A visitor, from the first frame on."""
    address = site.url.replace("http", "ws", 1) + "ws?width=120&height=40"
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
        seen = Seen(socket)
        await seen.until("paused")
        yield seen


async def wait_for(true: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        await asyncio.sleep(0.05)


async def test_only_the_address_with_the_token_is_answered(site: Site) -> None:
    root = site.url.rsplit("/", 2)[0]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", site.url)
    async with aiohttp.ClientSession() as session:
        async with session.get(site.url) as found:
            page = await found.text()
            assert found.status == 200
            assert found.headers["Referrer-Policy"] == "no-referrer"
        assert not re.search(r'(?:src|href|url\()="?(?:https?:)?//', page), "something of another site"
        async with session.get(f"{root}/static/js/textual.js") as found:
            assert found.status == 200
        for wrong in (f"{root}/", f"{root}/wrong/", f"{root}/wrong/ws", f"{root}/%F0%9F%98%80/", f"{root}/download/x"):
            async with session.get(wrong) as found:
                assert found.status in (403, 404), wrong
        async with session.get(f"{root}/wrong/") as found:
            assert "has a token" in await found.text()
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"{root}/wrong/ws".replace("http", "ws", 1))
    assert site.processes() == 1, "nobody was let in"


async def test_every_visitor_has_a_session_that_ends_with_the_tab(site: Site) -> None:
    async with visit(site) as one, visit(site) as two:
        await one.type("n")
        await one.until("line")
        await two.type(":where\r")
        assert site.processes() >= 5, "a server, two screens, two scripts"
    await wait_for(lambda: site.processes() == 1)
    assert site.folders() == []


@pytest.mark.parametrize("site", [("--sessions", "1")], indirect=True)
async def test_there_is_a_limit(site: Site) -> None:
    async with visit(site), aiohttp.ClientSession() as session, session.get(site.url) as found:
        assert found.status == 503
        assert "All 1 sessions are taken" in await found.text()
    await wait_for(lambda: site.processes() == 1)
    async with visit(site):
        pass  # there is room again


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
async def test_nothing_is_left_of_a_server_however_it_ends(site: Site, number: int) -> None:
    async with visit(site):
        site.end(number)
        await wait_for(lambda: site.processes() == 0)
        await wait_for(lambda: not site.folders())
    assert site.popen.returncode == (0 if number != signal.SIGKILL else -9)


async def test_a_visitor_who_sends_rubbish_loses_only_their_own_session(site: Site) -> None:
    async with visit(site) as other:
        for rubbish in ("", "{", "[]", "[1]", '["stdin"]', '["stdin", 5]', '["resize", null]', '"x"', "null"):
            async with visit(site) as seen:
                await seen.socket.send_str(rubbish)
                await seen.until("", 5)
        await other.type("n")
        await other.until("line")
    await wait_for(lambda: site.processes() == 1)


@pytest.mark.parametrize("site", [("--read-only",)], indirect=True)
async def test_read_only_evaluates_nothing_and_touches_no_file(site: Site) -> None:
    victim = site.place / "made-by-a-visitor"
    orders = {
        f"print open({str(victim)!r}, 'w')": "print evaluates or changes something",
        "set w = 3": "set evaluates or changes something",
        f"exec open({str(victim)!r}, 'w')": "exec evaluates or changes something",
        f"save {victim}": "save reads or writes a file",
        f"record {victim}": "record reads or writes a file",
        "load /etc/passwd": "load reads or writes a file",
    }
    assert site.rule.startswith("read-only, ")
    async with visit(site) as seen:
        for order, answer in orders.items():
            await seen.type(f":{order}\r")
            await seen.until(answer)
        await seen.type("i")
        await seen.until("set evaluates or changes something")
    assert not victim.exists()


@pytest.mark.parametrize("site", [("--host", "0.0.0.0")], indirect=True)
async def test_for_others_it_is_always_read_only(site: Site) -> None:
    assert site.rule.startswith("read-only, ")
    site.url = site.url.replace("0.0.0.0", "127.0.0.1")
    async with visit(site) as seen:
        await seen.type(":print 1\r")
        await seen.until("this session is read-only")


def test_what_cannot_be_served_is_said_in_one_line(tmp_path: Path, site: Site) -> None:
    port = site.url.split(":")[2].split("/")[0]
    for words, said in (
        (["--web", "--port", port], "Another port: --port N"),
        (["--web", "--port", "70000"], "no port"),
        (["--web", "nowhere.py"], "no such file"),
        (["--web", "-"], "not standard input"),
        (["--web", "--sessions", "0"], "no number of sessions"),
        (["--web", "--host", "no.such.host.invalid"], "not known"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "microgpt_tui", *words], capture_output=True, text=True, input="", timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == 2, words
        assert said in done.stderr, done.stderr
        assert "Traceback" not in done.stderr


async def test_a_script_that_cannot_be_looked_at_says_why_on_the_page(site: Site) -> None:
    site.script.write_text("import nowhere_at_all\n")
    address = site.url.replace("http", "ws", 1) + "ws"
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
        seen = Seen(socket)
        await seen.until("no autograd class found")
        await seen.until("", 20)
        while not seen.closed:
            message = await socket.receive(timeout=20)
            seen.closed = message.type is not aiohttp.WSMsgType.BINARY
    await wait_for(lambda: site.processes() == 1)


# -- a real browser ----------------------------------------------------------------------------


class Chromium:
    """A headless browser on one page, driven over its own protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.number = 0
        self.text = ""
        """What the page's web socket was sent."""
        self.opened: list[str] = []
        """Addresses of other tabs."""

    async def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give a command and wait for its answer."""
        self.number += 1
        await self.socket.send_json({"id": self.number, "method": method, "params": parameters})
        while True:
            answer = await self.next(60)
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    async def next(self, seconds: float) -> dict[str, Any]:
        message: dict[str, Any] = json.loads((await self.socket.receive(timeout=seconds)).data)
        if message.get("method") == "Network.webSocketFrameReceived":
            response = message["params"]["response"]
            if response["opcode"] == 2:
                raw = base64.b64decode(response["payloadData"])
                self.text += ESCAPES.sub("", raw.decode("utf-8", "replace"))
        elif message.get("method") == "Page.windowOpen":
            self.opened.append(message["params"]["url"])
        return message

    async def until(self, true: Callable[[], object], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            await self.next(max(0.1, end - time.monotonic()))

    async def press(self, key: str, text: str = "", code: int = 0, modifiers: int = 0) -> None:
        self.text = ""
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            await self.do(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, modifiers=modifiers, **more
            )

    async def look(self) -> bytes:
        """A picture of the page, as PNG."""
        return base64.b64decode((await self.do("Page.captureScreenshot", format="png"))["data"])


@contextlib.asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Chromium]:
    assert BROWSER is not None
    popen = subprocess.Popen(
        [BROWSER, "--headless=new", "--no-sandbox", "--disable-popup-blocking", "--enable-unsafe-swiftshader",
         "--window-size=1280,800", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        place = profile / "DevToolsActivePort"
        await wait_for(lambda: place.exists() and place.read_text().strip(), 60)
        port = place.read_text().split()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as found:
                page = next(t for t in await found.json() if t["type"] == "page")
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                driven = Chromium(socket)
                await driven.do("Page.enable")
                await driven.do("Network.enable")
                yield driven
    finally:
        popen.terminate()
        popen.wait(20)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
@pytest.mark.parametrize("site", [("--read-only",)], indirect=True)
async def test_a_real_browser_opens_steps_and_gets_a_picture(site: Site, tmp_path: Path) -> None:
    async with chromium(tmp_path / "profile") as page:
        await page.do("Page.navigate", url=site.url)
        await page.until(lambda: "paused" in page.text)
        await asyncio.sleep(1)
        before = await page.look()
        await page.press("n", "n", 78)
        await page.until(lambda: "line" in page.text)
        await asyncio.sleep(1)
        assert await page.look() != before, "the step is not seen"
        await page.press(":", ":", 186, 8)
        for key in "print 1":
            await page.press(key, key)
        await page.press("Enter", "\r", 13)
        await page.until(lambda: "read-only" in page.text)
        await page.press("e", "e", 69)
        await page.until(lambda: "Export a picture" in page.text)
        await page.press("s", "\x13", 83, 2)
        await page.until(lambda: page.opened)
        assert re.match(r"http://127\.0\.0\.1:\d+/download/", page.opened[0])
        await page.do("Page.navigate", url="about:blank")
    await wait_for(lambda: site.processes() == 1)
    assert site.folders() == []
