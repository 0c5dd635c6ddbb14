"""MLflow: a run for each job, through its client (``mlflow-skinny`` is enough for a server)."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmark.trackers import Ending, Scalars, Tracked, Tracker

if TYPE_CHECKING:
    from mlflow import MlflowClient

_EXPERIMENT = "audiobench"
_PARAMS_AT_ONCE = 100  # MLflow's own limit
_STATUS = {"done": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}


class Mlflow(Tracker):
    """A run with the job's settings as parameters, its key, kind and suite as tags, and metrics by epoch.

    MLflow's own variables say where: ``MLFLOW_TRACKING_URI``, ``MLFLOW_EXPERIMENT_NAME``. A job that goes on uses its
    run again, and steps that the run has are not logged again; a job that is made anew has another run.
    """

    package = "mlflow"

    def begin(self, job: Tracked) -> None:
        from mlflow import MlflowClient

        self._client = client = MlflowClient()
        experiment = os.environ.get("MLFLOW_EXPERIMENT_ID") or _experiment(client)
        same = client.search_runs([experiment], filter_string=f"tags.`audiobench.key` = '{job.key}'")
        begun = next((run for run in same if run.info.status != _STATUS["done"]), None)
        if begun:
            self._run, self._step = begun.info.run_id, self._last_step(begun.info.run_id, begun.data.metrics)
            client.update_run(self._run, status="RUNNING")
            return
        tags = {"audiobench.key": job.key, "audiobench.kind": job.kind, "audiobench.suite": job.suite}
        self._run, self._step = client.create_run(experiment, tags=tags, run_name=job.title).info.run_id, 0
        self._log_params(list(_flat(job.config)))

    def scalars(self, step: int, values: Scalars) -> None:
        if step > self._step:
            self._log(step, values)
            self._step = step

    def end(self, ending: Ending, figures: Scalars) -> None:
        self._log(self._step, {f"final/{name}": figure for name, figure in figures.items()})
        self._client.set_terminated(self._run, _STATUS[ending])

    def _last_step(self, run: str, metrics: Mapping[str, float]) -> int:
        histories = [self._client.get_metric_history(run, name) for name in metrics]
        return max((point.step for history in histories for point in history), default=0)

    def _log_params(self, pairs: Sequence[tuple[str, str]]) -> None:
        from mlflow.entities import Param

        params = [Param(name, value) for name, value in pairs]
        for first in range(0, len(params), _PARAMS_AT_ONCE):
            self._client.log_batch(self._run, params=params[first : first + _PARAMS_AT_ONCE])

    def _log(self, step: int, values: Scalars) -> None:
        from mlflow.entities import Metric

        now_ms = int(time.time() * 1000)
        self._client.log_batch(self._run, [Metric(name, value, now_ms, step) for name, value in values.items()])


def _experiment(client: "MlflowClient") -> str:
    """The id of the experiment that the environment names, else of ``audiobench``; it is made at its first run."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or _EXPERIMENT
    known = client.get_experiment_by_name(name)
    return str(known.experiment_id if known else client.create_experiment(name))


def _flat(settings: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Settings as pairs of dotted names and texts."""
    inside = settings.items() if isinstance(settings, Mapping) else enumerate(settings)
    for key, value in inside:
        path = f"{name}.{key}" if name else str(key)
        if isinstance(value, Mapping | list) and value:
            yield from _flat(value, path)
        else:
            yield path, str(value)
