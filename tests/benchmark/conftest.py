"""What tests of fetching share: a server on this machine, and archives made of ten clips, which it has."""

import hashlib
import io
import shutil
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

from benchmark.data.fetch import fetch
from benchmark.progress import Progress
from registry.lookup import TASKS
from registry.tasks import Archive, Task
from registry.tasks.esc50 import Esc50

CLIPS = 10


@dataclass
class Server:
    """What a server on this machine serves, how it fails, and what it was asked.

    ``cuts``: after how many bytes each answer breaks off; when they are used up, answers are whole.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    sized: bool = True
    cuts: list[int] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            state.asked.append(f"{self.path} {wanted}".strip())
            body = state.files.get(self.path)
            if body is None or state.refusals:
                self.send_error(state.refusals.pop(0) if state.refusals else 404)
                return
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and state.ranges else 0
            if start and start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            if state.sized:
                self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            rest = body[start:]
            self.wfile.write(rest[: state.cuts.pop(0)] if state.cuts else rest)

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, "127.0.0.1")
    monkeypatch.setattr("benchmark.data.download.PAUSES_S", (0.01, 0.01))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        state.url = f"http://127.0.0.1:{web.server_port}"
        thread = threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield state
        web.shutdown()
        thread.join()


def esc50_files() -> dict[str, bytes]:
    """A miniature of ESC-50's archive: ten clips of noise, which no compression makes small."""
    rng = np.random.default_rng(0)
    rows, files = ["filename,fold,target,category,esc10,src_file,take"], {}
    for i in range(CLIPS):
        wave = io.BytesIO()
        soundfile.write(wave, rng.uniform(-0.5, 0.5, 4000), 16000, format="WAV")
        name = f"{i % 5 + 1}-{i}-A-{i % 2}.wav"
        files[f"ESC-50-master/audio/{name}"] = wave.getvalue()
        rows.append(f"{name},{i % 5 + 1},{i % 2},x,True,{i},A")
    return {"ESC-50-master/meta/esc50.csv": "\n".join(rows).encode(), **files}


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def tarred(files: dict[str, bytes], *links: tuple[str, str], mode: str = "w:gz") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:  # type: ignore[call-overload]
        for name, target in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return content.getvalue()


def split(folder: Path, files: dict[str, bytes]) -> list[Path]:
    """Zips files in pieces of 64 KiB with the program that FSD50K's pieces were made for."""
    if shutil.which("zip") is None:
        pytest.skip("the program zip is not installed")
    for name, body in files.items():
        path = folder / "content" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    subprocess.run(["zip", "-q", "-s", "64k", "-r", "../a.zip", "."], cwd=folder / "content", check=True)
    return [*sorted(folder.glob("a.z[0-9]*")), folder / "a.zip"]


def noises(count: int, size: int) -> dict[str, bytes]:
    rng = np.random.default_rng(1)
    return {f"FSD50K.dev_audio/{i}.wav": rng.bytes(size) for i in range(count)}


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"


class Offer(NamedTuple):
    task: Task
    content: bytes


Make = Callable[..., Offer]


@pytest.fixture
def offer(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Offer]:
    """ESC-50 as an archive that the server has, by default with its right checksum."""

    def make(content: bytes | None = None, name: str = "master.zip", checksum: str | None = None) -> Offer:
        content = zipped(esc50_files()) if content is None else content
        server.files[f"/{name}"] = content
        archive = Archive(f"{server.url}/{name}", md5(content) if checksum is None else checksum, folder="ESC-50")
        monkeypatch.setattr(Esc50, "archives", (archive,))
        return Offer(made("esc50"), content)

    return make


def made(reference: str | dict[str, str]) -> Task:
    choice = TASKS.choose(reference)
    task: Task = TASKS.find(choice.name)(choice.settings)
    return task


def get(task: Task, data: Path, given: Path | None = None) -> str:
    return fetch(task, "esc50", data, given, Progress())


def part(data: Path, name: str = "master.zip") -> Path:
    return data / ".downloads" / "ESC-50" / f"{name}.part"
