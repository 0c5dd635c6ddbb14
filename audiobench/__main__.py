"""``python -m audiobench``."""

from audiobench.cli import main

main()
