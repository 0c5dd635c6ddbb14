"""The model of a suite's entry, of a finished pretraining, or of an export's folder, to be used outside a suite."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.export.description import require_version
from benchmark.export.exported import Exported
from benchmark.export.folder import is_export, read_export
from benchmark.jobs import embed
from benchmark.jobs.evaluate import model_of
from benchmark.jobs.pack import PackJob, Samples
from benchmark.jobs.pretrain import PretrainJob
from benchmark.ledger.plan import Plan, plan_name
from benchmark.ledger.planner import weights_hold
from benchmark.ledger.request import Request
from benchmark.progress import Progress
from benchmark.store.integrity import read_json
from benchmark.store.job import AnyJob, Job, key_of
from benchmark.store.store import Store
from benchmark.suite.document import suite_path
from registry.errors import Mistake
from registry.lookup import load_plugin, nearest
from registry.weights.own import brought

if TYPE_CHECKING:
    from benchmark.jobs.model import Device

_AGAIN = "run the suite again: audiobench run SUITE"


@dataclass(frozen=True)
class Model(Exported):
    """A model that is ready to embed; ``plan`` is its suite's, None for a model that is in a folder."""

    plan: Plan | None


@dataclass(frozen=True)
class Wanted:
    """Which model is wanted.

    Args:
        name: an entry of a suite, the folder of an export, or that of a finished pretraining (``RUNS/pretrain/KEY``).
        suite: a suite's file or name, whose entry it is; None for the only suite that was run and has such an entry.
        scale: one of the suite's scales, or None.
        data: the folder of data sets, for a suite as it is now; None for a suite as it was run last.
        plugins: Python files with components, besides the suite's own.
        tell: gets a line about a plan that cannot be used, or of which there are several.
    """

    name: str
    suite: str | None
    scale: str | None
    data: Path | None
    plugins: Sequence[Path]
    tell: Callable[[str], None]


def load_model(wanted: Wanted, store: Store, device: "Device") -> Model:
    """Finds a model and loads it; of a suite with several seeds it is the model of the first.

    Args:
        wanted: says which model.
        store: of the records, for an entry of a suite.
        device: where it will compute.

    Raises:
        Mistake: if there is no such entry, if its weights are not there, or if it has no single front end.
    """
    for path in wanted.plugins:
        load_plugin(path)
    folder = Path(wanted.name)
    if wanted.suite is None and is_export(folder):
        return Model(**vars(read_export(folder, device)), plan=None)
    if (folder / "job.json").is_file():
        return _of_pretraining(folder.resolve(), device)
    plan = _plan(wanted, store)
    config, needs = _of_entry(wanted.name, plan, store)
    return _load(wanted.name, config, needs, plan, plan.jobs, plan.facts.samples, store, device)


def _plan(wanted: Wanted, store: Store) -> Plan:
    """The plan of the suite that has the entry."""
    if wanted.suite is None:
        return _only_plan(wanted, store)
    try:
        path = suite_path(wanted.suite)
    except Mistake:
        stored = store.load_plan(plan_name(wanted.suite, wanted.scale), tell=wanted.tell)
        if stored is None:
            raise
        return Plan.from_json(stored["plan"])
    request = Request(path, wanted.scale, wanted.data, plugins=tuple(wanted.plugins), tell=wanted.tell)
    last = request.last(store) if wanted.data is None else None
    return last or request.plan(store)


def _only_plan(wanted: Wanted, store: Store) -> Plan:
    """The plan of the only suite that was run on a store and has the entry."""
    plans = []
    for name in store.plans():
        stored = store.load_plan(name, tell=wanted.tell)
        assert stored
        plan = Plan.from_json(stored["plan"])
        if wanted.scale in (None, plan.facts.scale):
            plans.append(plan)
    holding = [plan for plan in plans if wanted.name in plan.facts.entries]
    if not holding:
        known = sorted({entry for plan in plans for entry in plan.facts.entries})
        hint = f"{nearest(wanted.name, known)} " * bool(known)
        raise Mistake(
            f"no suite that was run here has an entry {wanted.name!r}",
            where=str(store.root),
            fix=f"{hint}Name the suite (--suite), the folder of its records (--runs), a folder RUNS/pretrain/KEY, or"
            " the folder of an export",
        )
    if len(holding) > 1:
        several = ", ".join(plan.name for plan in holding)
        fix = "say which: --suite SUITE, with --scale where it has one"
        raise Mistake(f"several suites have an entry {wanted.name}: {several}", where=str(store.root), fix=fix)
    return holding[0]


def _of_entry(entry: str, plan: Plan, store: Store) -> tuple[embed.Config, embed.Needs]:
    """The model of an entry, and what it needs, all of which is there."""
    if entry not in plan.facts.entries:
        raise Mistake(f"the suite {plan.name} has no entry {entry!r}", fix=nearest(entry, list(plan.facts.entries)))
    row = next((row for row in plan.rows if row.entry == entry and row.seed == plan.facts.seeds[0]), None)
    if row is None:
        raise Mistake(f"the stored plan of {plan.name} has no cell of {entry}", fix=_AGAIN)
    job = plan.evaluation(row)
    if job.blocked:
        raise Mistake(job.blocked)
    config, needs = model_of(job, plan.jobs)
    if needs.statistics:
        raise Mistake(
            f"{entry} has a front end for every fold (normalise: dataset), and so no single embedding of a recording",
            fix="name the folder of its pretraining, RUNS/pretrain/KEY" if needs.pretrain else "use normalise: clip",
        )
    for choice in (config.encoder, config.frontend):
        require_version(choice, _AGAIN)
    code = config.weights.stated.get("code", "")
    model = brought(config.encoder.component)
    if code and model and code != model.digest_of(config.encoder.settings):
        raise Mistake(f"the code of the model of {entry} has changed since the suite was run", fix="run it again")
    if needs.pretrain and not store.has("pretrain", needs.pretrain):
        raise Mistake(
            f"{entry} of {plan.name} is not pretrained here",
            where=str(store.root),
            fix=f"audiobench run {plan.facts.suite} --entry {entry}, or name the folders of its run: --runs, --data",
        )
    named = config.weights.sha256 or config.weights.revision
    if named and not weights_hold(plan.files, named):
        where = plan.files[named]
        raise Mistake(f"the weights of {entry} are not what they were", where=where, fix=_AGAIN)
    return config, needs


def _of_pretraining(folder: Path, device: "Device") -> Model:
    """The model of a finished pretraining, by its folder."""
    job = Job.from_json(read_json(folder / "job.json"))
    if not isinstance(job, PretrainJob) or folder.name != job.key:
        raise Mistake(
            "this is no folder of a pretraining", where=str(folder), fix="name an entry, or RUNS/pretrain/KEY"
        )
    store = Store(folder.parent.parent)
    for choice in (job.config.encoder, job.config.frontend):
        require_version(choice, _AGAIN)
    config = embed.Config(
        encoder=job.config.encoder,
        frontend=job.config.frontend,
        weights=embed.WeightsKey(kind="pretrain"),
        window_samples=job.config.window_samples,
    )
    needs = embed.Needs(pack=job.needs.corpus, pretrain=job.key, statistics=job.needs.statistics)
    of_packs = [job.needs.corpus, *job.needs.exclude]
    stored = [store.find("pack", key) / "job.json" for key in of_packs]  # packs may be deleted
    packs = [Job.from_json(read_json(path)) for path in stored if path.is_file()]
    jobs = {one.key: one for one in [job, *packs]}
    corpus = jobs.get(job.needs.corpus)
    samples: Samples = corpus.config.samples if isinstance(corpus, PackJob) else "int16"
    name = f"{job.config.method.name}-{job.key[:8]}"
    return _load(name, config, needs, None, jobs, samples, store, device)


def _load(
    name: str,
    config: embed.Config,
    needs: embed.Needs,
    plan: Plan | None,
    jobs: Mapping[str, AnyJob],
    samples: Samples,
    store: Store,
    device: "Device",
) -> Model:
    from benchmark.jobs.workplace import Workplace
    from registry.net import Net

    at = Workplace(store, None, jobs, plan.files if plan else {}, device, Progress(), skip_bad=False)
    frontend, encoder = embed.weighted_net(config, needs, at)
    without_pack = {role: key for role, key in needs.canonical().items() if role != "pack"}
    digest = key_of("embed", {**config.canonical(), "samples": samples}, without_pack)
    net = Net(frontend, encoder, config.window_samples)
    return Model(name, net, config, samples, digest, _pretraining(jobs.get(needs.pretrain or ""), jobs, store), plan)


def _pretraining(job: AnyJob | None, jobs: Mapping[str, AnyJob], store: Store) -> dict[str, Any] | None:
    """The settings and the record of a pretraining, as plain data; None if there was none."""
    if not isinstance(job, PretrainJob):
        return None

    def task_of(key: str) -> dict[str, Any] | None:
        pack = jobs.get(key)
        return dict(pack.config.task.config) if isinstance(pack, PackJob) else None

    record = store.result(PretrainJob, job.key)
    return {
        "key": job.key,
        "corpus": task_of(job.needs.corpus),
        "exclude": [task for key in job.needs.exclude if (task := task_of(key))],
        **{name: job.config.canonical()[name] for name in ("method", "augment", "training", "seed")},
        **record.model_dump(mode="json", include={"clips", "excluded", "loss", "kept_epoch", "seconds", "environment"}),
    }
