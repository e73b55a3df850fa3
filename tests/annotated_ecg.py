"""Annotated real recordings at 125 Hz, and how detections and beats compare with their annotations."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wfdb
from scipy.signal import resample_poly

from kalemia.core.schemas import RATE_HZ
from kalemia.ecg.filters import bandpass, bandpass_taps

DS1 = ("101", "106", "108", "109", "112", "114", "115", "116", "118", "119", "122")
DS1 += ("124", "201", "203", "205", "207", "208", "209", "215", "220", "223", "230")
PACED = ("102", "104", "107", "217")
WINDOW = 75_000  # ten minutes
TOLERANCE = round(0.15 * RATE_HZ)
_BEATS = set("NLRBAaJSVrFejnE/fQ?")
_NORMAL_LIKE = "NLRejAaJS"
_FINER = 8  # times 125 Hz, to find the extremum of an annotated beat


@dataclass(frozen=True)
class Annotated:
    """One lead in mV at 125 Hz with its annotated beats: where each is marked (in samples), and its symbol."""

    ecg_mv: np.ndarray
    marks: np.ndarray
    symbols: np.ndarray
    flutter: list[tuple[float, float]]
    rhythms: list[tuple[float, str]]

    @property
    def normal_like(self) -> np.ndarray:
        return np.isin(self.symbols, list(_NORMAL_LIKE))

    def outside_flutter(self, samples: np.ndarray) -> np.ndarray:
        inside = [(samples >= start) & (samples <= stop) for start, stop in self.flutter]
        return ~np.any(inside, axis=0) if inside else np.ones(len(samples), bool)

    def share_of_rhythm(self, names: tuple[str, ...], start: int, stop: int) -> float:
        """Of the samples [start, stop), how many lie in a rhythm of one of these names."""
        ends = [at for at, _ in self.rhythms[1:]] + [len(self.ecg_mv)]
        inside = [
            max(0.0, min(stop, end) - max(start, at))
            for (at, name), end in zip(self.rhythms, ends, strict=True)
            if name in names
        ]
        return sum(inside) / (stop - start)


def read_annotated(folder: Path, name: str, annotations: str | None = None) -> Annotated:
    """Lead MLII, or the first where there is none."""
    record = wfdb.rdrecord(str(folder / name))
    lead = record.sig_name.index("MLII") if "MLII" in record.sig_name else 0
    ecg_mv = resample_poly(record.p_signal[:, lead], 25, 72).astype(np.float32)
    said = wfdb.rdann(str(folder / (annotations or name)), "atr")
    at, symbols = said.sample / record.fs * RATE_HZ, np.array(said.symbol)
    of_beat = np.isin(symbols, list(_BEATS))
    return Annotated(
        ecg_mv=ecg_mv,
        marks=at[of_beat],
        symbols=symbols[of_beat],
        flutter=[
            (start - TOLERANCE, stop + TOLERANCE)
            for start, stop in zip(at[symbols == "["], at[symbols == "]"], strict=True)
        ],
        rhythms=[(a, note.strip("\0")) for a, note in zip(at, said.aux_note, strict=True) if note.startswith("(")],
    )


def n_matched(marks: np.ndarray, found: np.ndarray, tolerance: float) -> int:
    """How many marks have a detection of their own within the tolerance; both ascending."""
    i = j = matched = 0
    while i < len(marks) and j < len(found):
        apart = found[j] - marks[i]
        if abs(apart) > tolerance:
            i, j = (i, j + 1) if apart < 0 else (i + 1, j)
        elif j + 1 < len(found) and abs(found[j + 1] - marks[i]) < abs(apart):
            j += 1
        else:
            matched, i, j = matched + 1, i + 1, j + 1
    return matched


def detection_counts(annotated: Annotated, found: np.ndarray) -> np.ndarray:
    """True positives, false negatives and false positives at 150 ms, without ventricular flutter."""
    marks = annotated.marks[annotated.outside_flutter(annotated.marks)]
    found = np.asarray(found)[annotated.outside_flutter(np.asarray(found))]
    matched = n_matched(marks, found, TOLERANCE)
    return np.array([matched, len(marks) - matched, len(found) - matched])


def r_wave_extrema(annotated: Annotated, ecg) -> np.ndarray:
    """Of each annotated beat, where (in samples) the wave that dominates the record's normal QRS complexes peaks.

    Found at eight times 125 Hz within 80 ms of the mark, without any code that it judges.
    """
    taps = bandpass_taps(RATE_HZ, ecg.band_hz, ecg.transition_hz, ecg.stopband_db)
    finer_mv = resample_poly(bandpass(annotated.ecg_mv, taps).astype(np.float64), _FINER, 1)
    reach = np.arange(-10 * _FINER, 10 * _FINER + 1)
    centers = np.round(annotated.marks * _FINER).astype(int)
    around = finer_mv[np.clip(centers[:, None] + reach, 0, len(finer_mv) - 1)]
    normal = around[annotated.normal_like]
    upward = np.median(normal.max(axis=1)) >= np.median(-normal.min(axis=1))
    return (centers + reach[(around if upward else -around).argmax(axis=1)]) / _FINER


def true_beats(annotated: Annotated, extrema: np.ndarray, r_peaks: np.ndarray) -> np.ndarray:
    """Whether each R peak lies within 16 ms of the extremum of a normal-like beat."""
    nearest = np.abs(extrema[:, None] - r_peaks).argmin(axis=0)
    return annotated.normal_like[nearest] & (np.abs(extrema[nearest] - r_peaks) <= 0.016 * RATE_HZ)
