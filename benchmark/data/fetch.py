"""Fetches data sets, or takes them from a place where they are already. Nothing is fetched twice."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pooch.hashes import hash_matches

from benchmark.data.download import download
from benchmark.data.unpack import BadArchive, Megabytes, require_space, unpack, writing
from benchmark.progress import Progress
from benchmark.store.files import clear, move
from benchmark.store.leases import Lease, leased
from registry.errors import Mistake
from registry.files import files_below, size_at
from registry.tasks import Archive, Task

_WORK = ".downloads"  # below the data folder; it is removed when all is done
_PACKED = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")


def fetch(task: Task, name: str, data: Path, given: Path | None, progress: Progress) -> str:
    """Puts a data set into the data folder, unless it is there.

    Args:
        task: lists the archives of the data set, and finds files that are missing.
        name: of the task.
        data: the folder that holds data sets; made if it is missing.
        given: an archive, or a folder with the archives or with the data set itself, to take instead of a download.
        progress: counts megabytes.

    Returns:
        A sentence for people: how many clips are there, and where.

    Raises:
        Mistake: if the data set cannot be fetched, is not what was published, or is not whole in the end.
    """
    if not task.folders:
        return f"{name}: nothing to fetch"
    if data.resolve().name in task.folders:
        data = data.resolve().parent
    try:
        return f"{name} is there already: {_count(task, data)}"
    except Mistake as mistake:
        lack = mistake
    if given is None:
        _require_something_to_fetch(task, name, data, lack)
    with writing(data, 0, f"fetching {name}"), _alone(data) as lease:
        wanted = _wanted(task, data)
        if given is None:
            for archive in wanted:
                _fetch_archive(task, name, archive, data, lease, progress)
        else:
            _take(task, name, given, data, lease, progress)
        try:
            return f"{name} is whole: {_count(task, data)}"
        except Mistake as mistake:
            if not _wanted(task, data):
                _take_back([archive for archive in wanted if not archive.checksum], data)
            raise Mistake(
                f"{name} is still not whole: {mistake.what}", where=mistake.where, fix=mistake.fix
            ) from mistake


def _count(task: Task, data: Path) -> str:
    return f"{len(task.clips(data)):,} clips in {task.locate(data)}"


def _wanted(task: Task, data: Path) -> list[Archive]:
    return [archive for archive in task.archives if not (data / archive.folder).exists()]


def _require_something_to_fetch(task: Task, name: str, data: Path, lack: Mistake) -> None:
    if not task.archives:
        raise Mistake(
            f"{name} cannot be fetched by a command",
            where=task.url,
            fix=f"get it yourself, then: audiobench data fetch {name} --data {data} --from PATH",
        )
    if not _wanted(task, data):
        raise Mistake(
            f"{name} is there, but not whole: {lack.what}",
            where=lack.where or str(data),
            fix=f"move {data / task.archives[-1].folder} away and fetch again; to use what is there: {lack.fix}",
        )


@contextmanager
def _alone(data: Path) -> Iterator[Lease]:
    """A lock beside the unfinished files. It stops a second fetch, which would write into the same files."""
    work = data / _WORK
    work.mkdir(parents=True, exist_ok=True)
    with leased(work / "lease", None) as lease:
        if lease is None:
            raise Mistake("another fetch is at work", where=str(data), fix="wait until it has ended")
        yield lease
    with suppress(OSError):  # there is more in it, or another fetch has begun
        work.rmdir()


def _fetch_archive(task: Task, name: str, archive: Archive, data: Path, lease: Lease, progress: Progress) -> None:
    folder = lease.path.parent / archive.folder.replace("/", "-")
    folder.mkdir(exist_ok=True)
    pieces = (*archive.pieces, archive)
    here = sum(path.stat().st_size for path in folder.iterdir())
    require_space(folder, sum(piece.size for piece in pieces) - here, f"fetching {archive.name}")
    files = [download(piece, folder, progress) for piece in pieces]
    try:
        _place(task, name, archive, files, data, lease, progress)
    except BadArchive:
        shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)


def _take(task: Task, name: str, given: Path, data: Path, lease: Lease, progress: Progress) -> None:
    """Uses archives or a folder that were fetched elsewhere, and leaves them there."""
    if not given.exists():
        raise Mistake(f"{given} does not exist", fix="give --from an archive or a folder")
    archives = task.archives or (Archive("", folder=task.folders[0]),)
    supplied = _supplied(given, archives)
    if not supplied and given.is_dir():
        _copy(task, name, given, data, lease, progress)
        return
    if not supplied:
        raise Mistake(
            f"{given.name} is none of the archives of {name}, or its other pieces are not beside it",
            where=str(given),
            fix=f"give one of {', '.join(archive.name for archive in archives)}, or a folder",
        )
    for archive, files in supplied:
        if (data / archive.folder).exists():
            continue
        for piece, path in zip((*archive.pieces, archive), files, strict=True):
            if not hash_matches(str(path), piece.checksum or None):
                raise Mistake(
                    f"{path.name} is not what was published: it does not have the checksum {piece.checksum}",
                    where=str(path),
                    fix="fetch it again; if you trust it all the same, unpack it, and give --from its folder",
                )
        _place(task, name, archive, files, data, lease, progress)


def _supplied(given: Path, archives: tuple[Archive, ...]) -> list[tuple[Archive, list[Path]]]:
    """The archives that are here with all their pieces; a lone archive may have any name."""
    if given.is_file() and len(archives) == 1 and not archives[0].pieces:
        return [(archives[0], [given])]
    folder = given if given.is_dir() else given.parent
    named = [archive for archive in archives if given.is_dir() or archive.name == given.name]
    files_of = [(archive, [folder / piece.name for piece in (*archive.pieces, archive)]) for archive in named]
    return [(archive, files) for archive, files in files_of if archive.url and all(file.is_file() for file in files)]


def _place(
    task: Task, name: str, archive: Archive, files: list[Path], data: Path, lease: Lease, progress: Progress
) -> None:
    """Unpacks into another folder first, so that the data set's folder is there only when it is whole."""
    target = data / archive.folder
    with _aside(lease) as aside:
        progress.begin(f"unpack {files[-1].name}, MB")
        if archive.url and not archive.name.lower().endswith(_PACKED):
            made = Path(shutil.copy(files[-1], aside))
        else:
            made = aside / "unpacked"
            made.mkdir()
            unpack(files, made, progress)
            entries = [path for path in made.iterdir() if path.name not in ("__MACOSX", ".DS_Store")]
            made = entries[0] if len(entries) == 1 and entries[0].is_dir() else made
        ready = aside / "ready" / archive.folder
        ready.parent.mkdir(parents=True)
        move(made, ready)
        if archive.folder in task.folders:  # else other archives belong to it
            _require_whole(task, name, aside / "ready", files[-1], Mistake if archive.checksum else BadArchive)
        target.parent.mkdir(parents=True, exist_ok=True)
        lease.require()
        move(ready, target)
        progress.end(f"unpacked into {target}")


def _take_back(archives: list[Archive], data: Path) -> None:
    """Removes what archives brought that nobody vouches for: with all the others it is not the data set."""
    for archive in archives:
        brought = data / archive.folder
        if brought.is_file():
            brought.unlink()
        else:
            clear(brought)


def _require_whole(task: Task, name: str, data: Path, source: Path, kind: type[Mistake]) -> None:
    """Refuses what is unpacked or copied, but is not the data set."""
    try:
        task.clips(data)
    except Mistake as mistake:
        raise kind(f"{source} is not a whole {name}: {mistake.what}", where=str(source), fix=mistake.fix) from mistake


def _copy(task: Task, name: str, given: Path, data: Path, lease: Lease, progress: Progress) -> None:
    """Copies a data set that was unpacked elsewhere. The copy takes its place only if it is whole."""
    sources = {folder: given / folder for folder in task.folders if (given / folder).is_dir()}
    sources = sources or {task.folders[0]: given}
    for folder in sources:
        if (data / folder).exists():
            raise Mistake(f"{data / folder} is there, but not whole", fix="move it away, and run this again")
    files = {source: [(below, size_at(source / below)) for below in files_below(source)] for source in sources.values()}
    needed = sum(size for of_source in files.values() for _, size in of_source)
    require_space(data, needed, f"copying {given}")
    with _aside(lease) as aside:
        progress.begin(f"copy {given}, MB")
        megabytes = Megabytes(progress, needed)
        with writing(aside, needed, f"copying {given}"):
            for folder, source in sources.items():
                for below, size in files[source]:
                    target = aside / folder / below
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source / below, target)
                    megabytes.add(size)
        _require_whole(task, name, aside, given, Mistake)
        lease.require()
        for folder in sources:
            (data / folder).parent.mkdir(parents=True, exist_ok=True)
            move(aside / folder, data / folder)
        progress.end("copied")


@contextmanager
def _aside(lease: Lease) -> Iterator[Path]:
    for leftover in lease.path.parent.glob("aside*"):  # of a killed run
        clear(leftover)
    aside = lease.path.with_name(f"aside.{lease.owner}")
    aside.mkdir()
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
