"""What an ONNX file says of itself, read from its bytes: no graph is built, no library needed."""

from __future__ import annotations

from collections.abc import Iterator

from emotemporal.models.meta import (
    CheckpointError,
    CheckpointMeta,
    Storage,
    parse_meta,
    parse_storage,
)

_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2  # onnx.proto: ModelProto, StringStringEntryProto
_VARINT, _EIGHT_BYTES, _COUNTED, _FOUR_BYTES = 0, 1, 2, 5


def read_entries(content: bytes) -> dict[str, str]:
    """Return the entries of an ONNX file's metadata.

    Raises:
        CheckpointError: The bytes are no such file, or cut off.

    Source: protobuf.dev, "Encoding"; onnx.proto.
    """
    try:
        entries = [value for number, value in _fields(content) if number == _METADATA_PROPS]
        pairs = [dict(_fields(entry)) for entry in entries]
        return {bytes(p[_KEY]).decode(): bytes(p[_VALUE]).decode() for p in pairs}
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"it is not an ONNX graph of emotemporal ({type(error).__name__}: {error}); "
            "'emotemporal export' writes those"
        ) from error


def describe_graph(entries: dict[str, str]) -> tuple[CheckpointMeta, Storage]:
    """Return the description among a file's entries, and how it keeps its weights.

    Raises:
        CheckpointError: There is none, or it cannot be used.
    """
    try:
        return parse_meta(entries), parse_storage(entries)
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"it is not an ONNX graph of emotemporal ({type(error).__name__}: {error}); "
            "'emotemporal export' writes those"
        ) from error


def _fields(content: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """Give each field's number and, where it is counted bytes, those."""
    view, at = memoryview(content), 0
    while at < len(view):
        tag, at = _varint(view, at)
        kind, end = tag & 7, at
        if kind == _COUNTED:
            length, at = _varint(view, at)
            end = at + length
        elif kind == _VARINT:
            _, end = _varint(view, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            end = at + (8 if kind == _EIGHT_BYTES else 4)
        else:
            raise IndexError(f"field of unknown kind {kind}")
        if end > len(view):
            raise IndexError("cut off")
        yield tag >> 3, view[at:end]
        at = end


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise IndexError("a number that does not end")
