"""Recorded stretches without a usable signal: missing, clipped at the limits of the converter, flat, or no ECG."""

from typing import TYPE_CHECKING

import numpy as np

from kalemia.sources import Fault

if TYPE_CHECKING:  # the rules import this module, and wfdb takes long to import
    import wfdb

FLAT_S = 2.0  # longer than any interval between two beats that is of interest here
CLIPPED_S, CLIPPED_SAMPLES = 0.024, 3
_MIN_QRS_MV, _MAX_QRS_MV = 0.05, 20.0
_HELD_S, _HELD_SAMPLES = 0.016, 3  # the shortest time that the settings of quality can ask for
_BITS = {
    "16": 16, "24": 24, "32": 32, "61": 16, "80": 8, "160": 16, "212": 12, "508": 8, "516": 16, "524": 24,
}  # fmt: skip


def faults_of(ecg: np.ndarray, rate_hz: float, origin: int, converter: tuple[float, float] | None) -> list[Fault]:
    """Faults of one signal in any unit, NaN where its format marks a sample as missing, by their start.

    origin: the recording's sample at index 0; converter: its lowest and highest reading in the signal's unit, None
    if they are not known. A clipped stretch has 24 ms and three samples or more, a flat one two seconds or more.
    """
    is_missing = np.isnan(ecg)
    is_same = np.append(False, ecg[1:] == ecg[:-1])
    spans = [("missing", *span) for span in _runs(is_missing, 1)]
    if converter:
        at_limit, shortest = (ecg <= converter[0]) | (ecg >= converter[1]), round(CLIPPED_S * rate_hz)
        spans += [("clipped", *span) for span in _runs(at_limit, max(CLIPPED_SAMPLES, shortest))]
    spans += [("flat", start - 1, stop) for start, stop in _runs(is_same, round(FLAT_S * rate_hz) - 1)]
    return [Fault(kind, origin + start, origin + stop) for kind, start, stop in sorted(spans, key=lambda span: span[1])]


def held_samples(ecg: np.ndarray, rate_hz: float) -> np.ndarray:
    """Whether each sample (n,) is one of several equal ones in a row, for at least 16 ms and three samples."""
    shortest = max(_HELD_SAMPLES, round(_HELD_S * rate_hz))
    is_same = np.append(False, ecg[1:] == ecg[:-1])
    held = np.zeros(len(ecg), bool)
    for start, stop in _runs(is_same, shortest - 1):
        held[start - 1 : stop] = True
    return held


def converter_range(record: "wfdb.Record", channel: int = 0) -> tuple[int, int] | None:
    """The lowest and the highest reading of a signal, in ADC units; None for a format that keeps no such range."""
    if record.fmt[channel] not in _BITS:
        return None
    bits = _BITS[record.fmt[channel]]
    zero, half = record.adc_zero[channel] or 0, 1 << (min(record.adc_res[channel] or bits, bits) - 1)
    # a format's lowest value marks a missing sample, so that the lowest reading is the one above
    return max(zero - half, 1 - (1 << (bits - 1))), zero + half - 1


def implausible_amplitude(ecg_mv: np.ndarray, rate_hz: float) -> str | None:
    """How high the waves of an ECG (n,) are, if hardly any of it is as high as QRS complexes are; None if it is.

    The range within two seconds is taken for the QRS, because every such stretch contains one; flat stretches do not.
    """
    n = int(2 * rate_hz)
    stretches_mv = ecg_mv[: len(ecg_mv) // n * n].reshape(-1, n)
    ranges_mv = np.fmax.reduce(stretches_mv, axis=1) - np.fmin.reduce(stretches_mv, axis=1)
    ranges_mv = ranges_mv[ranges_mv > 0]  # NaN is not greater either
    if not len(ranges_mv):
        return None
    low_mv, high_mv = np.quantile(ranges_mv, [0.1, 0.9])
    if high_mv >= _MIN_QRS_MV and low_mv <= _MAX_QRS_MV:
        return None
    return f"its waves are {np.median(ranges_mv):.3g} mV high, not {_MIN_QRS_MV:g} to {_MAX_QRS_MV:g}"


def _runs(mask: np.ndarray, shortest: int) -> list[tuple[int, int]]:
    """Half-open runs of True that are `shortest` or longer."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2) if stop - start >= shortest]
