"""The kinds of jobs, one in each file, and the modules that they use.

The files of the kinds load no torch: a finished suite is recognised without it.
"""

KINDS = ("pack", "measure", "pretrain", "embed", "evaluate")  # each after the kinds whose results it uses
