"""Clean synthetic ECG with R peaks at known samples, for tests of signal processing."""

import numpy as np

RATE_HZ = 125.0
# position after the R peak in s, amplitude in mV, width in s: P, Q, R, S, T
WAVES = ((-0.17, 0.12, 0.025), (-0.03, -0.10, 0.010), (0.0, 1.2, 0.012), (0.03, -0.25, 0.012), (0.28, 0.35, 0.05))


def clean_ecg(r_samples: np.ndarray, n_samples: int, rate_hz: float = RATE_HZ) -> np.ndarray:
    """One lead in mV (float32) with an R peak at each of the samples."""
    around = np.arange(-round(0.4 * rate_hz), round(0.6 * rate_hz))
    beat_mv = sum(a * np.exp(-0.5 * ((around / rate_hz - shift_s) / width_s) ** 2) for shift_s, a, width_s in WAVES)
    at = np.asarray(r_samples)[:, None] + around
    inside = (at >= 0) & (at < n_samples)
    ecg_mv = np.zeros(n_samples)
    np.add.at(ecg_mv, at[inside], np.broadcast_to(beat_mv, at.shape)[inside])
    return ecg_mv.astype(np.float32)


def regular_r_samples(n_samples: int, rr_samples: int = 100, first: int = 60) -> np.ndarray:
    return np.arange(first, n_samples, rr_samples)


def regular_ecg(rate_hz: float, seconds: float, rr_s: float = 0.8) -> np.ndarray:
    """R and T waves at a regular rhythm, (samples,) in mV; the first R wave at half an interval."""
    since_r_s = (np.arange(round(seconds * rate_hz)) / rate_hz) % rr_s - rr_s / 2
    r_mv, t_mv = np.exp(-0.5 * (since_r_s / 0.012) ** 2), 0.3 * np.exp(-0.5 * ((since_r_s - 0.25) / 0.04) ** 2)
    return r_mv + t_mv + 0.01 * np.random.default_rng(1).standard_normal(len(since_r_s))
