"""The model card of an export: what the model is, what it learned from, and its figures, all from the records."""

import inspect
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.export import FormName
from benchmark.export.forms import form_called
from leaderboard.grid import bounds
from leaderboard.merge import Stores, separate
from leaderboard.notes import overlaps
from leaderboard.render import plain_markdown
from leaderboard.selection import MEANING
from leaderboard.table import Cell, Table, make_table
from registry.errors import Mistake
from registry.lookup import METHODS, PROTOCOLS, TASKS, WEIGHTS, C, Choice, Kind
from registry.text import visible_lines

if TYPE_CHECKING:
    from benchmark.ledger.entry import Model
    from registry.net import Net

_HOME = "audiobench"
_LIBRARY = {"hf": "transformers", "onnx": "onnx"}  # as the hub names what reads a folder; audiobench for the others
_DIGITS = 6


def card(model: "Model", form: FormName, runs: Path) -> str:
    """The text of ``README.md``: metadata that the hub reads, then the card.

    Args:
        model: an entry's, or one in a folder, which has no figures.
        form: of the export.
        runs: the folder of the entry's records.
    """
    table: Table | None = None
    if model.plan:
        store = Stores([runs])
        table = make_table(separate(model.plan, store), store)
    cells = [cell for cell in table.cells if cell.entry == model.name and cell.mean is not None] if table else []
    sections = [
        f"# {plain_markdown(model.name)}",
        *_model(model),
        *_use(model, form),
        *_training(model),
        *_figures(model, table, cells),
        *_data(model, cells),
        *_origin(model, table),
    ]
    metadata = _yaml(_metadata(model, form, table, cells))
    return visible_lines(f"---\n{metadata}---\n\n" + "\n\n".join(sections) + "\n")


def _metadata(model: "Model", form: FormName, table: Table | None, cells: Sequence[Cell]) -> dict[str, Any]:
    """What the hub reads. It has no ``license``: whose the weights are, their owner says."""
    plain: dict[str, Any] = {
        "library_name": _LIBRARY.get(form, _HOME),
        "pipeline_tag": "feature-extraction",
        "tags": ["audio", _HOME, model.config.encoder.name, model.config.weights.kind],
    }
    if table and cells:
        plain["model-index"] = [{"name": model.name, "results": [_result(cell, table) for cell in cells]}]
    return plain


def _result(cell: Cell, table: Table) -> dict[str, Any]:
    """A figure, as an entry of ``model-index``."""
    metrics = [
        {"type": cell.metric.column, "name": f"{cell.metric.name}, {cell.selection}", "value": _rounded(cell.mean)},
    ]
    ends = (("low", cell.interval.low), ("high", cell.interval.high)) if cell.interval else ()
    for end, value in ends:
        if math.isfinite(value):
            name = f"{cell.metric.name}, {end} end of the 95 % interval"
            metrics.append({"type": f"{cell.metric.column}_{end}", "name": name, "value": _rounded(value)})
    return {
        "task": {"type": "audio-classification", "name": f"{cell.protocol} on {cell.task}"},
        "dataset": {"type": table.facts.tasks[cell.task].name, "name": cell.task},
        "metrics": metrics,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _model(model: "Model") -> Iterator[str]:
    """What the model is."""
    net, config = model.net, model.config
    parameters = sum(parameter.numel() for parameter in net.parameters())
    parts = ", ".join(f"{name} {size}" for name, size in net.encoder.parts.items())
    rows = {
        "weights": _weights(model),
        "encoder": f"`{_yaml_line(config.encoder)}`; {config.encoder.component.source}",
        "front end": f"`{_yaml_line(config.frontend)}`; {config.frontend.component.source}",
        "parameters": f"{parameters:,}" if parameters else "not counted",
        "sample rate": f"{net.sample_rate:,} Hz",
        "window": _window(net),
        "embedding": f"{net.embedding_dim:,} numbers" + (f" ({parts})" if parts else ""),
    }
    for name, module in net.views.frontend.measured().items():
        rows[f"statistics, {name}"] = f"mean {module.mean:g}, deviation {module.std:g}"
    cut = "A longer recording is cut into windows at half-window stride, and its embedding is the mean over windows."
    whole = "A recording of any length is embedded whole, in one piece."
    yield (
        f"An encoder of sound: waveforms at {net.sample_rate:,} Hz to embeddings of {net.embedding_dim:,} numbers."
        f" {whole if net.window_samples == 'whole' else cut}"
    )
    yield _table(["", ""], list(rows.items()))


def _window(net: "Net") -> str:
    if net.window_samples == "whole":
        return "none: the whole recording"
    return f"{net.window_samples:,} samples, {net.window_samples / net.sample_rate:g} s"


def _weights(model: "Model") -> str:
    """Where the weights come from: what their source says of itself, and what names the weights in records."""
    key, pretraining = model.config.weights, model.pretraining
    if pretraining:
        corpus = f" on {pretraining['corpus']['name']}" if pretraining["corpus"] else ""
        return f"pretrained by {pretraining['method']['name']}{corpus}"
    source = _component(WEIGHTS, key.kind)
    meaning = (inspect.getdoc(source) or key.kind).splitlines()[0].rstrip(".") if source else key.kind
    named = {**key.stated, "SHA-256": key.sha256, "revision": key.revision}
    file = model.plan.files.get(key.sha256 or key.revision or "") if model.plan else None
    if file:
        named["file"] = Path(file).name
    listed = ", ".join(f"{name} {value}" for name, value in named.items() if value is not None)
    return meaning + (f" ({listed})" if listed else "")


def _use(model: "Model", form: FormName) -> Iterator[str]:
    written = form_called(form)
    yield f"## Use\n\n    {written.NEEDS}"
    yield f"```python\n{written.snippet(model)}```"
    yield (
        "Here the working directory is this folder; `wave` is a NumPy array `[B, T]`, float32 in [-1, 1], at"
        f" {model.net.sample_rate:,} Hz; and `z` is `[B, {model.net.embedding_dim}]`."
    )


def _training(model: "Model") -> Iterator[str]:
    """Data, method and schedule of the pretraining."""
    yield "## Training"
    pretraining = model.pretraining
    if not pretraining:
        source = _component(WEIGHTS, model.config.weights.kind)
        untrained = bool(source and source.untrained)
        others = "The benchmark did not train these weights. What they were trained on is not audited."
        yield "These weights have learned nothing." if untrained else others
        return
    left_out = ", ".join(f"{count:,} {why}" for why, count in pretraining["excluded"].items() if count)
    rows = {
        "corpus": f"`{_yaml_line(pretraining['corpus'])}`" if pretraining["corpus"] else "not known",
        "clips": f"{pretraining['clips']:,} used" + (f"; left out: {left_out}" if left_out else ""),
        "left out by recording": ", ".join(f"`{_yaml_line(task)}`" for task in pretraining["exclude"]) or "nothing",
        "method": f"`{_yaml_line(pretraining['method'])}`",
        "augmentations": ", ".join(f"`{_yaml_line(one)}`" for one in pretraining["augment"]) or "none",
        "schedule": f"`{_yaml_line(pretraining['training'])}`",
        "seed": str(pretraining["seed"]),
        "loss": f"{pretraining['loss']:.4g}, mean over the last epoch",
        "took": f"{pretraining['seconds']:,.0f} s on {pretraining['environment']['device'] or 'a device not stated'}",
    }
    if pretraining["kept_epoch"] is not None:
        rows["weights kept"] = f"of epoch {pretraining['kept_epoch']}"
    yield _table(["", ""], list(rows.items()))


def _figures(model: "Model", table: Table | None, cells: Sequence[Cell]) -> Iterator[str]:
    """The figures, as the leaderboard has them."""
    yield "## Figures"
    if table is None:
        yield "This model was exported from a folder, which holds no records: the card of its entry has the figures."
        return
    if not cells:
        yield f"No evaluation of this entry of the suite {table.name} is finished."
        return
    control = table.facts.control_of(model.name)
    compared = any(cell.against_control for cell in cells)
    unseen = any(cell.unseen for cell in cells)
    head = ["task", "protocol", "metric", "figure [95 %]", "selection", "folds", "clips"]
    head += [f"minus {control} [95 %]"] * compared + ["unseen [95 %]"] * unseen
    rows = [[*_row(cell), *_others(cell, compared=compared, unseen=unseen)] for cell in cells]
    yield _table(head, rows)
    yield "\n".join(f"- {sentence}" for sentence in _remarks(model, table, cells))


def _row(cell: Cell) -> list[str]:
    assert cell.mean is not None
    figure = bounds(cell.interval, cell.metric) if cell.interval else cell.metric.write(cell.mean)[0]
    folds = f"{cell.folds} of {cell.official_folds}"
    named = map(plain_markdown, (cell.task, cell.protocol, cell.metric.name))
    return [*named, figure, cell.selection, folds, f"{cell.clips:,}"]


def _others(cell: Cell, *, compared: bool, unseen: bool) -> Iterator[str]:
    if compared:
        yield bounds(cell.against_control.difference, cell.metric, "+") if cell.against_control else ""
    if unseen:
        yield bounds(cell.unseen, cell.metric) if cell.unseen else ""


def _remarks(model: "Model", table: Table, cells: Sequence[Cell]) -> Iterator[str]:
    """What the figures are of, and how the epoch was selected."""
    facts = table.facts
    assert model.plan
    scale = f" --scale {facts.scale}" if facts.scale else ""
    yield f"`audiobench leaderboard {facts.suite}{scale}` makes these figures from the records of the suite."
    seeds = max(cell.seeds for cell in cells)
    if seeds > 1:
        yield f"Figures are means over {seeds} seeds. The weights here are those of seed {facts.seeds[0]}."
    jobs = {row.protocol: model.plan.evaluation(row) for row in model.plan.rows if row.entry == model.name}
    for protocol in dict.fromkeys(cell.protocol for cell in cells):
        judged = _component(PROTOCOLS, jobs[protocol].config.protocol.name)
        if judged and judged.trains_encoder:
            named = plain_markdown(protocol)
            yield f"{named} trains the encoder further in each fold. The weights here are those from before."
    yield "Intervals are a bootstrap over recordings within folds, and over seeds where there are several."
    for rule in dict.fromkeys(cell.selection for cell in cells):
        of_k = all(cell.k for cell in cells if cell.selection == rule)
        meaning = "K chosen by cross-validation inside the training folds." if of_k else MEANING[rule]
        yield f"{rule}: {meaning}"
    by_clip = dict.fromkeys(cell.task for cell in cells if not cell.by_recording)
    if by_clip:
        named = ", ".join(map(plain_markdown, by_clip))
        yield f"Of {named} intervals are by clip, and too narrow where clips share a recording."


def _data(model: "Model", cells: Sequence[Cell]) -> Iterator[str]:
    """Overlaps of what was trained on with what was tested on, and the licences of the data."""
    yield "## Data"
    found = overlaps(list(cells))
    if found:
        yield "\n".join(f"- {plain_markdown(sentence)}" for sentence in found)
    elif model.pretraining and cells:
        yield "The records found no test recording among the clips of the pretraining."
    corpus = model.pretraining and model.pretraining["corpus"]
    uses: dict[str, list[str]] = {corpus["name"]: ["pretraining"]} if corpus else {}
    for name in dict.fromkeys(_task_of(model, cell) for cell in cells):
        uses.setdefault(name, []).append("evaluation")
    rows = [[plain_markdown(name), " and ".join(of_name), *_of_task(name)] for name, of_name in uses.items()]
    if rows:
        yield _table(["data set", "used in", "licence", "source"], rows)
    yield "The licence of the weights is their owner's to state: add `license` to the metadata of this file."


def _task_of(model: "Model", cell: Cell) -> str:
    assert model.plan
    column = cell.task if cell.task in model.plan.facts.tasks else cell.task.split(" (data ")[0]
    return model.plan.facts.tasks[column].name


def _of_task(name: str) -> tuple[str, str]:
    """Licence and source of a data set."""
    task = _component(TASKS, name)
    return (task.licence, " ".join(filter(None, [task.source, task.url]))) if task else ("not stated", "not stated")


def _origin(model: "Model", table: Table | None) -> Iterator[str]:
    """Versions, and what to cite."""
    packages = {name: version(name) for name in ("audiobench", "torch")}
    trained = (model.pretraining or {}).get("environment", {}).get("versions", {})
    rows = [["exported", ", ".join(f"{name} {number}" for name, number in packages.items())]]
    if trained:
        rows.append(["pretrained", ", ".join(f"{name} {number}" for name, number in trained.items())])
    rows.append(["digest of the model", model.digest])
    yield "## Versions\n\n" + _table(["", ""], rows)
    sources = {"encoder": model.config.encoder.component.source, "front end": model.config.frontend.component.source}
    if model.pretraining:
        name = model.pretraining["method"]["name"]
        method = _component(METHODS, name)
        sources[f"method, {name}"] = method.source if method else "not stated"
    if table and table.facts.reproduces:
        sources["table that the suite reproduces"] = table.facts.reproduces
    cited = "\n".join(f"- {what}: {source}" for what, source in sources.items())
    yield f"## To cite\n\n{cited}"


def _component(kind: Kind[C], name: str) -> type[C] | None:
    """The component with a name; None if it is a plugin's, and the plugin is not here."""
    try:
        return kind.find(name)
    except Mistake:
        return None


def _yaml_line(component: "Choice[Any] | Mapping[str, Any]") -> str:
    """A component, or settings, as a suite has them, in one line."""
    config = component.config if isinstance(component, Choice) else component
    import yaml

    plain = yaml.safe_dump(_without_versions(config), default_flow_style=True, sort_keys=False, width=10**6)
    return plain.strip()


def _without_versions(config: Any) -> Any:
    if isinstance(config, Mapping):
        return {name: _without_versions(value) for name, value in config.items() if name != "version"}
    return [_without_versions(value) for value in config] if isinstance(config, list | tuple) else config


def _yaml(plain: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(dict(plain), sort_keys=False, allow_unicode=True, width=10**6)


_BAR = re.compile(r"(?<!\\)\|")  # one that is not escaped


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, [":--"] * len(head), *rows]
    rows_of_text = (" | ".join(_BAR.sub(r"\|", cell) for cell in line) for line in lines)
    return "\n".join(f"| {row} |" for row in rows_of_text)
