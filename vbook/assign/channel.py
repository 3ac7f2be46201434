"""What the grader and a worker say to each other: JSON beside raw arrays, in frames of bounded size.

Nothing in a frame can be executed: JSON, and arrays as safetensors (no pickle; no compression that could unfold without end).
This module is read on both sides and knows nothing else of the book.
"""

import json
import struct

import numpy as np
from safetensors.numpy import load, save

HEAD = struct.Struct(">QQ")  # bytes of JSON, bytes of arrays
JSON_LIMIT, ARRAY_LIMIT = 1 << 20, 1 << 25
_KINDS = {"f": np.float64, "i": np.int64, "u": np.int64, "b": np.bool_}


class Unreadable(Exception):
    """Bytes that are no frame."""


def pack(message: dict, arrays: dict[str, np.ndarray] | None = None) -> bytes:
    """One frame: a JSON object and named arrays of float64, float32, int64 or bool."""
    text = json.dumps(message).encode()
    block = save({name: np.array(array, order="C") for name, array in arrays.items()}) if arrays else b""
    if len(text) > JSON_LIMIT or len(block) > ARRAY_LIMIT:
        raise Unreadable("larger than a frame may be")
    return HEAD.pack(len(text), len(block)) + text + block


def sizes(head: bytes) -> tuple[int, int]:
    """The two sizes that ``head`` announces; Unreadable where they are beyond the limits."""
    text, block = HEAD.unpack(head)
    if text > JSON_LIMIT or block > ARRAY_LIMIT:
        raise Unreadable("larger than a frame may be")
    return text, block


def unpack(text: bytes, block: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """The message and the arrays of one frame; Unreadable for whatever is neither."""
    try:
        message = json.loads(text)
        arrays = load(block) if block else {}
    except Exception as error:  # a forger's bytes may break a parser in any way
        raise Unreadable(f"{type(error).__name__} while reading") from None
    if not isinstance(message, dict):
        raise Unreadable("no JSON object")
    return message, arrays


def wire_type(array: np.ndarray) -> np.ndarray:
    """``array`` in one of the types that answers travel in; TypeError for text, objects and complex numbers."""
    if array.dtype.kind not in _KINDS:
        raise TypeError(f"an array of {array.dtype}")
    return array.astype(_KINDS[array.dtype.kind])
