"""Arrays from `.npy` and `.npz` files that anybody may have written. Nothing is unpickled."""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from emotemporal.reading import UnreadableError

MAX_ARRAY_BYTES = 4 << 30
"""Ten minutes of 224 px crops at 25 frames a second are half of it."""
_BROKEN = (
    *(OSError, KeyError, ValueError, TypeError, EOFError, OverflowError, NotImplementedError),
    *(RuntimeError, SystemError, MemoryError, SyntaxError),
    *(tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
"""How numpy and zipfile tell of a file that is damaged, encrypted or of another kind."""


def read_array(path: Path) -> np.ndarray:
    """Read a `.npy` file.

    Raises:
        FileNotFoundError: There is no such file.
        UnreadableError: It is damaged, of Python objects, or larger than `MAX_ARRAY_BYTES`.
    """
    try:
        with path.open("rb") as file:
            return _read(file, path.stat().st_size)
    except FileNotFoundError:
        raise
    except _BROKEN as error:
        raise UnreadableError(f"{path}: damaged, or no array ({error})") from error


def read_arrays(path: Path, *names: str) -> list[np.ndarray]:
    """Read arrays of a `.npz` file by their names.

    What an array's own header declares is compared with the archive's word before any memory is
    taken for it.

    Raises:
        FileNotFoundError: There is no such file.
        UnreadableError: It is damaged, lacks one, or one is of Python objects or too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [_read_member(archive, f"{name}.npy") for name in names]
    except FileNotFoundError:
        raise
    except _BROKEN as error:
        raise UnreadableError(f"{path}: damaged ({error})") from error


def _read_member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    declared = archive.getinfo(name).file_size
    if declared > MAX_ARRAY_BYTES:
        raise ValueError(f"{name} is {declared >> 20} MB; at most {MAX_ARRAY_BYTES >> 20} are read")
    with archive.open(name) as file:
        return _read(file, declared)


def _read(file: IO[bytes], size: int) -> np.ndarray:
    """Read an array from a stream of `size` bytes; its header has to account for all of them."""
    version = npy.read_magic(file)
    if version == (1, 0):
        shape, is_fortran, dtype = npy.read_array_header_1_0(file)
    else:
        shape, is_fortran, dtype = npy.read_array_header_2_0(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which only unpickling could read")
    num_bytes = math.prod(shape) * dtype.itemsize
    if not (min(shape, default=0) >= 0 and num_bytes + file.tell() == size <= MAX_ARRAY_BYTES):
        raise ValueError(f"its header tells of {num_bytes} bytes, in {size} with the header")
    data = io.BytesIO(file.read(num_bytes + 1)).getbuffer()
    flat = np.frombuffer(data, dtype=dtype, count=math.prod(shape))
    return np.array(flat.reshape(shape, order="F" if is_fortran else "C"))
