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


# amplitude in mV, center and standard deviation in ms: R, S, T
_NARROW = ((1.0, 0, 11), (-0.2, 32, 10), (0.3, 260, 40))
_WIDE = ((0.7, 0, 28), (-0.75, 80, 26), (1.0, 290, 45))
_WIDEST = ((0.5, 0, 30), (-0.8, 90, 30), (1.5, 260, 40))  # S and T are one wave
_P = (0.12, -170, 20)


def _of_waves(waves, marked_ms=0.0):
    beat = sum(height * np.exp(-0.5 * ((T_MS + marked_ms - at) / width) ** 2) for height, at, width in waves)
    return dict(zip(MEASUREMENTS, measure_beats(beat[None], np.array([900.0]))[0], strict=True))


@pytest.mark.parametrize(("waves", "qrs_ms", "t_mv"), [(_NARROW, 80, 0.3), (_WIDE, 205, 1.0), (_WIDEST, 215, 1.5)])
def test_wide_complexes_and_tall_t_waves_are_measured(waves, qrs_ms, t_mv):
    found = _of_waves(waves)
    assert found["qrs_width_ms"] == pytest.approx(qrs_ms, abs=24)
    assert found["t_amplitude_mv"] == pytest.approx(t_mv, abs=0.05)
    assert found["t_r_ratio"] == pytest.approx(t_mv / waves[0][0], rel=0.1)


@pytest.mark.parametrize("waves", [_NARROW, _WIDE, _WIDEST])
def test_qrs_qt_and_t_do_not_depend_on_which_wave_is_marked(waves):
    by_r, by_s = (_of_waves((*waves, _P), marked_ms) for marked_ms in (0.0, waves[1][1]))
    for name in ("qrs_width_ms", "qt_ms", "t_amplitude_mv", "t_slope_mv_s"):
        assert by_s["pr_ms"] - by_r["pr_ms"] == pytest.approx(waves[1][1], abs=16)
        assert by_s[name] == pytest.approx(by_r[name], abs=16 if name.endswith("ms") else 0.1, rel=0.05), name


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
