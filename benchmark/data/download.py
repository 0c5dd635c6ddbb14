"""Downloads files, checks their checksums, and resumes a download that broke."""

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

PAUSES_S = (1.0, 3.0, 10.0)  # before each new try, after a try that brought no bytes
_TIMEOUTS_S = (20, 60)  # to connect, and between two pieces of an answer
_CHUNK = 2**20


def download(archive: Archive, folder: Path, progress: Progress) -> Path:
    """Fetches one file into a folder; a file that is there already is only checked.

    Raises:
        Mistake: if the server does not have the file, the connection stays broken, the disk is full, or the checksum is
            wrong.
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
    """A downloader for pooch that resumes a broken download. Pooch's own downloader begins again.

    Args:
        partial: the file that grows. It stays when the program ends before the download does.
        progress: counts megabytes.
    """

    def __init__(self, partial: Path, progress: Progress) -> None:
        self.partial, self.progress = partial, progress

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
                    f"  {self.partial.stem}: the connection broke after {self._size():,} bytes; trying again"
                )
                time.sleep(PAUSES_S[max(failures - 1, 0)])
            except requests.RequestException as error:
                raise Mistake(
                    f"this cannot be fetched: {error}", where=url, fix="get it elsewhere: --from PATH"
                ) from error
        os.replace(self.partial, output_file)  # noqa: PTH105 - pooch made it

    def _size(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _stream(self, url: str) -> None:
        """Requests the bytes that are missing, and writes them until the answer ends."""
        done = self._size()
        # "identity": some servers would unpack a .tar.gz on the way, but the checksum is that of the archive.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUTS_S) as answer:
            if answer.status_code == 416:  # there are no more bytes: the partial file is whole, or is of another file
                if answer.headers.get("Content-Range") != f"bytes */{done}":
                    self.partial.unlink()
                    raise requests.ConnectionError("what was fetched before does not belong to this file")
                return
            _require_success(answer, url)
            goes_on = answer.headers.get("Content-Range", "").startswith(f"bytes {done}-")
            if not goes_on:  # this server cannot resume, and sends the whole file again
                done = 0
            left = int(answer.headers.get("Content-Length", 0))
            require_space(self.partial.parent, left, f"fetching {self.partial.stem}")
            megabytes = Megabytes(self.progress, done + left, done)
            with (
                writing(self.partial.parent, left, f"fetching {self.partial.stem}"),
                self.partial.open("ab" if goes_on else "wb") as file,
            ):
                for chunk in answer.raw.stream(_CHUNK, decode_content=False):
                    file.write(chunk)
                    megabytes.add(len(chunk))
        if left and megabytes.done != done + left:
            raise requests.ConnectionError(f"it ended after {megabytes.done:,} of {done + left:,} bytes")


def _require_success(answer: requests.Response, url: str) -> None:
    status = f"{answer.status_code} {answer.reason}"
    if answer.status_code == 429 or answer.status_code >= 500:
        raise requests.ConnectionError(f"the server answers {status}")
    if answer.status_code not in (200, 206):
        raise Mistake(
            f"the server answers {status}",
            where=url,
            fix="get it elsewhere, and give the archive or folder: --from PATH",
        )
