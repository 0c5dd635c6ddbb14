"""A small web server that gives ranges, counts what it gives, and fails as servers do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


@dataclass
class Web:
    """A server of a folder.

    Args:
        folder: of its files.
        url: of the folder.
        sent: bytes of bodies, request by request.
        fault: empty; or ``no ranges``, ``short`` (half of what is asked), or a status such as ``403``.
    """

    folder: Path
    url: str = ""
    sent: list[int] = field(default_factory=list)
    fault: str = ""


@contextmanager
def served(folder: Path) -> Iterator[Web]:
    web = Web(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # the system would wait 40 ms between head and body

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            path = folder / self.path.strip("/")
            if web.fault.isdecimal() or not path.is_file():
                self.send_response(int(web.fault) if web.fault else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content, asked = path.read_bytes(), self.headers.get("Range", "")
            size, ranged = len(content), asked.startswith("bytes=") and web.fault != "no ranges"
            if ranged:
                begin, _, end = asked.removeprefix("bytes=").partition("-")
                first, last = int(begin), min(int(end or size - 1), size - 1)
                content = content[first : last + 1]
            if body and web.fault == "short":
                content = content[: len(content) // 2]
            self.send_response(206 if ranged else 200)
            if ranged:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            if web.fault != "no ranges":
                self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", f"{len(content)}")
            self.end_headers()
            if body:
                web.sent.append(len(content))
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client may close the connection."""

    server = Server(("127.0.0.1", 0), Handler)
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
