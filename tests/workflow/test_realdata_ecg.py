"""R peaks, kept beats and rhythm on annotated real recordings, in windows of ten minutes as a draw has them."""

import csv
import gzip

import numpy as np
import pytest

from annotated_ecg import DS1, PACED, WINDOW, detection_counts, r_wave_extrema, read_annotated, true_beats
from kalemia.beats.segment_beats import BeatSettings
from kalemia.core.schemas import RATE_HZ
from kalemia.ecg.assess_excerpt import assess_excerpt
from kalemia.ecg.filters import bandpass, bandpass_taps
from kalemia.ecg.rpeaks import detect_r_peaks

pytestmark = pytest.mark.realdata
FIBRILLATING = ("201", "203")


def _assess(study, ecg_mv):
    settings = BeatSettings.from_study(study)
    return assess_excerpt(ecg_mv, settings.ecg, settings.quality, settings.rhythm, settings.beats)


def _windows(annotated):
    return range(0, len(annotated.ecg_mv) - WINDOW + 1, WINDOW)


@pytest.fixture(scope="module")
def assessed(real_data, study):
    """(annotated, first sample, assessment) of every window of ten minutes, by record."""
    records = {}
    for name in (*DS1, *PACED):
        annotated = read_annotated(real_data / "mitdb", name)
        records[name] = [
            (annotated, start, _assess(study, annotated.ecg_mv[start : start + WINDOW]))
            for start in _windows(annotated)
        ]
    return records


def test_r_peaks_of_mit_bih(real_data, study):
    """The best of wfdb's xqrs, NeuroKit2 and sleepecg have 99.45% and 99.47% (benchmarks/rpeaks.py)."""
    taps = bandpass_taps(RATE_HZ, study.ecg.band_hz, study.ecg.transition_hz, study.ecg.stopband_db)
    counts = np.zeros(3)
    for name in DS1:
        annotated = read_annotated(real_data / "mitdb", name)
        counts += detection_counts(annotated, detect_r_peaks(bandpass(annotated.ecg_mv, taps), RATE_HZ))
    true, missed, wrong = counts
    assert true / (true + missed) > 0.9973
    assert true / (true + wrong) > 0.999


def test_kept_beats_are_true_and_normal_beats_are_kept(assessed, study):
    n_good = n_true = n_normal = n_normal_kept = 0
    for name in DS1:
        annotated = assessed[name][0][0]
        extrema = r_wave_extrema(annotated, study.ecg)
        for _, start, assessment in assessed[name]:
            if assessment.reason:
                good = np.empty(0, bool)
            else:
                r_peaks = start + assessment.r_peaks[assessment.beat_labels.is_good]
                good = true_beats(annotated, extrema, r_peaks)
            n_good, n_true = n_good + len(good), n_true + np.count_nonzero(good)
            if name not in FIBRILLATING:
                inside = (annotated.marks >= start) & (annotated.marks < start + WINDOW)
                n_normal += np.count_nonzero(inside & annotated.normal_like)
                n_normal_kept += np.count_nonzero(good)
    print(n_good, n_true / n_good, n_normal_kept / n_normal)
    assert n_true / n_good >= 0.999
    assert n_normal_kept / n_normal >= 0.95


@pytest.mark.parametrize("name", ["118e00", "118e_6"])
def test_beats_kept_in_noise_are_true_and_the_others_have_a_reason(real_data, study, name):
    annotated = read_annotated(real_data / "nstdb", name, annotations="118e00")
    extrema = r_wave_extrema(read_annotated(real_data / "mitdb", "118"), study.ecg)
    clean = read_annotated(real_data / "mitdb", "118")
    good = []
    for start in _windows(annotated):
        assessment = _assess(study, annotated.ecg_mv[start : start + WINDOW])
        labels = assessment.beat_labels
        assert sum(count for _, count in labels.rejection_counts()) == np.count_nonzero(~labels.is_good)
        good.append(true_beats(clean, extrema, start + assessment.r_peaks[labels.is_good]))
    good = np.concatenate(good)
    print(name, len(good), good.mean())
    assert len(good) > 500
    assert good.mean() >= 0.99


@pytest.fixture(scope="module")
def assessed_icu(real_data, study):
    """The assessment of each recording of BIDMC, by its number."""
    assessments = {}
    for number in range(1, 27):
        with gzip.open(real_data / f"bidmc/bidmc_{number:02d}_Signals.csv.gz", "rt") as file:
            rows = list(csv.reader(file))
        lead = [name.strip() for name in rows[0]].index("II")
        assessments[number] = _assess(study, np.array([row[lead] or "nan" for row in rows[1:]], np.float32))
    return assessments


@pytest.mark.parametrize("number", range(1, 27))
def test_the_heart_rate_is_the_monitor_s(real_data, assessed_icu, number):
    assessment = assessed_icu[number]
    with open(real_data / f"bidmc/bidmc_{number:02d}_Numerics.csv") as file:
        rows = list(csv.reader(file))
    rates_bpm = np.array([row[1] or "nan" for row in rows[1:]], float)
    print(
        number,
        assessment.reason,
        assessment.heart_rate_bpm,
        np.nanmedian(rates_bpm),
        assessment.beat_labels.is_good.mean(),
    )
    if assessment.reason is None:
        assert assessment.heart_rate_bpm == pytest.approx(np.nanmedian(rates_bpm), rel=0.05)


def test_fibrillation_is_flagged_and_sinus_rhythm_is_not(assessed):
    for name in (*DS1, *PACED):
        for annotated, start, assessment in assessed[name]:
            fibrillating = annotated.share_of_rhythm(("(AFIB", "(AFL"), start, start + WINDOW)
            sinus = annotated.share_of_rhythm(("(N", "(SBR"), start, start + WINDOW)
            flagged = assessment.reason == "atrial fibrillation in the ECG"
            if name not in PACED:
                assert fibrillating < 0.5 or flagged
            assert sinus < 0.9 or not flagged


@pytest.mark.parametrize("name", PACED)
def test_paced_records_are_excluded(assessed, name):
    assert {assessment.reason for *_, assessment in assessed[name]} == {"pacing in the ECG"}


def test_unpaced_recordings_are_far_from_paced(assessed, assessed_icu, study):
    """Neither the steep QRS complexes of monitors that keep extremes nor bundle branch block look paced."""
    ratios = [assessment.pacing_spike_ratio for name in DS1 for *_, assessment in assessed[name]]
    ratios += [assessment.pacing_spike_ratio for assessment in assessed_icu.values()]
    paced = [assessment.pacing_spike_ratio for name in PACED for *_, assessment in assessed[name]]
    print(max(ratios), min(paced))
    assert max(ratios) < study.rhythm.max_pacing_spike_ratio / 1.4
    assert min(paced) > 1.4 * study.rhythm.max_pacing_spike_ratio
