import edfio
import numpy as np
import pytest
import wfdb

from ecg_signals import clean_ecg, regular_r_samples
from kalemia.beats.beats_of_record import extract_record_beats
from kalemia.beats.segment_beats import BeatSettings
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


def test_beats_command_writes_table_and_plot(record, tmp_path, capsys):
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
    [
        (("--lead", "aVR"), "has II, V5, not aVR; name one with --lead"),
        (("--configfile", "none.yaml"), "none.yaml: does not exist"),
        (("--config", "cohort={lead: aVR}"), "has II, V5, not aVR; name one with --lead"),
        (("--config", "leads=V5"), "config: unknown key leads"),
    ],
)
def test_beats_command_reports_mistakes_in_one_line(record, tmp_path, capsys, change, said):
    assert main(["beats", str(record), "--out", str(tmp_path / "b.parquet"), *change]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_missing_record_raises(tmp_path, study):
    with pytest.raises(UserError, match=r"no header: .*none does not exist"):
        extract_record_beats(str(tmp_path / "none"), "II", BeatSettings.from_study(study), 10.0)


def test_every_format_gives_the_same_beats(tmp_path, study):
    ecg_mv = clean_ecg(regular_r_samples(30_000, 200), 30_000, RATE_HZ).astype(float)
    ecg_mv += np.random.default_rng(3).normal(scale=0.01, size=len(ecg_mv))
    ranges = {"label": "II", "physical_dimension": "mV", "physical_range": (-5, 5)}
    wfdb.wrsamp("walk", RATE_HZ, ["mV"], ["II"], ecg_mv[:, None], fmt=["16"], write_dir=str(tmp_path))
    edfio.Edf([edfio.EdfSignal(ecg_mv, RATE_HZ, **ranges)]).write(tmp_path / "walk.edf")
    edfio.Bdf([edfio.BdfSignal(ecg_mv, RATE_HZ, **ranges)]).write(tmp_path / "walk.bdf")
    (tmp_path / "walk.csv").write_text("II\n" + "".join(f"{value:.4f}\n" for value in ecg_mv * 1000))
    r_samples = {}
    for name, said in (
        ("walk", []),
        ("walk.edf", []),
        ("walk.bdf", []),
        ("walk.csv", ["--rate", "250", "--unit", "uV"]),
    ):
        assert main(["beats", str(tmp_path / name), "--out", str(tmp_path / "b.parquet"), *said]) == 0
        r_samples[name] = read_table(tmp_path / "b.parquet", "beats")["r_sample"].to_pylist()
    assert len(r_samples["walk"]) > 140
    assert all(found == r_samples["walk"] for found in r_samples.values())


def test_a_window_without_a_signal_does_not_stop_the_others(tmp_path, capsys):
    n_samples = 20 * 60 * RATE_HZ
    ecg_mv = clean_ecg(regular_r_samples(n_samples, 200), n_samples, RATE_HZ).astype(float)
    ecg_mv[: n_samples // 2] = 0
    ecg_mv += np.random.default_rng(3).normal(scale=0.005, size=n_samples)
    wfdb.wrsamp("walk", RATE_HZ, ["mV"], ["II"], ecg_mv[:, None], fmt=["16"], write_dir=str(tmp_path))
    assert main(["beats", str(tmp_path / "walk"), "--out", str(tmp_path / "b.parquet")]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "excluded: implausible amplitude" in first
    assert "200 kept" in second


@pytest.mark.parametrize("rate", ["fast", "0", "1e999999999"])
def test_a_wrong_rate_on_the_command_line_is_one_line(record, tmp_path, capsys, rate):
    assert main(["beats", str(record), "--rate", rate, "--out", str(tmp_path / "b.parquet")]) == 1
    assert capsys.readouterr().err == f"kalemia: --rate: rate {rate!r} is not a number of samples per second\n"
