import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.ecg.beat_measurements import MEASUREMENTS, measure_beats

T_MS = (np.arange(120) - 40) * 8.0


def _beat(t_mv=0.3, t_at_ms=260.0, t_ms=40.0, qrs_ms=10.0, p_at_ms=-150.0, r_mv=1.0):
    waves = [(p_at_ms, 18.0, 0.12), (0.0, qrs_ms, r_mv), (t_at_ms, t_ms, t_mv)]
    return sum(height * np.exp(-0.5 * ((T_MS - at) / width) ** 2) for at, width, height in waves)


def _measured(rr_ms=800.0, **waves):
    return dict(zip(MEASUREMENTS, measure_beats(_beat(**waves)[None], np.array([rr_ms]))[0], strict=True))


def test_amplitudes_and_slope_of_a_known_beat():
    found = _measured()
    assert found["t_amplitude_mv"] == pytest.approx(0.3, abs=0.01)
    assert found["t_r_ratio"] == pytest.approx(0.3, abs=0.01)
    assert found["t_slope_mv_s"] == pytest.approx(0.3 * np.exp(-0.5) / 0.040, rel=0.05)  # steepest one sigma down


def test_intervals_of_a_known_beat():
    found = _measured()
    assert found["pr_ms"] == pytest.approx(150, abs=8)
    assert found["qt_ms"] == pytest.approx(260 + 2 * 40 + 25, abs=16)  # the tangent meets the baseline two sigma on
    assert found["qrs_width_ms"] == pytest.approx(50, abs=16)


def test_an_inverted_t_wave_is_negative_and_as_steep():
    upright, inverted = _measured(), _measured(t_mv=-0.3)
    assert inverted["t_amplitude_mv"] == pytest.approx(-upright["t_amplitude_mv"], abs=0.01)
    assert inverted["t_slope_mv_s"] == pytest.approx(upright["t_slope_mv_s"], rel=0.05)


@pytest.mark.parametrize(
    ("wave", "low", "high", "measure"),
    [
        ("t_mv", 0.2, 0.6, "t_amplitude_mv"),
        ("t_mv", 0.2, 0.6, "t_r_ratio"),
        ("t_mv", 0.2, 0.6, "t_slope_mv_s"),
        ("qrs_ms", 9.0, 18.0, "qrs_width_ms"),
        ("p_at_ms", -130.0, -190.0, "pr_ms"),
        ("t_at_ms", 230.0, 300.0, "qt_ms"),
    ],
)
def test_each_measure_follows_its_wave(wave, low, high, measure):
    assert _measured(**{wave: high})[measure] > _measured(**{wave: low})[measure]


def test_next_beat_is_not_measured_as_t_wave():
    beat = _beat() + 0.9 * np.exp(-0.5 * ((T_MS - 480) / 12) ** 2)
    found = measure_beats(beat[None], np.array([480.0]))[0]
    assert found[0] == pytest.approx(0.3, abs=0.02)


@given(st.floats(-0.5, 0.5), st.integers(0, 9))
def test_offset_changes_nothing_and_results_are_finite(offset_mv, seed):
    noise = 0.05 * np.random.default_rng(seed).standard_normal((3, 120))
    rr_ms = np.full(3, 700.0)
    found = measure_beats(_beat() + noise, rr_ms)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(measure_beats(_beat() + noise + offset_mv, rr_ms), found, atol=1e-9)


def test_flat_beat_has_ratio_0():
    assert np.isfinite(measure_beats(np.zeros((1, 120)), np.array([800.0]))).all()
