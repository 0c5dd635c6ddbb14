"""What encoders have in common whose weights lie in a package of the Python index."""

import importlib.util
from pathlib import Path
from typing import Any, ClassVar

from registry.encoders._brought import Brought
from registry.errors import Mistake
from registry.settings import Own


class Packaged(Brought[Own]):
    """A net of ours with the weights of somebody's package. The package gives this file alone: its code is not run.

    The file may also lie beside the suite or in the data folder, under the same relative path.
    """

    package: ClassVar[str]
    install: ClassVar[str]
    sample_rate: ClassVar[int]

    @classmethod
    def inside(cls, config: Any) -> str:
        """The path of the file of weights, from the folder of packages on."""
        raise NotImplementedError

    @classmethod
    def file_of(cls, config: Any) -> str:
        inside = cls.inside(config)
        spec = importlib.util.find_spec(inside.partition("/")[0])
        folders = [Path(folder).parent for folder in (spec and spec.submodule_search_locations) or ()]
        return next((str(folder / inside) for folder in folders if (folder / inside).is_file()), inside)

    @classmethod
    def remedy(cls, config: Any) -> str:
        return f"pip install {cls.install}"

    @classmethod
    def own_rate(cls, config: Any, path: Path | None) -> int:
        return cls.sample_rate

    def open(self, path: Path | None) -> None:
        if path is None or not path.is_file():
            raise Mistake(f"the weights of {self.package} are not installed", fix=self.remedy(self.config))
        self.read(path)

    def read(self, path: Path) -> None:
        """Makes the net with the weights of a file.

        Raises:
            Mistake: if the file holds others.
        """
        raise NotImplementedError
