"""Reads the file of a run that Weights & Biases wrote offline: protocol buffers in LevelDB's log format."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK, _HEADER = 32768, 7
_FULL, _LAST = 1, 4


def _messages(content: bytes) -> Iterator[bytes]:
    at, parts = _HEADER, b""  # the file begins with a header of as many bytes as a record's
    while at + _HEADER <= len(content):
        if _BLOCK - at % _BLOCK < _HEADER:  # the end of a block is too short for a header
            at += _BLOCK - at % _BLOCK
            continue
        _, size, kind = struct.unpack("<IHB", content[at : at + _HEADER])
        parts += content[at + _HEADER : at + _HEADER + size]
        at += _HEADER + size
        if kind in (_FULL, _LAST):
            yield parts
            parts = b""


def read(path: Path) -> dict[str, Any]:
    """``run`` (its message), ``config``, ``history`` (a row for each step), ``summary`` and ``exit`` of a run."""
    from wandb.proto.wandb_internal_pb2 import Record

    found: dict[str, Any] = {"config": {}, "history": [], "summary": {}, "exit": None}
    for message in _messages(path.read_bytes()):
        record = Record.FromString(message)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            found["run"] = record.run
            found["config"] |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        elif kind == "history":
            row = {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            found["history"].append({"step": record.history.step.num, **row})
        elif kind == "summary":
            found["summary"] |= {
                item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.summary.update
            }
        elif kind == "exit":
            found["exit"] = record.exit.exit_code
    return found
