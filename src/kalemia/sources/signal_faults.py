"""Recorded stretches without a usable signal: missing, clipped at the limits of the converter, or flat."""

from typing import TYPE_CHECKING

import numpy as np

from kalemia.sources import Fault

if TYPE_CHECKING:  # the rules import this module, and wfdb takes long to import
    import wfdb

FLAT_S = 2.0  # longer than any interval between two beats that is of interest here
CLIPPED_SAMPLES = 3
_BITS = {"16": 16, "24": 24, "32": 32, "61": 16, "80": 8, "160": 16, "212": 12}


def faults_of(ecg: np.ndarray, rate_hz: float, origin: int, converter: tuple[float, float] | None) -> list[Fault]:
    """Faults of one signal in any unit, NaN where its format marks a sample as missing, by their start.

    origin: the recording's sample at index 0; converter: its lowest and highest reading in the signal's unit, None
    if they are not known. A clipped stretch has 24 ms at 125 Hz or more, a flat one two seconds or more.
    """
    is_missing = np.isnan(ecg)
    is_same = np.append(False, ecg[1:] == ecg[:-1])
    spans = [("missing", *span) for span in _runs(is_missing, 1)]
    if converter:
        spans += [("clipped", *span) for span in _runs((ecg <= converter[0]) | (ecg >= converter[1]), CLIPPED_SAMPLES)]
    spans += [("flat", start - 1, stop) for start, stop in _runs(is_same, round(FLAT_S * rate_hz) - 1)]
    return [Fault(kind, origin + start, origin + stop) for kind, start, stop in sorted(spans, key=lambda span: span[1])]


def converter_range(signal: "wfdb.Record") -> tuple[int, int]:
    """The lowest and the highest reading, in ADC units, of a record with one signal."""
    bits = _BITS[signal.fmt[0]]
    zero, half = signal.adc_zero[0] or 0, 1 << (min(signal.adc_res[0] or bits, bits) - 1)
    # a format's lowest value marks a missing sample, so that the lowest reading is the one above
    return max(zero - half, 1 - (1 << (bits - 1))), zero + half - 1


def _runs(mask: np.ndarray, shortest: int) -> list[tuple[int, int]]:
    """Half-open runs of True that are `shortest` or longer."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2) if stop - start >= shortest]
