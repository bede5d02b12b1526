"""Ways in which a file can be wrong: turned bits, lengths that lie, lost pieces, biting words."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

Mutation = Callable[[bytes, random.Random], bytes]

_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)
_LENGTHS = (0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000000, 65536)
_WORDS = (
    b"nan", b"inf", b"-1", b"1e400", b"99999999999999999999", b"null", b"true", b"[]", b"{}",
    b'""', b"../../outside", b"/etc/passwd", b"\x00", b"\xff\xfe", b"\n", b",", b'"', b"'",
    b"&a [*a]", b"!!python/object/apply:os.system ['true']", b"[" * 3000, b'{"a":' * 3000,
    b"A" * 200_000, b": ", b"- ", b"\xef\xbb\xbf", b"%s%n", b"\r", b"\xe2\x80\xa8",
)  # fmt: skip


def flip_bits(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def set_bytes(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 2, 8))):
        changed[draw.randrange(len(changed))] = draw.choice(_INTERESTING)
    return bytes(changed)


def lie_about_a_length(data: bytes, draw: random.Random) -> bytes:
    width = draw.choice((2, 4, 8))
    at = draw.randrange(max(1, len(data) - width))
    order = draw.choice(("little", "big"))
    value = draw.choice(_LENGTHS) % (1 << 8 * width)
    return data[:at] + value.to_bytes(width, order) + data[at + width :]  # type: ignore[arg-type]


def cut_off(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def lose_a_piece(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    return data[:start] + data[start + draw.choice((1, 4, 64, 1024)) :]


def repeat_a_piece(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    piece = data[start : start + draw.choice((1, 4, 64, 1024))]
    return data[:start] + piece * draw.choice((2, 3, 50)) + data[start:]


def insert_noise(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.randbytes(draw.choice((1, 4, 256))) + data[at:]


def zero_a_piece(data: bytes, draw: random.Random) -> bytes:
    start, length = draw.randrange(len(data)), draw.choice((16, 512, 4096))
    return data[:start] + bytes(len(data[start : start + length])) + data[start + length :]


def insert_a_word(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(_WORDS) + data[at:]


def replace_a_token(data: bytes, draw: random.Random) -> bytes:
    """Put a word in the place of what stands between two separators."""
    edges = [i for i, byte in enumerate(data[:200_000]) if byte in b',:"\n [{']
    if len(edges) < 2:
        return insert_a_word(data, draw)
    i = draw.randrange(len(edges) - 1)
    return data[: edges[i] + 1] + draw.choice(_WORDS) + data[edges[i + 1] :]


BINARY: Sequence[Mutation] = (
    flip_bits, set_bytes, lie_about_a_length, cut_off, lose_a_piece, repeat_a_piece, insert_noise,
    zero_a_piece,
)  # fmt: skip
TEXT: Sequence[Mutation] = (
    flip_bits, set_bytes, cut_off, lose_a_piece, repeat_a_piece, insert_a_word, replace_a_token,
    replace_a_token,
)  # fmt: skip


def mutate(
    data: bytes, seed: str, ways: Sequence[Mutation], at_most: int | None = None
) -> tuple[str, bytes]:
    """Return how a file was changed, and the changed bytes; the same seed gives the same ones.

    Args:
        data: What is whole.
        seed: Of the draws.
        ways: Mutations to choose from; one to three are made.
        at_most: Change only so many of the first bytes, where a file's head is of interest.
    """
    draw = random.Random(seed)
    head, tail = (data, b"") if at_most is None else (data[:at_most], data[at_most:])
    names = []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        way = draw.choice(ways)
        head = way(head or b"\0", draw)
        names.append(way.__name__)
        if way is cut_off:
            tail = b""
    return "+".join(names), head + tail
