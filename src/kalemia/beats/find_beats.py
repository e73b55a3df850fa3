"""Find the beats of an ECG in memory, with the quality of each and why some are of no use."""

from dataclasses import dataclass

import numpy as np

from kalemia.beats.segment_beats import BeatSettings
from kalemia.core.config import Study
from kalemia.core.schemas import RATE_HZ
from kalemia.ecg.assess_excerpt import assess_excerpt
from kalemia.ecg.quality import BEAT_REASONS
from kalemia.sources.resampling import resample_ecg


@dataclass(frozen=True, eq=False)
class FoundBeats:
    """The n beats of an ECG, in order of time.

    lead: its name. beats_mv: float32 (n, 120) in mV at 125 Hz, filtered, the marked wave (R, or S where there is hardly
    an R) at index 40; NaN where a beat reaches beyond the ECG. r_peaks: int64 (n,), the marked waves as indices into
    the ECG that was given. quality: (n,) from 0 to 1. reasons: for each beat why it is of no use, None if it is good.
    heart_rate_bpm: from the median interval, NaN without one. reason: why a study would exclude the whole ECG, or None.
    """

    lead: str
    beats_mv: np.ndarray
    r_peaks: np.ndarray
    quality: np.ndarray
    reasons: list[str | None]
    heart_rate_bpm: float
    reason: str | None

    def __len__(self) -> int:
        return len(self.r_peaks)

    @property
    def is_good(self) -> np.ndarray:
        """Whether each beat is good: bool (n,)."""
        return np.array([reason is None for reason in self.reasons], bool)


def find_beats(
    ecg_mv: np.ndarray, rate_hz: float, lead: str = "II", settings: BeatSettings | None = None
) -> FoundBeats:
    """Find the beats of one lead of an ECG.

    ecg_mv: (samples,) in mV, NaN where nothing was recorded. rate_hz: samples a second, 50 to 5,000. lead: its name,
    which the beats keep. settings: of filters, quality and rhythm; the defaults of a study if None. Raises `ValueError`
    for an array of another shape and a rate out of range.

    >>> import numpy as np, kalemia
    >>> t_s = np.arange(60 * 250) / 250  # one minute at 250 Hz, an R wave of 1 mV every 0.8 s
    >>> since_r_s = (t_s + 0.4) % 0.8 - 0.4
    >>> ecg_mv = np.exp(-0.5 * (since_r_s / 0.012) ** 2) + 0.3 * np.exp(-0.5 * ((since_r_s - 0.25) / 0.04) ** 2)
    >>> beats = kalemia.find_beats(ecg_mv, rate_hz=250, lead="II")
    >>> beats.beats_mv.shape, round(beats.heart_rate_bpm)
    ((74, 120), 75)
    """
    settings = settings or BeatSettings.from_study(Study())
    at_125_hz = resample_ecg(ecg_mv, rate_hz)
    assessment = assess_excerpt(at_125_hz, settings.ecg, settings.quality, settings.rhythm, settings.beats)
    labels = assessment.beat_labels
    return FoundBeats(
        lead=lead,
        beats_mv=assessment.beats_mv,
        r_peaks=np.round(assessment.r_peaks * (rate_hz / RATE_HZ)).astype(np.int64),
        quality=labels.quality,
        reasons=[None if index < 0 else BEAT_REASONS[index] for index in labels.reason_index],
        heart_rate_bpm=assessment.heart_rate_bpm,
        reason=assessment.reason,
    )
