"""Downloads that go on where they broke, with their checksums."""

import os
import time
from pathlib import Path
from typing import Any

import pooch
import requests
from urllib3.exceptions import HTTPError

from benchmark.data.unpack import Megabytes, require_space, writing
from benchmark.progress import Progress
from registry.errors import Mistake
from registry.tasks import Archive

PAUSES_S = (1.0, 3.0, 10.0)  # before a download that brought nothing more is tried again
_TIMEOUTS_S = (20, 60)  # to connect, and between two pieces of an answer
_CHUNK = 2**20


def download(archive: Archive, folder: Path, progress: Progress) -> Path:
    """Fetches one file into a folder; one that is there already is only checked.

    Raises:
        Mistake: if the server does not have it, the connection stays broken, the disk is full, or the checksum wrong.
    """
    pooch.get_logger().setLevel("WARNING")
    progress.begin(f"fetch {archive.name}, MB")
    resuming = _Resuming(folder / f"{archive.name}.part", progress)
    try:
        path = pooch.retrieve(archive.url, archive.checksum or None, archive.name, folder, downloader=resuming)
    except ValueError as error:  # pooch has deleted the file
        raise Mistake(
            f"{archive.name} is not what was published: it does not have the checksum {archive.checksum}",
            where=archive.url,
            fix="run this again; if that does not help, get the data set elsewhere and unpack it: --from FOLDER",
        ) from error
    progress.end("fetched, " + ("checksum right" if archive.checksum else "no checksum is published"))
    return Path(path)


class _Resuming:
    """A downloader for pooch, which goes on where it broke: pooch's own begins again.

    Args:
        part: the file that grows, and stays when all is broken off.
        progress: told megabytes.
    """

    def __init__(self, part: Path, progress: Progress) -> None:
        self.part, self.progress = part, progress

    def __call__(self, url: str, output_file: Any, pooch: Any) -> None:
        furthest, failures = self._size(), 0
        while True:
            try:
                self._stream(url)
                break
            except (requests.ConnectionError, requests.Timeout, HTTPError) as error:
                failures = 0 if self._size() > furthest else failures + 1
                furthest = max(furthest, self._size())
                if failures > len(PAUSES_S):
                    raise Mistake(
                        f"the connection broke, and trying again did not help: {error}",
                        where=url,
                        fix=f"run this again: it goes on from byte {self._size():,}; or get it elsewhere: --from PATH",
                    ) from error
                self.progress.say(
                    f"  {self.part.stem}: the connection broke after {self._size():,} bytes; trying again"
                )
                time.sleep(PAUSES_S[max(failures - 1, 0)])
            except requests.RequestException as error:
                raise Mistake(
                    f"this cannot be fetched: {error}", where=url, fix="get it elsewhere: --from PATH"
                ) from error
        os.replace(self.part, output_file)  # noqa: PTH105 - pooch made it

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _stream(self, url: str) -> None:
        """Asks for what is missing, and writes what comes until it ends."""
        done = self._size()
        # As stored: some servers would unpack a .tar.gz on the way, and checksums are of the archive.
        asked = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
        with requests.get(url, headers=asked, stream=True, timeout=_TIMEOUTS_S) as answer:
            if answer.status_code == 416:  # nothing lies beyond what is here: it is whole, or it is another file's
                if answer.headers.get("Content-Range") != f"bytes */{done}":
                    self.part.unlink()
                    raise requests.ConnectionError("what was fetched before does not belong to this file")
                return
            _require_success(answer, url)
            goes_on = answer.headers.get("Content-Range", "").startswith(f"bytes {done}-")
            if not goes_on:  # this server cannot: all of it comes again
                done = 0
            left = int(answer.headers.get("Content-Length", 0))
            require_space(self.part.parent, left, f"fetching {self.part.stem}")
            megabytes = Megabytes(self.progress, done + left, done)
            with (
                writing(self.part.parent, left, f"fetching {self.part.stem}"),
                self.part.open("ab" if goes_on else "wb") as file,
            ):
                for chunk in answer.raw.stream(_CHUNK, decode_content=False):
                    file.write(chunk)
                    megabytes.add(len(chunk))
        if left and megabytes.done != done + left:
            raise requests.ConnectionError(f"it ended after {megabytes.done:,} of {done + left:,} bytes")


def _require_success(answer: requests.Response, url: str) -> None:
    said = f"{answer.status_code} {answer.reason}"
    if answer.status_code == 429 or answer.status_code >= 500:
        raise requests.ConnectionError(f"the server answers {said}")
    if answer.status_code not in (200, 206):
        raise Mistake(
            f"the server answers {said}",
            where=url,
            fix="get it elsewhere, and give the archive or folder: --from PATH",
        )
