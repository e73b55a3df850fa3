"""Settings of the ECG: filters, quality of beats, rhythm, review, and which beats are kept."""

from dataclasses import dataclass

from kalemia.core.settings.declare import setting


@dataclass(frozen=True)
class Ecg:
    band_hz: tuple[float, ...] = setting(
        (0.5, 40.0),
        "edges of the passband of the FIR filter, below half the sampling rate",
        unit="Hz",
        above=0,
        below=62.5,
        length=2,
    )
    transition_hz: float = setting(0.5, "width of the lower transition band", unit="Hz", minimum=0.01, maximum=10)
    stopband_db: float = setting(50.0, "attenuation outside the passband", unit="dB", minimum=21, maximum=120)
    notch_hz: float | None = setting(
        None, "mains frequency, to add a notch if the passband includes it; null: no notch", unit="Hz", choices=(50, 60)
    )


@dataclass(frozen=True)
class Quality:
    rr_range_ms: tuple[float, ...] = setting(
        (250.0, 5000.0), "accepted intervals to both neighboring beats", unit="ms", minimum=0, length=2
    )
    flat_ms: float = setting(
        400.0, "equal samples for at least this long are a flat line", unit="ms", minimum=16, maximum=60_000
    )
    clipped_ms: float = setting(
        24.0,
        "samples at the end of the recorder's range for at least this long are clipped",
        unit="ms",
        minimum=16,
        maximum=60_000,
    )
    amplitude_ratio_range: tuple[float, ...] = setting(
        (0.5, 2.0),
        "accepted ratios of a beat's amplitude to that of its template; others are amplitude jumps",
        minimum=0,
        length=2,
    )
    min_correlation: float = setting(
        0.7, "correlation of a beat with its template, up to the onset of the next beat", minimum=0, maximum=1
    )
    max_qrs_difference: float = setting(
        0.3,
        "difference between the QRS complexes of a beat and of its template, as a fraction of the template's",
        minimum=0,
        maximum=1,
    )
    min_good_fraction: float = setting(
        0.3,
        "good beats as a fraction of the beats that were found; with fewer the draw is excluded",
        minimum=0,
        maximum=1,
    )


@dataclass(frozen=True)
class Rhythm:
    max_cosen: float = setting(
        -1.0,
        "coefficient of sample entropy of the RR intervals (Lake 2011): above this it is atrial fibrillation; sinus"
        " rhythm is below -1.4",
    )
    max_ectopic_fraction: float = setting(0.5, "ectopic beats as a fraction of all beats", minimum=0, maximum=1)
    max_pacing_spike_ratio: float = setting(
        0.008,
        "amplitude above 45 Hz of pulses apart from the QRS complex or at the onset of a slow one, as a fraction of the"
        " complex: above this it is paced",
        minimum=0,
        maximum=1,
    )


@dataclass(frozen=True)
class Review:
    decisions: str | None = setting(
        None,
        "CSV file with the columns subject_id, draw_id, decision, reviewer, note, and perhaps marks_s (docs/beats.md)",
    )
    n_excerpts: int = setting(
        40, "excerpts on the page: those with no or few good beats, and those closest to a threshold", minimum=1
    )


@dataclass(frozen=True)
class Beats:
    max_per_draw: int = setting(
        200, "beats kept of each draw: the best ones, spread over the window", paper="about 200 on average", minimum=1
    )
    min_per_draw: int = setting(60, "draws with fewer good beats are excluded", minimum=1)
    mask_next_beat: bool = setting(
        False, "hold the last value from the onset of the next beat on, where the heart rate is high"
    )
