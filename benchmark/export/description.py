"""What ``audiobench.json`` states of an exported model: all but the weights. A net is made from it again."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from benchmark.export.exported import Exported
from benchmark.store.integrity import own_digest, require_schema
from registry.errors import Mistake
from registry.lookup import ENCODERS, FRONTENDS, AnyComponent, Choice
from registry.windows import Window

if TYPE_CHECKING:
    from registry.net import Net

SCHEMA = 1
DESCRIPTION = "audiobench.json"


def described(model: Exported) -> dict[str, Any]:
    """The content of ``audiobench.json``, as plain data.

    It names the components with their versions and settings, and states the statistics of a front end that normalises
    by them, and its own digest. With ``blank_net`` it makes the net again, without its weights.
    """
    net, config = model.net, model.config
    measured = net.views.frontend.measured()
    stated = {
        "schema": SCHEMA,
        "audiobench": version("audiobench"),
        "name": model.name,
        "encoder": dict(config.encoder.config),
        "frontend": dict(config.frontend.config),
        "statistics": {name: [module.mean, module.std] for name, module in measured.items()},
        "sample_rate": net.sample_rate,
        "window_samples": net.window_samples,
        "samples": model.samples,
        "embedding_dim": net.embedding_dim,
        "parts": dict(net.encoder.parts),
        "weights": config.weights.model_dump(exclude_unset=True),
        "pretraining": model.pretraining,
        "digest": model.digest,
    }
    return {**stated, "sha256": own_digest(stated)}


def blank_net(description: Mapping[str, Any]) -> "Net":
    """The net that a description names, on torch's default device, before its weights are loaded.

    Args:
        description: as ``described`` gives it.

    Raises:
        Mistake: if a newer audiobench wrote it, a component is not here or of another version, it is no description, or
            it differs from its own digest; older ones have none.
    """
    from benchmark.jobs.model import build_encoder, build_views
    from registry.net import Net

    require_schema(description.get("schema"), SCHEMA, "description of a model", "export the model again")
    encoder, frontend = components(description)
    for choice in (encoder, frontend):
        require_version(choice, "export the model again, or install the audiobench that wrote it")
    views = build_views(frontend, statistics=description["statistics"])
    window: Window = "whole" if description["window_samples"] == "whole" else int(description["window_samples"])
    made = build_encoder(encoder, views.frontend)
    if "sha256" in description and description["sha256"] != own_digest(dict(description)):
        raise Mistake("this description is not what was written: it differs from its own digest")
    return Net(views.frontend, made, window)


def components(description: Mapping[str, Any]) -> tuple[Choice[Any], Choice[Any]]:
    """The encoder and the front end that a description names."""
    return Choice(ENCODERS, description["encoder"]), Choice(FRONTENDS, description["frontend"])


def require_version(choice: Choice[AnyComponent], fix: str) -> None:
    """Refuses a component that, or a part of which, is no longer what stored weights were made with.

    Args:
        choice: with its stored settings and version.
        fix: what to do.
    """
    try:
        now = Choice.of(choice.kind, choice.name, choice.settings).config
    except Mistake as mistake:
        is_known = choice.name in choice.kind.names()
        raise Mistake(mistake.what, fix=fix if is_known else f"name its plugin: --plugin FILE; {mistake.fix}") from None
    for (name, stored), (_, here) in zip(_versions(choice.config), _versions(now), strict=False):
        if stored != here:
            raise Mistake(f"{name} is of version {here}, and its weights are of version {stored}", fix=fix)


def _versions(config: Any) -> Iterator[tuple[str, int | str]]:
    """Name and version of a component and of those in its settings."""
    if isinstance(config, Mapping):
        if "version" in config:
            yield config["name"], config["version"]
        for value in config.values():
            yield from _versions(value)
    elif isinstance(config, list):
        for value in config:
            yield from _versions(value)
