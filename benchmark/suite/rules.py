"""Rules that say which epoch's figures count: one name each for suites, the command line and leaderboards."""

from typing import Literal

Rule = Literal["last", "best-mean", "inner", "split1"]
