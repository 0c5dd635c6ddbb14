"""Code of the user's own that an encoder runs: a module that Python can import, or a file.

Stored plans, records and descriptions of models name such code, too, and these may be a stranger's. So code is run only
if the user names it: in a suite, on the command line, or in a call of ``Kind.choose``.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from registry.errors import Mistake
from registry.lookup import package_digest

_named: set[str] = set()


def name_all(content: object) -> None:
    """Takes every text in plain data that the user wrote for a name of code, or of a file with a program."""
    if isinstance(content, str):
        _named.add(content)
    elif isinstance(content, Mapping):
        name_all(list(content.values()))
    elif isinstance(content, list | tuple):
        for value in content:
            name_all(value)


def require_named(name: str) -> None:
    """Refuses code, or a file with a program, that only a stored file names.

    Args:
        name: of a module, or path of a file.

    Raises:
        Mistake: if the user has not named it: its file's name, too, counts as its name.
    """
    names = (name, Path(name).name)
    if not any(text in names or text.startswith(f"{name}:") or Path(text).name == names[1] for text in _named):
        raise Mistake(
            f"{name} is code that only a stored plan, record or description names, and it is not run",
            fix="name the suite that names it: --suite FILE",
        )


def imported(name: str) -> ModuleType:
    """Imports code.

    Args:
        name: of a module, such as ``my_package.net``; or path of a file, ``nets/net.py``, which may import its
            neighbours.

    Raises:
        Mistake: if it does not import.
    """
    try:
        return _from_file(Path(name)) if _is_file(name) else importlib.import_module(name)
    except Exception as error:
        told = (str(error).strip() or type(error).__name__).splitlines()[0]
        absent = isinstance(error, ModuleNotFoundError)
        installed = "install its package, or run from the folder that it lies in; a file is named by its path, NAME.py"
        fix = installed if absent else "see to what it says, or to its package"
        raise Mistake(f"{name} does not import: {type(error).__name__}: {told}", fix=fix) from error


def code_digest(name: str) -> str:
    """SHA-256 of the code: of every Python file of its package, or of its file."""
    if not _is_file(name):
        return package_digest(name.partition(".")[0])
    path = Path(name)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _is_file(name: str) -> bool:
    return name.endswith(".py")


@cache
def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError("there is no such file")
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.append(folder)  # last, so that it hides nothing that is installed
    spec = importlib.util.spec_from_file_location(f"own_code {path.resolve()}", path)  # no name of another module
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # as Python does it: dataclasses look for their module there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module
