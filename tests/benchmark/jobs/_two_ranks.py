"""A process of two that pretrain: ``python -m tests.benchmark.jobs._two_ranks RANK FOLDER``.

Both go on from a checkpoint of one process to the end. Then they begin another pretraining, and the second process,
which writes nothing, is asked to stop. At last only one of them finds the checkpoint.
"""

import json
import signal
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from benchmark.progress import Progress
from registry.errors import Interrupted, Mistake
from registry.ranks import Ranks
from tests.benchmark.jobs.test_loop import Interrupts, train

torch.set_num_threads(1)


def main(rank: int, folder: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=2)
    ranks = Ranks(rank, 2, dist.new_group(backend="gloo"))
    _, log = train("moco", folder / "from one", ranks=ranks)
    stops = Interrupts(3, signal.SIGUSR2) if rank else Progress()
    try:
        train("moco", folder / "from two", stops, ranks=ranks)
    except Interrupted as stopped:
        (folder / f"told.{rank}.json").write_text(json.dumps([log, stopped.status]))
    try:
        train("moco", folder / ("from two" if rank else "not shared"), ranks=ranks)
    except Mistake as mistake:
        (folder / f"refused.{rank}").write_text(str(mistake))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
