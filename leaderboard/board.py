"""A leaderboard as a data frame, for programs and notebooks."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from leaderboard.render import flat_cells, render
from leaderboard.table import Table


class Board(pd.DataFrame):
    """Leaderboards as a data frame: a row a cell, with the columns of ``leaderboard --format csv`` after ``suite``.

    A notebook shows it as the tables with their notes. ``tables`` are what it was made of. Rows or columns that are
    chosen from it are an ordinary data frame.

    Args:
        tables: of suites, one or more.
    """

    _metadata = ["tables"]
    tables: list[Table]

    def __init__(self, tables: Sequence[Table]) -> None:
        super().__init__([{"suite": table.name, **cell} for table in tables for cell in flat_cells(table)])  # type: ignore[call-arg]
        self.tables = list(tables)

    @property
    def _constructor(self) -> Any:
        return pd.DataFrame

    def _repr_html_(self) -> str:
        return "\n".join(render(table, "html") for table in self.tables)
