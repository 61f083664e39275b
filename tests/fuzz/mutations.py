"""Damage to bytes, as by a bit error, a faulty program or a clever attacker."""

from collections.abc import Callable, Sequence
from random import Random

INTERESTING = (
    b"\x00", b"\xff", b"\x7f", b"\x80", b"\xc1",  # msgpack: 0, -1, 127, empty map, unused code
    b"\xca\x7f\xc0\x00\x00", b"\xcb\x7f\xf0" + bytes(6), b"\xcb\x7f\xf8" + bytes(6),  # NaN, Inf
    b"\xcf" + b"\xff" * 8, b"\xd3\x80" + bytes(7),  # the largest and the smallest integer
    b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",  # 4 GiB of things
    b"\xd4\x00\x00", b"\xc7\x05\x2a12345", b"\xd6\xff" + bytes(4),  # extension types, a timestamp
    b"\xa2\xc3\x28", b"\xa4\xf0\x28\x8c\x28", b"\xa3\xed\xa0\x80",  # invalid UTF-8, a surrogate
    b"\x91" * 40, b"\x81\xa1k" * 20,  # deep nesting
    b"\xff" * 9 + b"\x7f", b"\x00\x00\x00\x00", b"\xff\xff\xff\xff",  # lengths
)  # fmt: skip


def seeded(seed: int) -> Random:
    """Return a generator that makes the same decisions for the same seed."""
    return Random(seed)  # noqa: S311  # for replay, not for secrets


def mutated(random: Random, corpus: Sequence[bytes]) -> bytes:
    """Return one item of `corpus`, damaged one to four times."""
    data = random.choice(corpus)
    for _ in range(random.randint(1, 4)):
        data = random.choice(_DAMAGES)(random, data, corpus)
    return data


def noise(random: Random, size_max: int) -> bytes:
    """Return random bytes."""
    return random.randbytes(random.randint(0, size_max))


def _flip(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    if not data:
        return data
    damaged = bytearray(data)
    damaged[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def _overwrite(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at, piece = random.randint(0, len(data)), random.choice(INTERESTING)
    return data[:at] + piece + data[at + len(piece) :]


def _insert(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + random.choice(INTERESTING) + data[at:]


def _cut(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: random.randint(0, len(data))]


def _leave_out(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start = random.randint(0, len(data))
    return data[:start] + data[start + random.randint(1, 16) :]


def _repeat(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start = random.randint(0, len(data))
    piece = data[start : start + random.randint(1, 64)]
    return data[:start] + piece * random.choice([2, 3, 50]) + data[start:]


def _splice(random: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    other = random.choice(corpus)
    return data[: random.randint(0, len(data))] + other[random.randint(0, len(other)) :]


_DAMAGES: tuple[Callable[[Random, bytes, Sequence[bytes]], bytes], ...] = (
    _flip, _overwrite, _insert, _cut, _leave_out, _repeat, _splice,
)  # fmt: skip
