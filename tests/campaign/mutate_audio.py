"""Damage to audio files, as disks, networks and programs do it, and worse."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable

from . import seeds

Mutation = Callable[[bytearray, random.Random, bytes], bytes]

HEADER_BYTES = 256
_INTEGERS = (
    0,
    1,
    2,
    3,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFE,
    0xFFFFFFFF,
)
_FLOATS = (float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 3e18, 1e10, 1001.0, 1e-40)
_CHUNK = re.compile(rb"[A-Za-z][A-Za-z0-9 ]{3}")


def flip_header_bits(data: bytearray, rng: random.Random, _: bytes) -> bytes:
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        data[rng.randrange(min(len(data), HEADER_BYTES))] ^= 1 << rng.randrange(8)
    return bytes(data)


def flip_bits(data: bytearray, rng: random.Random, _: bytes) -> bytes:
    for _ in range(rng.choice([1, 10, 200])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def extreme_header_field(data: bytearray, rng: random.Random, _: bytes) -> bytes:
    width = rng.choice([1, 2, 4, 8])
    at = rng.randrange(min(len(data), HEADER_BYTES) - width)
    value = rng.choice([*_INTEGERS, rng.randrange(2**32)]) & (2 ** (8 * width) - 1)
    data[at : at + width] = value.to_bytes(width, rng.choice(["little", "big"]))
    return bytes(data)


def sample_rate(data: bytearray, rng: random.Random, _: bytes) -> bytes:
    rate = rng.choice(
        [1, 2, 30, 100, 3000, 3363, 3999, 5_600_000, 11_000_000, 2**31 - 1, rng.randrange(2**24)]
    )
    for old, new in _rate_fields(rate):
        at = data.find(old)
        if 0 <= at < 4 * HEADER_BYTES:
            data[at : at + len(old)] = new
            return bytes(data)
    return extreme_header_field(data, rng, _)


def _rate_fields(rate: int) -> list[tuple[bytes, bytes]]:
    """Return how the seeds' sample rate may stand in a header, and `rate` the same way."""
    layouts = ("<I", ">I", "<f", ">d")  # of most, of AU and CAF's integers, of IRCAM, of CAF
    fields = [(struct.pack(code, seeds.RATE_HZ), struct.pack(code, rate)) for code in layouts]
    return [*fields, (_extended(seeds.RATE_HZ), _extended(rate))]


def _extended(rate: int) -> bytes:
    """Return the ten bytes of an AIFF's sample rate."""
    exponent = rate.bit_length() - 1
    return struct.pack(">HQ", 16383 + exponent, rate << (63 - exponent))


def truncate(data: bytearray, rng: random.Random, _: bytes) -> bytes:
    return bytes(data[: rng.randrange(rng.choice([HEADER_BYTES, len(data)]))])


def cut_off_the_end(data: bytearray, rng: random.Random, _: bytes) -> bytes:
    return bytes(data[: -rng.choice([1, 2, 3, 5, 64, 1000])])


def chunk_size(data: bytearray, rng: random.Random, _: bytes) -> bytes:
    places = [m.end() for m in _CHUNK.finditer(data[:2000]) if m.end() + 8 < len(data)]
    if not places:
        return extreme_header_field(data, rng, _)
    at = rng.choice(places)
    order = rng.choice(["<", ">"])
    (size,) = struct.unpack_from(order + "I", data, at)
    changed = rng.choice([*_INTEGERS, size + 1, size - 1, size * 2, size // 2, rng.randrange(2**32)]) % 2**32
    struct.pack_into(order + "I", data, at, changed)
    return bytes(data)


def join(data: bytearray, rng: random.Random, other: bytes) -> bytes:
    return bytes(data) + rng.choice([other, bytes(data)])


def splice(data: bytearray, rng: random.Random, other: bytes) -> bytes:
    return bytes(data[: rng.randrange(len(data))]) + other[rng.randrange(len(other)) :]


def insert_noise(data: bytearray, rng: random.Random, _: bytes) -> bytes:
    at = rng.randrange(rng.choice([min(len(data), HEADER_BYTES), len(data)]))
    return bytes(data[:at]) + rng.randbytes(rng.choice([1, 2, 3, 100, 70000])) + bytes(data[at:])


def remove_bytes(data: bytearray, rng: random.Random, _: bytes) -> bytes:
    at = rng.randrange(rng.choice([min(len(data), HEADER_BYTES), len(data)]))
    del data[at : at + rng.choice([1, 2, 3, 100, 10000])]
    return bytes(data)


def zero_a_range(data: bytearray, rng: random.Random, _: bytes) -> bytes:
    at, length = rng.randrange(len(data)), rng.choice([4, 512, 4096, 10**6])
    data[at : at + length] = bytes(min(length, len(data) - at))
    return bytes(data)


def extreme_samples(data: bytearray, rng: random.Random, _: bytes) -> bytes:
    code = rng.choice(["<f", ">f", "<d", ">d"])
    size = struct.calcsize(code)
    for _ in range(rng.choice([1, 1, 10])):
        at = rng.randrange(0, len(data) - size) // size * size
        value = rng.choice([*_FLOATS, 1e100, 1e300]) if size == 8 else rng.choice(_FLOATS)
        struct.pack_into(code, data, at, value)
    return bytes(data)


def other_header(data: bytearray, rng: random.Random, other: bytes) -> bytes:
    length = rng.choice([4, 12, 44, HEADER_BYTES])
    return other[:length] + bytes(data[length:])


MUTATIONS: tuple[Mutation, ...] = (
    flip_header_bits, flip_header_bits, extreme_header_field, extreme_header_field, chunk_size, chunk_size,
    sample_rate, flip_bits, truncate, cut_off_the_end, join, splice, insert_noise, remove_bytes, zero_a_range,
    extreme_samples, other_header,
)  # fmt: skip


def mutated(data: bytes, rng: random.Random, other: bytes) -> tuple[bytes, str]:
    """Return damaged bytes and the names of what was done to them; `other` is another good file."""
    done = []
    for _ in range(rng.choice([1, 1, 1, 2])):
        if len(data) < HEADER_BYTES:
            break
        mutation = rng.choice(MUTATIONS)
        data = mutation(bytearray(data), rng, other)
        done.append(mutation.__name__)
    return data, " + ".join(done)
