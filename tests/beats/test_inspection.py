from fractions import Fraction

import numpy as np
import pytest
import wfdb

from ecg_signals import clean_ecg, regular_r_samples
from kalemia.beats.beats_of_record import at_125_hz, read_lead_mv
from kalemia.cli import main
from kalemia.core.errors import UserError
from kalemia.core.schemas import R_INDEX
from kalemia.core.tables import read_table

RATE_HZ = 250


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Eleven minutes at 250 Hz with an R peak each 200 samples."""
    folder = tmp_path_factory.mktemp("record")
    n_samples = 11 * 60 * RATE_HZ
    ecg_mv = clean_ecg(regular_r_samples(n_samples, 200), n_samples, RATE_HZ).astype(float)
    ecg_mv += np.random.default_rng(3).normal(scale=0.01, size=n_samples)
    signals = np.column_stack([ecg_mv, ecg_mv])
    wfdb.wrsamp("walk", RATE_HZ, ["mV", "mV"], ["II", "V5"], signals, fmt=["16", "16"], write_dir=str(folder))
    return folder / "walk"


def test_the_beats_of_a_record_are_written_and_drawn(record, tmp_path, capsys):
    arguments = ["beats", str(record), "--out", str(tmp_path / "b.parquet"), "--plot", str(tmp_path / "b.png")]
    assert main(arguments) == 0
    beats = read_table(tmp_path / "b.parquet", "beats")
    assert len(beats) == 200
    assert set(np.array(beats["beat"].to_pylist()).argmax(axis=1)) == {R_INDEX}
    assert (np.abs((beats["r_sample"].to_numpy() - 60 + 100) % 200 - 100) <= 2).all()
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")
    assert "from minute 0: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "said"),
    [(("--lead", "aVR"), "has II, V5, not aVR; name one with --lead"), (("--config", "none.yaml"), "none.yaml")],
)
def test_a_mistake_is_one_line(record, tmp_path, capsys, change, said):
    assert main(["beats", str(record), "--out", str(tmp_path / "b.parquet"), *change]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_missing_record_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read as a WFDB record"):
        read_lead_mv(str(tmp_path / "none"), "II")


def test_resampling_keeps_gaps_and_the_place_of_waves():
    ecg_mv = np.sin(2 * np.pi * np.arange(3600) / 360)
    ecg_mv[1440:1800] = np.nan
    resampled = at_125_hz(ecg_mv, Fraction(360))
    assert len(resampled) == 1250
    assert np.flatnonzero(np.isnan(resampled)).tolist() == list(range(500, 625))
    expected = np.sin(2 * np.pi * np.arange(1250) / 125)
    np.testing.assert_allclose(resampled[700:1200], expected[700:1200], atol=0.01)


def test_an_odd_rate_does_not_drift():
    rate_hz = Fraction("249.89")
    time_s = np.arange(int(1800 * rate_hz)) / float(rate_hz)
    ecg_mv = np.where(np.abs(time_s % 1.0 - 0.5) < 0.01, 1.0, 0.0)
    resampled = at_125_hz(ecg_mv, rate_hz)
    last = resampled[-125 * 2 : -125]
    at_s = (len(resampled) - 250 + np.argmax(last)) / 125
    assert abs(at_s % 1.0 - 0.5) < 0.02
