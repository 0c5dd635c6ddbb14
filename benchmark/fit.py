"""Whether encoders, front ends and window lengths go together: found out before any work."""

import json
from collections.abc import Sequence

import torch

from benchmark.job import Job
from benchmark.model import build_encoder, build_views
from registry.errors import Mistake, Mistakes


def check_fit(jobs: Sequence[Job]) -> None:
    """Runs every encoder of some jobs once behind its front end, on a device that computes shapes alone.

    Raises:
        Mistakes: every pair that does not fit, or window that is too short.
    """
    seen: set[str] = set()
    mistakes: list[Mistake] = []
    for job in jobs:
        if "encoder" not in job.config:
            continue
        window = job.config["crop" if job.kind == "pretrain" else "window"]
        asked = json.dumps([job.config["encoder"], job.config["frontend"], window], sort_keys=True)
        if asked in seen:
            continue
        seen.add(asked)
        try:
            _run(job, window)
        except NotImplementedError:
            continue  # an operation without shapes-only form: the job itself will tell
        except (Mistake, RuntimeError) as error:
            what, fix = (error.what, error.fix) if isinstance(error, Mistake) else (str(error).splitlines()[0], "")
            mistakes.append(Mistake(what, where=job.title, fix=fix))
    if mistakes:
        raise Mistakes(mistakes)


@torch.no_grad()
def _run(job: Job, window: int) -> None:
    with torch.device("meta"):
        frontend = build_views(job.config["frontend"]).frontend
        for normalisation in frontend.measured().values():
            normalisation.set(0.0, 1.0)
        encoder = build_encoder(job.config["encoder"], frontend).eval()
        encoder.embed(frontend(torch.empty(2, window)))
