"""Recognises that memory was short: libraries say so by errors of many types."""

import errno

_SAID = ("can't allocate memory", "not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")  # by torch


def shortage(error: BaseException) -> str:
    """What was too small, in words, if an error says that memory was short; else empty."""
    text = str(error)
    if type(error).__name__ == "OutOfMemoryError":  # torch's, and a finished suite must not load torch
        return "the GPU's memory"
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return "the memory"
    if isinstance(error, RuntimeError) and any(words in text for words in _SAID):
        return "the GPU's memory" if "CU" in text else "the memory"
    return ""
