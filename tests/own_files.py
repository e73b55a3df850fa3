"""User recordings in three formats, for tests: the same ECG at several rates."""

from pathlib import Path

import edfio
import numpy as np
import wfdb

SECONDS = 120


def ecg_mv(rate_hz: float, seconds: int = SECONDS) -> np.ndarray:
    """A beat a second: a narrow and a broad bump on a slow wave."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    phase = time_s % 1.0
    waves = np.exp(-(((phase - 0.3) / 0.012) ** 2)) + 0.3 * np.exp(-(((phase - 0.6) / 0.05) ** 2))
    return waves + 0.05 * np.sin(2 * np.pi * 0.2 * time_s)


def write_csv(path: Path, rate_hz: float, scale: float = 1.0, seconds: int = SECONDS) -> None:
    signal = ecg_mv(rate_hz, seconds) * scale
    path.write_text("II\n" + "".join(f"{value:.4g}\n" for value in signal))


def write_edf(path: Path, rate_hz: float, unit: str = "mV", scale: float = 1.0, seconds: int = SECONDS) -> None:
    signal = ecg_mv(rate_hz, seconds) * scale
    ecg = edfio.EdfSignal(
        signal, rate_hz, label="ECG II", physical_dimension=unit, physical_range=(-5 * scale, 5 * scale)
    )
    edfio.Edf([ecg]).write(path)


def write_wfdb(path: Path, rate_hz: float, unit: str = "mV", scale: float = 1.0, seconds: int = SECONDS) -> None:
    signal = ecg_mv(rate_hz, seconds)[:, None] * scale
    wfdb.wrsamp(
        path.name, fs=rate_hz, units=[unit], sig_name=["MLII"], p_signal=signal, fmt=["16"],
        adc_gain=[1000 / scale], baseline=[0], write_dir=str(path.parent),
    )  # fmt: skip
