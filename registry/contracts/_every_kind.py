"""The checks of every kind: what a component says about itself, and its settings."""

import inspect
import json

from registry.contracts import Broken, Specimen
from registry.lookup import AnyComponent, Choice
from registry.settings import Settings


def says_what_it_is(specimen: Specimen[AnyComponent]) -> str:
    """It has a docstring of its own, whose first line lists show."""
    said = specimen.component.__doc__
    if not said or not said.strip():
        raise Broken("a docstring", "none", 'write one below the class: """What it is."""')
    return (inspect.getdoc(specimen.component) or "").splitlines()[0]


def states_its_source(specimen: Specimen[AnyComponent]) -> str:
    """It says where it comes from: a paper and its section, or a repository."""
    source = specimen.component.source
    if not isinstance(source, str) or source.strip() in ("", "not stated"):
        raise Broken("a source", repr(source), 'source = "Author et al. YEAR", or whose code it is')
    return source


def has_a_version(specimen: Specimen[AnyComponent]) -> str:
    """Its version, which is part of job keys, is a whole number from 1 on."""
    version = specimen.component.version
    if type(version) is not int or version < 1:
        raise Broken("a whole number, 1 or more", repr(version), "version = 1, and 1 more with every change of figures")
    return str(version)


def describes_its_settings(specimen: Specimen[AnyComponent]) -> str:
    """Every setting has a description, which ``audiobench show`` prints."""
    fields = specimen.component.Config.model_fields
    bare = [name for name, field in fields.items() if not field.description]
    if bare:
        raise Broken("a description of each", f"none of {', '.join(bare)}", 'Field(..., description="what it does")')
    return f"{len(fields)} of {len(fields)}"


def settings_are_plain(specimen: Specimen[AnyComponent]) -> str:
    """Its settings are valid, forbid what they do not know, and are the same after they were stored as JSON."""
    config = specimen.component.Config
    if not issubclass(config, Settings):
        raise Broken("class Config(Settings)", f"a {config.__mro__[1].__name__}", "from audiobench import Settings")
    try:
        choice = specimen.choice
    except ValueError as error:
        raise Broken("valid defaults", str(error), "give every setting a default that its own checks accept") from error
    try:
        stored = Choice(specimen.kind, json.loads(json.dumps(choice.config)))
    except TypeError as error:
        raise Broken("settings that JSON can hold", str(error), "use numbers, words, lists and mappings") from error
    if stored.settings.canonical() != choice.settings.canonical():
        raise Broken(
            "the same settings from their stored form",
            f"{stored.settings.canonical()} of {choice.settings.canonical()}",
            "check settings in validators, and do not change those that are right",
        )
    return f"{len(config.model_fields)} settings"
