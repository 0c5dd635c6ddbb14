"""The rules that choose the epoch whose figures are shown: each has one name in suites, commands and leaderboards."""

from typing import Literal

Rule = Literal["last", "best-mean", "inner", "split1"]
