"""``audiobench schema``."""


def schema() -> None:
    """Print the JSON Schema of suite files, for editors."""
    import json

    from benchmark.suite.schema import suite_schema

    print(json.dumps(suite_schema(), indent=1))
