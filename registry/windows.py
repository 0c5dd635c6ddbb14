"""How much of a clip is embedded at once: a window of some length, or the whole clip. Nothing here imports torch."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

_LONGEST = 3600.0  # seconds

Window = int | Literal["whole"]  # samples of a window; or the whole clip in one piece
Seconds = Annotated[float, Field(gt=0, le=_LONGEST)]


def _form(crop: Any) -> str | None:
    """Which of the two forms a value is meant to have; None for another word."""
    if crop == "whole":
        return "whole"
    try:
        float(crop if isinstance(crop, str) else 0)
    except ValueError:
        return None
    return "float"


# Seconds, or the word whole. A wrong value is one error, although the type is a union.
Crop = Annotated[
    Annotated[Seconds, Tag("float")] | Annotated[Literal["whole"], Tag("whole")],
    Discriminator(_form, custom_error_type="crop", custom_error_message="Input should be seconds, or the word whole"),
]
