from itertools import permutations

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d
from scipy.signal import firwin

from kalemia.ecg.fiducial import FiducialTemplate, place_fiducials
from kalemia.ecg.filters import bandpass, bandpass_taps
from kalemia.ecg.rpeaks import detect_qrs
from kalemia.simulate.heartbeats import beats_of_draw
from kalemia.simulate.physiology import R, S, random_heart
from severe_shapes import RATE_HZ, draw_waves, severe_heart

TAPS = bandpass_taps(RATE_HZ, (0.5, 40.0), 0.5, 50.0)
SECONDS = 60.0
TOLERANCE_MS = 16.0
# of one heart in each of these the R wave is the same wave
SHAPES = (
    "normal",
    "T as high as R",
    "no P, QRS 120 ms, T 1 mV",
    "QRS 160 ms, deep S",
    "QRS 200 ms",
    "fusion with the next beat",
    "ST elevation, T taller than R",
    "ventricular escape, pauses",
)
RESTING = [(0.12, -0.16, 0.02, 0.02), (0.3, 0.26, 0.045, 0.035)]  # P and T
RS_SMALL, RS_DEEP = (
    [(0.25, 0, 0.01, 0.01), (-1.0, 0.03, 0.012, 0.012)],
    [(0.15, 0, 0.02, 0.02), (-1.2, 0.07, 0.03, 0.03)],
)
QS = [(-1.0, 0, 0.015, 0.015)]


def _filtered(ecg_mv):
    return bandpass(np.asarray(ecg_mv, np.float32), TAPS)


def _marks(filtered_mv, r_s):
    """The strongest place in each QRS complex, as a detector finds it; it may be 130 ms from R."""
    r = np.rint(r_s * RATE_HZ).astype(int)
    r = r[(r > 40) & (r < len(filtered_mv) - 40)]
    band_mv = np.convolve(filtered_mv, firwin(63, (5, 25), pass_zero=False, fs=RATE_HZ), mode="same")
    strength = uniform_filter1d(band_mv.astype(float) ** 2, 13)
    return r - 8 + strength[r[:, None] + np.arange(-8, 18)].argmax(axis=1)


def _place(filtered_mv, r_s, template=None):
    """The fiducials, and their median distance from R in ms."""
    placed = place_fiducials(filtered_mv, _marks(filtered_mv, r_s), RATE_HZ, template)
    return placed, float(np.median(_from_r_ms(placed, r_s)))


def _from_r_ms(placed, r_s):
    nearest = np.abs(r_s[:, None] - placed.r_peaks / RATE_HZ).argmin(axis=0)
    return 1000 * (placed.r_peaks / RATE_HZ - r_s[nearest])


def _ecg_of(waves, seed=1, seconds=SECONDS, rate_bpm=70):
    """A filtered ECG of these waves with little noise, and its R times."""
    random = np.random.default_rng(seed)
    r_s = 0.7 + np.cumsum(60 / rate_bpm * (1 + 0.02 * random.standard_normal(int(seconds * rate_bpm / 60))))
    ecg_mv = draw_waves(np.arange(round(seconds * RATE_HZ)) / RATE_HZ, r_s, waves)
    return _filtered(ecg_mv + 0.01 * random.standard_normal(len(ecg_mv))), r_s


def _simulated(seed, potassium):
    heart = random_heart(np.random.default_rng(seed), 1.0, fibrillates=False)
    beats = beats_of_draw(heart, potassium, 1.0, heart.ectopy, SECONDS, np.random.default_rng([seed, 1]))
    n_samples = round(SECONDS * RATE_HZ)
    noise_mv = 0.02 * np.random.default_rng([seed, int(10 * potassium)]).standard_normal(n_samples)
    return _filtered(beats.ecg_mv(n_samples, np.ones((1, 5)))[0] + noise_mv), beats


def _assert_one_wave(seed, first, others):
    """Whatever the potassium, the wave chosen at the potassium `first` is marked, as long as QRS and T are apart."""
    ecg_mv, _ = _simulated(seed, first)
    template = place_fiducials(ecg_mv, detect_qrs(ecg_mv, RATE_HZ), RATE_HZ).own
    for potassium in others if template.has_baseline else ():
        ecg_mv, beats = _simulated(seed, potassium)
        if beats.merged < 0.25:
            placed = place_fiducials(ecg_mv, detect_qrs(ecg_mv, RATE_HZ), RATE_HZ, template)
            wave_ms = np.median(beats.waves.center_ms[~beats.rhythm.ectopic, R if template.upward else S])
            assert abs(np.median(_from_r_ms(placed, beats.rhythm.r_s)) - wave_ms) <= TOLERANCE_MS, (seed, potassium)
            assert placed.found


@pytest.mark.parametrize("first", [4, 8])
def test_one_wave_is_marked_from_4_to_10(first):
    for seed in range(5):
        _assert_one_wave(seed, first, (4, 6, 8, 9, 10))


@pytest.mark.slow
@pytest.mark.parametrize("first", [4, 6, 8, 9])
def test_one_wave_is_marked_in_60_of_60_hearts(first):
    for seed in range(60):
        _assert_one_wave(seed, first, (4, 5, 6, 7, 8, 9, 10))


def test_a_sine_wave_at_the_end_is_not_taken_for_the_template_s_wave():
    n_merged = n_found = 0
    for seed in range(20):
        ecg_mv, beats = _simulated(seed, 4)
        template = _place(ecg_mv, beats.rhythm.r_s)[0].own
        ecg_mv, beats = _simulated(seed, 10)
        if beats.merged > 0.5:
            n_merged, n_found = n_merged + 1, n_found + _place(ecg_mv, beats.rhythm.r_s, template)[0].found
    assert n_merged >= 5
    assert n_found <= 0.2 * n_merged


@pytest.mark.parametrize("shape", SHAPES)
def test_r_is_chosen_in_severe_shapes_though_s_is_deeper_and_t_higher(shape):
    for seed in range(3):
        heart = severe_heart(shape, seed, SECONDS)
        placed, from_r_ms = _place(_filtered(heart.ecg_mv), heart.r_s)
        assert placed.wave == "R"
        assert abs(from_r_ms) <= TOLERANCE_MS


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("first", "later"), list(permutations(SHAPES, 2)))
def test_the_wave_of_one_shape_is_found_in_another(first, later, sign):
    first, later = severe_heart(first, 1, SECONDS), severe_heart(later, 2, SECONDS)
    template = _place(sign * _filtered(first.ecg_mv), first.r_s)[0].own
    if sign < 0:  # upside down a deep S is the higher wave, as it is in a lead that looks at the heart from elsewhere
        r_wave = _place(_filtered(first.ecg_mv), first.r_s)[0].own
        template = FiducialTemplate(upward=False, average_mv=-r_wave.average_mv, has_baseline=True)
    placed, from_r_ms = _place(sign * _filtered(later.ecg_mv), later.r_s, template)
    assert placed.found
    assert abs(from_r_ms) <= TOLERANCE_MS
    assert np.mean(np.abs(_from_r_ms(placed, later.r_s)) <= TOLERANCE_MS) > 0.95


@pytest.mark.parametrize(("first", "later"), list(permutations([RS_SMALL, RS_DEEP], 2)))
def test_s_stays_the_marked_wave_where_there_is_hardly_an_r(first, later):
    template = _place(*_ecg_of([*first, *RESTING]))[0].own
    assert template.wave == "S"
    placed, from_r_ms = _place(*_ecg_of([*later, *RESTING], seed=2), template)
    assert placed.found
    assert from_r_ms == pytest.approx(1000 * later[1][1], abs=TOLERANCE_MS)


def test_qs_is_marked_at_its_lowest_point():
    placed, from_r_ms = _place(*_ecg_of([*QS, *RESTING]))
    assert placed.wave == "S"
    assert abs(from_r_ms) <= TOLERANCE_MS


@pytest.mark.parametrize(("first_mv", "second_mv"), [(0.9, 0.7), (0.7, 0.9)])
def test_of_a_notched_r_wave_the_same_half_is_marked_though_the_other_is_higher(first_mv, second_mv):
    def notched(*heights_mv):
        return [(height_mv, at_s, 0.02, 0.02) for height_mv, at_s in zip(heights_mv, (-0.03, 0.03), strict=True)]

    template = _place(*_ecg_of([*notched(first_mv, second_mv), *RESTING]))[0].own
    ecg_mv, r_s = _ecg_of([*notched(second_mv, first_mv), *RESTING], seed=2)
    placed, from_r_ms = _place(ecg_mv, r_s, template)
    assert from_r_ms == pytest.approx(-30 if first_mv > second_mv else 30, abs=TOLERANCE_MS)
    assert np.ptp(_from_r_ms(placed, r_s)) <= 2 * TOLERANCE_MS


@pytest.mark.parametrize("sign", [1, -1])
def test_an_ecg_and_its_mirror_image_are_marked_alike(sign):
    ecg_mv, r_s = _ecg_of([(1.0, 0, 0.012, 0.012), *RESTING])
    placed, from_r_ms = _place(sign * ecg_mv, r_s)
    assert placed.wave == {1: "R", -1: "S"}[sign]
    assert abs(from_r_ms) <= TOLERANCE_MS


def test_a_swapped_lead_is_said_and_its_highest_wave_marked():
    ecg_mv, r_s = _ecg_of([(1.0, 0, 0.012, 0.012), *RESTING])
    template = _place(ecg_mv, r_s)[0].own
    placed, from_r_ms = _place(-ecg_mv, r_s, template)
    assert not placed.found
    assert placed.confidence.max() < 0.5
    assert abs(from_r_ms) <= TOLERANCE_MS


@pytest.mark.parametrize("seed", range(4))
def test_of_bigeminy_the_normal_beats_are_marked_at_their_own_wave(seed):
    normal, bigeminy = severe_heart("normal", seed, SECONDS), severe_heart("bigeminy", seed, SECONDS)
    template = _place(_filtered(normal.ecg_mv), normal.r_s)[0].own
    for choice in (None, template):
        placed, _ = _place(_filtered(bigeminy.ecg_mv), bigeminy.r_s, choice)
        normal_s = bigeminy.r_s[~bigeminy.is_ventricular][1:-1]
        distance_ms = 1000 * np.abs(normal_s[:, None] - placed.r_peaks / RATE_HZ).min(axis=1)
        assert distance_ms.max() <= TOLERANCE_MS


@pytest.mark.parametrize("shape", SHAPES)
def test_the_place_of_the_marks_does_not_matter(shape):
    heart = severe_heart(shape, 3, SECONDS)
    ecg_mv = _filtered(heart.ecg_mv)
    marks = _marks(ecg_mv, heart.r_s)
    moved = marks + np.random.default_rng(1).integers(-4, 5, len(marks))
    by_marks, by_moved = (place_fiducials(ecg_mv, places, RATE_HZ) for places in (marks, moved))
    np.testing.assert_array_equal(by_marks.r_peaks, by_moved.r_peaks)


def test_confidence_is_that_of_each_beat():
    ecg_mv, r_s = _ecg_of([(1.0, 0, 0.012, 0.012), *RESTING])
    spoiled = slice(round((r_s[30] - 0.2) * RATE_HZ), round((r_s[30] + 0.2) * RATE_HZ))
    ecg_mv[spoiled] += np.random.default_rng(1).normal(scale=0.5, size=spoiled.stop - spoiled.start)
    placed, _ = _place(ecg_mv, r_s)
    assert np.abs(placed.r_peaks[placed.confidence.argmin()] / RATE_HZ - r_s[30]) < 0.2
    assert np.median(placed.confidence) > 0.95


def test_only_a_sine_wave_has_no_baseline_before_its_waves():
    for shape in ("normal", "QRS 200 ms", "sine wave"):
        hearts = [severe_heart(shape, seed, SECONDS) for seed in range(8)]
        with_baseline = [_place(_filtered(heart.ecg_mv), heart.r_s)[0].own.has_baseline for heart in hearts]
        assert sum(with_baseline) <= 2 if shape == "sine wave" else all(with_baseline)


@pytest.mark.parametrize("n_marks", [0, 1, 2])
def test_few_marks_are_placed_or_dropped(n_marks):
    ecg_mv, r_s = _ecg_of([(1.0, 0, 0.012, 0.012), *RESTING])
    marks = np.rint(r_s[:n_marks] * RATE_HZ).astype(np.int64)
    placed = place_fiducials(ecg_mv, marks, RATE_HZ)
    assert len(placed.r_peaks) == len(placed.confidence) == n_marks
    assert (placed.own is None) == (n_marks == 0)


def test_no_beat_is_marked_in_a_gap():
    ecg_mv, r_s = _ecg_of([(1.0, 0, 0.012, 0.012), *RESTING])
    marks = np.rint(r_s * RATE_HZ).astype(np.int64)
    ecg_mv[marks[5] + 1 : marks[5] + 40] = np.nan
    assert np.isfinite(ecg_mv[place_fiducials(ecg_mv, marks, RATE_HZ).r_peaks]).all()
