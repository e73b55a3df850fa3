"""A checksum inside the file that it is about: a seal, which is compared before a library parses the file.

Formats protect their data at most: nothing protects the footer of a Parquet file, and a single wrong bit there gives
other values, or ends the process. Whoever writes a file puts `BLANK_SEAL` into it, and `seal_file` fills it in.
"""

import mmap
import re
import zlib
from pathlib import Path

BLANK_SEAL = "crc32:00000000"
_SEAL = re.compile(rb"crc32:[0-9a-f]{8}")


def seal_file(path: str | Path, start: int = 0) -> None:
    """Fill in the first blank seal from byte `start` on: the CRC-32 of all bytes from there on, with a blank seal."""
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        place = content.find(BLANK_SEAL.encode(), start)
        content[place : place + len(BLANK_SEAL)] = _seal_of(content, start, place)


def has_whole_seal(path: str | Path, start: int = 0) -> bool:
    """Whether every bit from byte `start` on is as `seal_file` left it; raises `OSError` as reading does."""
    with open(path, "rb") as file:
        if not 0 <= start < file.seek(0, 2):
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found = _SEAL.search(content, start)
            return found is not None and found.group() == _seal_of(content, start, found.start())


def _seal_of(content: mmap.mmap, start: int, place: int) -> bytes:
    """The seal at `place` of the bytes from `start` on."""
    with memoryview(content) as view, view[start:place] as before, view[place + len(BLANK_SEAL) :] as after:
        crc = zlib.crc32(after, zlib.crc32(BLANK_SEAL.encode(), zlib.crc32(before)))
    return b"crc32:%08x" % crc
