"""Files made to hurt: bombs, code, paths that lead elsewhere, indexes that never end."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from tests.faults.seeds import prepared_note

TRAP = "it_ran"


class RunsWhenRead:
    """A pickle that makes a file when it is read."""

    def __init__(self, folder: Path) -> None:
        self._trap = folder / TRAP

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._trap,)


def npy_header(shape: str, descr: str = "|u1") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def npz(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def zeros_npz(num_megabytes: int) -> bytes:
    """A small archive whose array and list of contents both tell of many megabytes."""
    head = npy_header(f"({num_megabytes}, 1024, 1024)")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("crops.npy", "w", force_zip64=True) as member:
            member.write(head + bytes(1 << 24))
        archive.getinfo("crops.npy").file_size = len(head) + (num_megabytes << 20)
    return out.getvalue()


def object_array(folder: Path) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([RunsWhenRead(folder)], dtype=object), allow_pickle=True)
    return out.getvalue()


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def safetensors(head: bytes, length: int | None = None, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(head) if length is None else length) + head + data


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


def nested_boxes(depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = box(b"trak", body)
    return box(b"ftyp", b"isom0000") + box(b"moov", body)


def yaml_bomb(levels: int = 12) -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines).encode()


def torch_pickle(folder: Path) -> bytes:
    out = io.BytesIO()
    torch.save({"state_dict": RunsWhenRead(folder)}, out)
    return out.getvalue()


def avi_of(num_frames: int, whole: bytes) -> bytes:
    at = whole.index(b"strh") + 40
    return whole[:at] + struct.pack("<I", num_frames) + whole[at + 4 :]


def with_outside_data(graph: bytes) -> bytes:
    """Return a graph one of whose weights lies in a file of the machine."""
    import onnx

    model = onnx.load_from_string(graph)
    weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "../../../../../../etc/passwd"), ("offset", "0")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    return bytes(model.SerializeToString())


def that_asks_for_memory(graph: bytes) -> bytes:
    """Return a graph that fills a terabyte before it answers."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(graph)
    shape = numpy_helper.from_array(np.array([1 << 20, 1 << 20], np.int64), "bomb_shape")
    model.graph.initializer.append(shape)
    first = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["inner" if name == first else name for name in node.output]
    model.graph.node.extend(
        [
            helper.make_node("ConstantOfShape", ["bomb_shape"], ["bomb"]),
            helper.make_node("ReduceMax", ["bomb"], ["top"], keepdims=0),
            helper.make_node("Add", ["inner", "top"], [first]),
        ]
    )
    return bytes(model.SerializeToString())


DEEP = b"[" * 100_000
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(it_ran) (w) file closefile showpage\n"


def hostile_files(folder: Path, seeds: Mapping[str, bytes]) -> dict[str, tuple[str, bytes]]:
    """Return name -> the kind of file it claims to be, and its bytes; none may be read."""
    zip_of_trap = npz({"crops.npy": object_array(folder), "times_s.npy": b""})
    note = prepared_note()
    return {
        "npz that declares a petabyte": (
            "npz",
            npz({"crops.npy": npy_header("(1000000, 1000000, 1000)"), "times_s.npy": b""}),
        ),
        "npz of negative shape": ("npz", npz({"crops.npy": npy_header("(-1, 3)") + b"abc"})),
        "npz that tells of two gigabytes and has less": ("npz", zeros_npz(2000)),
        "npz of five gigabytes": ("npz", zeros_npz(5000)),
        "npz with a pickle": ("npz", zip_of_trap),
        "pickle named npz": ("npz", pickle.dumps(RunsWhenRead(folder))),
        "npy that declares a petabyte": ("npy-kept", npy_header("(1000000, 1000000, 1000)")),
        "npy with a pickle": ("npy-kept", object_array(folder)),
        "label with a pickle": ("npy-label", object_array(folder)),
        "npy with a deep header": ("npy-kept", npy_header("(" * 9000)),
        "png of 60000 x 60000": ("png", png(60_000, 60_000)),
        "png with a text bomb": (
            "png",
            png(8, 8, (b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 28)))),
        ),
        "eps named jpg": ("jpeg", EPS),
        "mp4 of ten thousand nested boxes": ("mp4", nested_boxes(10_000)),
        "mp4 with an empty index": ("mp4", box(b"ftyp", b"isom0000") + box(b"moov", b"")),
        "mp4 with a short mvhd": (
            "mp4",
            box(b"ftyp", b"isom0000")
            + box(b"moov", box(b"mvhd", b"\0") + box(b"trak", box(b"hdlr", bytes(8) + b"vide"))),
        ),
        "mp4 of tiny boxes": ("mp4", box(b"ftyp", b"isom0000") + b"\0\0\0\2free" * 200_000),
        "avi of four billion frames": ("avi", avi_of(0xFFFFFFFF, seeds["avi"])),
        "avi without streams": ("avi", b"RIFF\x04\0\0\0AVI "),
        "safetensors with an endless header": ("checkpoint", safetensors(b"{}", 1 << 62)),
        "safetensors with a deep header": ("checkpoint", safetensors(DEEP)),
        "state with a deep header": ("state", safetensors(DEEP)),
        "safetensors that declares a petabyte": (
            "checkpoint",
            safetensors(
                json.dumps(
                    {"a": {"dtype": "F32", "shape": [1 << 48], "data_offsets": [0, 1 << 50]}}
                ).encode()
            ),
        ),
        "checkpoint that is a pickle": ("checkpoint", torch_pickle(folder)),
        "state that is a pickle": ("state", torch_pickle(folder)),
        "weights that are a pickle": ("init-pth", torch_pickle(folder)),
        "weights that are a plain pickle": ("init-pth", pickle.dumps(RunsWhenRead(folder))),
        "config that grows without end": ("config-yaml", yaml_bomb()),
        "grid that grows without end": ("grid-yaml", yaml_bomb()),
        "config within itself": ("config-yaml", b"data: &a [*a]"),
        "deep config": ("config-yaml", b"data: " + DEEP),
        "config with code": (
            "config-yaml",
            f"data: !!python/object/apply:os.system ['touch {folder / TRAP}']".encode(),
        ),
        "config with a class path": (
            "config-yaml",
            b"data: {class_path: os.system, init_args: {command: 'true'}}",
        ),
        "deep card": ("card", DEEP),
        "deep prior": ("prior", DEEP),
        "deep note": ("prepare-json", DEEP),
        "note of another table": (
            "prepare-json",
            json.dumps({**note, "clips_digest": "0" * 64}).encode(),
        ),
        "table of paths that lead out": (
            "manifest",
            b"path,label,subject\n../../../../etc/passwd.mp4,anger,a\n/etc/b.mp4,anger,a\n",
        ),
        "list of paths that lead out": (
            "affectnet-csv",
            seeds["affectnet-csv"].replace(b"1/0.jpg", b"../../../etc/passwd"),
        ),
        "cell of a gigabyte's beginning": (
            "truth-csv",
            b"source,start_s\n" + b'"' + b"a" * (1 << 22),
        ),
        "graph with a weight in another file": ("onnx", with_outside_data(seeds["onnx"])),
        "graph that asks for a terabyte": ("onnx", that_asks_for_memory(seeds["onnx"])),
        "graph that is a pickle": ("onnx", pickle.dumps(RunsWhenRead(folder))),
        "empty graph": ("onnx", b""),
        "empty image": ("jpeg", b""),
        "empty video": ("mp4", b""),
    }
