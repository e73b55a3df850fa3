"""A simulated patient who is recorded without a break while potassium follows a planted course."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from kalemia.core.schemas import RATE_HZ
from kalemia.core.seeds import rng
from kalemia.simulate.heart_rhythm import FROM_VENTRICLE, failing_rhythm, random_rhythm, rhythm_of, sinus_rate_bpm
from kalemia.simulate.heartbeats import Heartbeats, waves_of_beats, waves_of_draw
from kalemia.simulate.noise_and_shortcuts import motion_mv, noise_mv, spoil
from kalemia.simulate.physiology import WAVES, Heart, Waves
from kalemia.simulate.potassium_effect import excess_of, merge_qrs_and_t

PIECE_S = 300  # potassium is constant for so long
POSTURE_H = 2  # then a patient is turned in bed
GAIN = 200  # ADC units per mV
STARTED = datetime(2150, 3, 4, 5, 6)


def course_mv(
    heart: Heart,
    potassium_at: Callable[[float], float],
    hours: float,
    seed: int,
    factors: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """Pieces of a lead in mV, float64, with the noise of an ordinary bedside; `potassium_at` takes hours.

    factors: of the heights of P, Q, R, S and T, relative to lead II; None: lead II itself.
    """
    n, factors = round(PIECE_S * RATE_HZ), np.ones((1, len(WAVES))) if factors is None else factors[None]
    for piece in range(round(hours * 3600 / PIECE_S)):
        hour = (piece + 0.5) * PIECE_S / 3600
        posture, random = rng(seed, "posture", int(hour // POSTURE_H)), rng(seed, "piece", piece)
        ecg_mv = _beats(heart, potassium_at(hour), posture, random).ecg_mv(n, factors)[0]
        ecg_mv += noise_mv(n, 1, 1, heart.breaths_hz, random) + motion_mv(n, 0.3, random)
        spoil(ecg_mv, 0.08, random)
        yield ecg_mv


def write_record(folder: Path, name: str, pieces: Iterable[np.ndarray], lead: str = "II") -> Path:
    """A WFDB record of one lead at 125 Hz, 16 bits a sample; returns its path without extension."""
    total, n_samples = 0, 0
    with (folder / f"{name}.dat").open("wb") as file:
        for piece_mv in pieces:
            clipped = np.clip(np.rint(np.nan_to_num(piece_mv) * GAIN), -32767, 32767)
            units = np.where(np.isnan(piece_mv), -32768, clipped).astype("<i2")
            file.write(units.tobytes())
            total, n_samples = total + int(units.sum(dtype=np.int64)), n_samples + len(units)
    checksum = (total + 2**15) % 2**16 - 2**15
    first = f"{name} 1 125 {n_samples} {STARTED:%H:%M:%S %d/%m/%Y}"
    signal = f"{name}.dat 16 {GAIN}/mV 16 0 0 {checksum} 0 {lead}"
    (folder / f"{name}.hea").write_text(f"{first}\n{signal}\n")
    return folder / name


def _beats(heart: Heart, potassium: float, posture: np.random.Generator, random: np.random.Generator) -> Heartbeats:
    """The beats of a piece, as `simulate.heartbeats.beats_of_draw` makes those of a draw, but in a given posture."""
    excess = excess_of(heart, potassium, 1.0)
    name = rhythm_of(heart, excess)
    rate_bpm = sinus_rate_bpm(heart, potassium, 1.0, excess, posture)
    waves = waves_of_draw(heart, excess, name in FROM_VENTRICLE, posture)
    rhythm = failing_rhythm(random_rhythm(heart, rate_bpm, PIECE_S, heart.ectopy, random), name, PIECE_S, random)
    beats = merge_qrs_and_t(waves_of_beats(waves, heart, rhythm, random), rhythm.rr_s, excess.merged)
    nothing = Waves(*np.zeros((4, 0, len(WAVES))))  # the P waves that are blocked are left out
    return Heartbeats(replace(rhythm, blocked_s=np.empty(0)), beats, nothing, excess.merged)
