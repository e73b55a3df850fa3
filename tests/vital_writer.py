"""Write `.vital` files for tests, in both forms of the container."""

import gzip
import struct
from pathlib import Path

import numpy as np

EPOCH_S = 4_102_444_800.0
FILLER = -32768


def write_vital(
    path: Path,
    pieces: list[tuple[float, np.ndarray]],
    name: str = "ECG_II",
    rate_hz: float = 500.0,
    gain: float = 0.001,
    format_: int = 5,
    n_header: int = 10,
    is_packed: bool = False,
) -> bytes:
    """Write one wave, its samples (n,) at some seconds after the epoch; return the bytes before compression."""
    header = struct.pack("<hII", -540, 0, 0) + struct.pack("<dd", EPOCH_S, EPOCH_S)[: n_header - 10]
    header += bytes([is_packed])[: n_header - 26] if n_header > 26 else b""
    device = struct.pack("<I", 1) + _text("SNUADC") + _text("SNUADC") + _text("COM1")
    content = b"VITA" + struct.pack("<IH", 3, n_header) + header + _packet(9, device)
    content += _packet(0, track(2, name="PLETH", rate_hz=100.0)) + _packet(0, track(1, name, rate_hz, gain, format_))
    other = np.full(100, 7, "<i2")
    packets = [(record(2, seconds, other), record(1, seconds, values)) for seconds, values in pieces]
    content += b"".join(_packet(1, one) for pair in packets for one in pair)
    content += _packet(6, b"\x05\x01\x00\x01\x00") + _packet(77, b"unknown kinds are skipped")
    path.write_bytes(gzip.compress(content, 1))
    return content


def track(number: int, name: str, rate_hz: float, gain: float = 1.0, format_: int = 5) -> bytes:
    numbers = struct.pack("<ffIfddBI", -1, 2.5, 0, rate_hz, gain, 0.0, 1, 1)
    return struct.pack("<HBB", number, 1, format_) + _text(name) + _text("mV") + numbers


def record(number: int, seconds: float, values: np.ndarray) -> bytes:
    return struct.pack("<HdHI", 10, EPOCH_S + seconds, number, len(values)) + values.tobytes()


def _packet(kind: int, content: bytes) -> bytes:
    return struct.pack("<BI", kind, len(content)) + content


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode()
