"""Serves a page to this machine alone: three paths, on 127.0.0.1, and nothing of the disk."""

import base64
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

HERE = Path(__file__).parent
_HOST = "127.0.0.1"
_FIRST = (
    b'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
    b"<title>audiobench</title><p>The first page is being made."
)


@dataclass
class Page:
    """What is served. Each field is replaced as a whole: a thread that answers never sees half of one.

    Args:
        state: gives how the run stands, as JSON.
        report: the page of the last report.
        version: of the report; it grows.
        problem: why the last report could not be made; empty if it could.
    """

    state: Callable[[], bytes]
    report: bytes = _FIRST
    version: int = 0
    problem: str = ""


class Server(ThreadingHTTPServer):
    """Serves a page on a free port, in threads that end with the program."""

    daemon_threads = True

    def __init__(self, page: Page) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.page = page
        self.address = f"http://{_HOST}:{self.server_port}/"
        # Any other name was made to mean this machine, so that a page from elsewhere may read here (DNS rebinding).
        self.hosts = {f"{name}:{self.server_port}" for name in (_HOST, "localhost")}
        script = (HERE / "watch.js").read_text(encoding="utf-8")
        self.frame = (HERE / "watch.html").read_text(encoding="utf-8").replace("SCRIPT", script).encode()
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        self.policy = (
            f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:;"
            " connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="server", daemon=True)

    def start(self) -> None:
        """Answers from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answers no more."""
        self.shutdown()
        self._thread.join()
        self.server_close()

    def answer(self, path: str) -> tuple[bytes, str, str] | None:
        """The content at a path, its type, and its content security policy; None if there is nothing."""
        if path == "/":
            return self.frame, "text/html; charset=utf-8", self.policy
        if path == "/report":  # which has a policy of its own, too
            return self.page.report, "text/html; charset=utf-8", "frame-ancestors 'self'"
        return (self.page.state(), "application/json", "default-src 'none'") if path == "/state" else None


class _Handler(BaseHTTPRequestHandler):
    timeout = 10.0  # seconds for a request
    server_version, sys_version = "audiobench", ""

    def do_GET(self) -> None:
        server = cast(Server, self.server)
        if self.headers.get("Host") not in server.hosts:
            self._send(HTTPStatus.FORBIDDEN, b"This page is for this machine: http://127.0.0.1\n", "text/plain", "")
            return
        found = server.answer(self.path)
        if found is None:
            self._send(HTTPStatus.NOT_FOUND, b"There is one page here: /\n", "text/plain", "")
            return
        self._send(HTTPStatus.OK, *found)

    def _send(self, status: HTTPStatus, content: bytes, kind: str, policy: str) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Content-Security-Policy": policy or "default-src 'none'",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """The terminal is the run's."""

    def log_error(self, format: str, *args: object) -> None:
        """A browser that goes away is no news."""
