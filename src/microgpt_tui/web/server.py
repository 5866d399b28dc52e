"""A web server for a class without terminals: one address with a token, a session and a process for every visitor.

The page's terminal and the pipe to the session are textual-serve's. Ours are the address, the limit, and that nothing
is left when a tab closes or the server ends, however it does.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from contextlib import suppress
from html import escape
from ipaddress import ip_address
from pathlib import Path
from string import Template
from typing import Any

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.server import Server, to_int

from microgpt_tui.headless.launch import InputError

HERE = Path(__file__).parent
LEAVING = 3.0
"""Seconds that a session has to end by itself."""
LARGEST = 1 << 20
"""Bytes of a message from a browser: a pasted text."""
SIZES = range(4, 1000)
"""Columns and rows that a terminal can have."""
FONTS = range(6, 100)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serve(words: list[str], *, host: str, port: int, limit: int, read_only: bool) -> int:
    """Serve ``microgpt-tui WORDS`` until a signal; returns the exit status. Raises InputError where it cannot begin.

    For every address but this machine's own, sessions are read-only.
    """
    return asyncio.run(_Site(words, host, port, limit, read_only or not _is_own(host)).run())


def _is_own(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Visitor(AppService):
    """One session: a process, and what of it goes over the web socket."""

    def __init__(self, words: list[str], **pipe: Any) -> None:
        super().__init__("", **pipe)
        self._words = words

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        command = [sys.executable, "-m", "microgpt_tui", f"--browser={width}x{height}", *self._words]
        self._process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
        assert self._process.stdin is not None
        self._stdin = self._process.stdin
        return self._process

    async def run(self) -> None:
        """Pass on what it shows, until it ends; then the page says so."""
        await super().run()
        await self.remote_close()

    async def stop(self) -> None:
        """End it; it is killed if it does not leave."""
        process = self._process
        if process is None:
            return
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(super().stop(), LEAVING)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), LEAVING)
        with suppress(OSError):  # the script goes with it, and the folder: their lifeline is cut
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        self._process = None


class _Site(Server):
    """The addresses: ``/TOKEN/`` is the page, ``/TOKEN/ws`` its session."""

    def __init__(self, words: list[str], host: str, port: int, limit: int, read_only: bool) -> None:
        super().__init__("", host, port, "microgpt-tui")
        self._words = (["--read-only"] if read_only else []) + words
        self._limit, self._read_only = limit, read_only
        self._token = secrets.token_urlsafe(24)
        self._visitors: set[Visitor] = set()
        self._page = Template((HERE / "page.html").read_text("utf-8"))

    async def run(self) -> int:
        """Serve until a signal."""
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/{token}/", self.handle_index),
                web.get("/{token}/ws", self.handle_websocket),
                web.get("/download/{key}", self.handle_download),
                web.static("/static", self.statics_path),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=LEAVING)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, self.host, self.port).start()
            except OSError as error:
                where = f"--web: {self.host}, port {self.port}"
                raise InputError(
                    f"{where}: {error.strerror}. Another port: --port N; any free one: --port 0."
                ) from None
            self._tell(runner.addresses[0][1])
            ended = asyncio.Event()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, ended.set)
            await ended.wait()
            print(f"ending {len(self._visitors)} sessions", flush=True)
            return 0
        finally:
            await asyncio.gather(*(v.stop() for v in list(self._visitors)))
            await runner.cleanup()

    def _tell(self, port: int) -> None:
        host = f"[{self.host}]" if ":" in self.host else self.host
        print(f"http://{host}:{port}/{self._token}/", flush=True)
        rule = "read-only, " if self._read_only else ""
        print(f"{rule}at most {self._limit} sessions at once; Ctrl+C ends them and the server", flush=True)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Only with the token; nothing of it goes to other sites."""
        token = request.match_info.get("token")
        if token is not None and not hmac.compare_digest(token.encode(), self._token.encode()):
            raise _refused(web.HTTPForbidden, "This is not the address: it has a token, as microgpt-tui printed it.")
        response = await handler(request)
        if not response.prepared:
            response.headers.update({"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"})
            response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
        return response

    async def handle_index(self, request: web.Request) -> Any:
        """The page."""
        self._has_room()
        scheme = "wss" if request.secure else "ws"
        size = _within(FONTS, to_int(request.query.get("fontsize", ""), 16))
        text = self._page.substitute(socket=escape(f"{scheme}://{request.host}/{self._token}/ws"), size=size)
        return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """A visitor, from the first frame to the last."""
        self._has_room()
        socket = web.WebSocketResponse(heartbeat=15, max_msg_size=LARGEST)
        visitor = Visitor(
            self._words, write_bytes=socket.send_bytes, write_str=socket.send_str, close=socket.close,
            download_manager=self.download_manager,
        )  # fmt: skip
        self._visitors.add(visitor)
        try:
            await socket.prepare(request)
            width, height = (
                _within(SIZES, to_int(request.query.get(side, ""), usual))
                for side, usual in (("width", 80), ("height", 24))
            )
            await visitor.start(width, height)
            with suppress(
                ValueError, LookupError, TypeError, AssertionError, AttributeError
            ):  # no message of our page's
                await self._process_messages(socket, visitor)
        finally:
            try:
                await asyncio.shield(visitor.stop())
            finally:
                self._visitors.discard(visitor)
                await socket.close()
        return socket

    def _has_room(self) -> None:
        if len(self._visitors) >= self._limit:
            raise _refused(
                web.HTTPServiceUnavailable, f"All {self._limit} sessions are taken: come again when one has ended."
            )


def _refused(error: type[web.HTTPException], text: str) -> web.HTTPException:
    return error(text=f"microgpt-tui: {text}\n")


def _within(allowed: range, number: int) -> int:
    return min(max(number, allowed[0]), allowed[-1])
