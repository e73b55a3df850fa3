"""Damage to the bytes of a file, by a seeded generator: what disks, networks, editors and people do."""

import re
from collections.abc import Callable
from random import Random

_TOKENS = [
    b"",
    b"0",
    b"-1",
    b"nan",
    b"1e400",
    b"1e999999999",
    b"9" * 20,
    b"9" * 5000,
    b"~",
    b"../../../etc/passwd",
    b"/dev/zero",
    b"\0",
    b"\xff\xfe",
    b"16x99999999",
    b"212",
    b"310",
    b"508",
    b"16+99999",
    b"1(99999999999999999999)/mV",
    b"250/0(0)",
    b"<script>",
    b'"',
    b"0001-01-01T00:00:00Z",
    b"2150-13-01 00:00",
    b"31/02/2150",
    b"1,5",
    b"\r",
    b"\n\n",
    b"*a",
]


def _truncated(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content))]


def _bit_flipped(content: bytes, random: Random) -> bytes:
    place = random.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << random.randrange(8)]) + content[place + 1 :]


def _zeroed(content: bytes, random: Random) -> bytes:
    """A block of a disk that was never written."""
    place, length = random.randrange(len(content)), random.choice([8, 64, 512])
    return content[:place] + bytes(min(length, len(content) - place)) + content[place + length :]


def _inserted(content: bytes, random: Random) -> bytes:
    place = random.randrange(len(content))
    return content[:place] + random.randbytes(random.choice([1, 7, 100])) + content[place:]


def _repeated(content: bytes, random: Random) -> bytes:
    start = random.randrange(len(content))
    stop = min(len(content), start + random.choice([10, 100, 1000]))
    return content[:stop] + content[start:]


def _page_in_its_place(content: bytes, random: Random) -> bytes:
    return b"<!DOCTYPE html><html><body>Please sign in</body></html>\n" * random.choice([1, 50])


def _other_token(content: bytes, random: Random) -> bytes:
    """One word of the beginning, where headers are, becomes another one."""
    words = list(re.finditer(rb"[^\s,:;/\"]+", content[:2000]))
    if not words:
        return _inserted(content, random)
    word = random.choice(words)
    return content[: word.start()] + random.choice(_TOKENS) + content[word.end() :]


OF_TEXT = (_truncated, _bit_flipped, _zeroed, _inserted, _repeated, _page_in_its_place, *[_other_token] * 6)
OF_BYTES = (_truncated, _truncated, _bit_flipped, _bit_flipped, _zeroed, _inserted, _repeated, _page_in_its_place)
Damage = Callable[[bytes, Random], bytes]


def damaged(content: bytes, kinds: tuple[Damage, ...], random: Random) -> tuple[str, bytes]:
    """The name of the damage and the damaged bytes, which differ from `content`."""
    while True:
        kind = random.choice(kinds)
        made = kind(content, random)
        if made != content:
            return kind.__name__.strip("_"), made
