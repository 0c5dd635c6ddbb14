"""How each kind of job does its work: a file a kind, and beside them what they work with.

The files of the kinds load no torch: a finished suite is recognised without it.
"""

KINDS = ("pack", "measure", "pretrain", "embed", "evaluate")  # each after those whose results it uses
