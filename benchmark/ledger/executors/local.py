"""Does jobs in this process, one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmark.jobs.workplace import Workplace
from benchmark.ledger.devices import do_on_devices, require_devices
from benchmark.ledger.execute import do_here, put_away
from benchmark.ledger.executors import Executor, Options
from benchmark.ledger.work import Became, Work
from benchmark.memory import shortage
from benchmark.progress import Progress
from benchmark.store.files import refusal
from benchmark.store.job import AnyJob, Environment
from benchmark.trackers import chosen, make_tracking
from registry.errors import Damaged, Mistake


class Local(Executor):
    """Does one job at a time, and shows its steps."""

    most = 1

    def __init__(self, work: Work, jobs: Sequence[AnyJob], options: Options, progress: Progress) -> None:
        super().__init__(work, jobs, options, progress)
        from benchmark.jobs.model import choose_device

        for job in jobs:
            require_devices(work.devices_of(job), work.device)
        plan, device = work.plan, choose_device(work.device, work.precision)
        work.request.load_plugins()
        tracking = make_tracking(chosen(work.track), work.store.root / "trackers", plan.name, progress.say)
        self.at = Workplace(
            work.store, work.request.data, plan.jobs, plan.files, device, progress, work.skip_bad, tracking
        )
        self.taken: list[AnyJob] = []

    def take(self, jobs: Sequence[AnyJob]) -> None:
        self.taken += jobs

    def environment(self) -> Environment:
        from benchmark.jobs.environment import environment

        return environment(self.at.device, self.at.group.ranks.world)

    def ended(self) -> Iterator[tuple[AnyJob, Became]]:
        for job in self.taken:
            yield job, self.do(job)
        self.taken = []

    def do(self, job: AnyJob) -> Became:
        """Does a job, in this process or by one for each of its devices."""
        devices, alone = self.work.devices_of(job), self.at.group.ranks.world == 1
        try:
            if devices > 1 and alone:
                with self.progress.aside():
                    arguments = replace(self.work, devices=1).arguments(job)
                    return Became("done", do_on_devices(arguments, devices, job.lighter))
            self.progress.begin(job.title)
            return Became("done", do_here(job, self.at))
        except KeyboardInterrupt:
            if alone:
                self.progress.end("interrupted; the same command goes on from here", job.title)
            raise
        except Damaged as damage:
            reason = put_away(damage, self.at.store)
        except Mistake as mistake:
            reason = str(mistake)
        except Exception as error:
            reason = self._reason(job, error)
        return Became("failed", reason)

    def _reason(self, job: AnyJob, error: Exception) -> str:
        short = shortage(error)
        if short:
            said = (str(error) or type(error).__name__).splitlines()[0]
            checkpoint = self.at.store.checkpoint(job)
            kept = f"; the state before is kept in {checkpoint}" if checkpoint.exists() else ""
            return str(Mistake(f"{short} was too small: {said}{kept}", fix=job.lighter))
        if isinstance(error, OSError):
            return str(refusal(error, self.at.store.root))
        if self.work.debug:
            raise error
        return f"internal error: {type(error).__name__}: {error}\n  to do: run again with --debug for the traceback"
