"""A record of the MIMIC-IV Waveform Database as a user's recording, from recordings.csv to its beats.

Genuine: the ECG in FLAC (wfdb's `mixedsignals`), and the names of the files, from the database's list. Ours: the header
of the record and its layout, which join the segment to a start; the potassium; and whose ECG it is, which is not said.
"""

import csv
import shutil
from contextlib import suppress
from datetime import datetime, timedelta

import numpy as np
import pytest

from kalemia.beats.excerpts import write_excerpts
from kalemia.beats.segment_beats import BeatSettings, write_beats
from kalemia.check_study import check_lines
from kalemia.cohort.select_cohort import write_cohort
from kalemia.core.config import Study
from kalemia.core.errors import UserError
from kalemia.core.tables import read_table
from kalemia.sources.registry import describe_source
from kalemia.sources.resampling import resampled_samples, resampled_span
from kalemia.sources.signal_files import open_signal

pytestmark = pytest.mark.realdata
START, PATH = datetime(2148, 8, 16, 9), "waves/p100/p10014354/81739927/81739927"
FRAMES, GAP = 14_400, 24_989  # at 62.4725 Hz; exactly 400 s without ECG before the genuine segment
END_S = (FRAMES + GAP) / 62.4725


@pytest.fixture
def own(config, tmp_path, real_data):
    """A study of this record alone, with one draw early in it and one at its end."""
    genuine, record = real_data / "mimic4wdb", tmp_path / PATH
    record.parent.mkdir(parents=True)
    header = (genuine / "mixedsignals.hea").read_text()
    signals = header.replace("mixedsignals_", f"{record.name}_0002").partition("\n")[2]
    (record.parent / f"{record.name}_0002.hea").write_text(f"{record.name}_0002 6 62.4725/999.56 {FRAMES}\n{signals}")
    layout = "".join("~ 0" + line[line.index(" ") :].removeprefix(" 516") + "\n" for line in signals.splitlines())
    (record.parent / f"{record.name}_0000.hea").write_text(f"{record.name}_0000 6 62.4725/999.56 0\n{layout}")
    segments = f"{record.name}_0000 0\n~ {GAP}\n{record.name}_0002 {FRAMES}\n"
    first = f"{record.name}/3 6 62.4725/999.56 {FRAMES + GAP} {START:%H:%M:%S %d/%m/%Y}\n"
    record.with_suffix(".hea").write_text(first + segments)
    for letter in "epr":
        shutil.copy(genuine / f"mixedsignals_{letter}.dat", record.parent / f"{record.name}_0002{letter}.dat")
    (tmp_path / "recordings.csv").write_text(f"subject,start,path,lead\n10014354,{START},{PATH},II\n")
    times = [START + timedelta(seconds=seconds) for seconds in (100, END_S)]
    rows = "".join(f"10014354,{time},{value}\n" for time, value in zip(times, (4.1, 5.9), strict=True))
    (tmp_path / "potassium.csv").write_text(f"subject,time,potassium\n{rows}")
    config["source"] |= {"kind": "local", "waveforms": str(tmp_path), "tables": str(tmp_path)}
    config["cohort"] |= {"exclude_codes": False, "min_recorded_minutes": 3.0, "max_missing_minutes": 8.0}
    config["results"] = str(tmp_path / "results")
    return Study.from_config(config)


def test_the_files_have_names_of_the_database(own, tmp_path, real_data):
    with (real_data / "mimic4wdb/files_of_demo_subjects.csv").open() as file:
        listed = {row["path"] for row in csv.DictReader(file)}
    made = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "waves").rglob("*") if path.is_file()}
    assert len(made) == 6
    assert made <= listed


def test_it_is_read_from_its_list_to_its_beats(own, tmp_path, real_data):
    source, paths = describe_source(own).open(), [tmp_path / f"{name}.parquet" for name in ("draws", "people", "lost")]
    write_cohort(source, own.analyte, own.cohort, own.populations, 1, "", *paths)
    assert [row["reason"] for row in read_table(paths[0], "draws").to_pylist()] == ["too few minutes recorded", None]
    excerpts, shard, quality = (tmp_path / f"{name}.parquet" for name in ("excerpts", "beats", "quality"))
    write_excerpts(source, paths[0], 10014354, own.cohort.lead, own.cohort.min_recorded_minutes, "", excerpts)
    (excerpt,) = read_table(excerpts, "excerpts").to_pylist()
    ecg_mv = np.array(excerpt["ecg_mv"], np.float32)
    assert len(ecg_mv) == pytest.approx(10 * 60 * 125, abs=1)
    n_missing = 400 * 125 - excerpt["sample_from"]
    assert np.isnan(ecg_mv[:n_missing]).all()
    alone = open_signal(real_data / "mimic4wdb/mixedsignals", "II")
    n = resampled_samples(alone.n_samples, alone.rate_hz)
    alone_mv = resampled_span(alone.read_mv, alone.n_samples, alone.rate_hz, 0, n)
    np.testing.assert_allclose(ecg_mv[n_missing:][: n - 1], alone_mv[: n - 1], atol=1e-6)
    settings = BeatSettings.from_study(own)
    write_beats(excerpts, settings, {}, "", shard, quality)
    (row,) = read_table(quality, "quality").to_pylist()
    assert row["n_r_peaks"] == pytest.approx(391, abs=2)
    assert row["heart_rate_bpm"] == pytest.approx(60 * 391 * 125 / np.isfinite(ecg_mv).sum(), rel=0.01)


def test_the_check_shows_the_rate_of_the_ecg_and_its_minutes(own):
    lines = []
    with suppress(UserError):  # one person is no study
        for line in check_lines(own):
            lines.append(line)
    (shown,) = (line.split() for line in lines if line.startswith(f"  {PATH} "))
    assert shown == [PATH, "II", "249.89", "Hz", "mV", "10.5"]
    assert "  to be read: 1 draw of 1 person (1 positive, 0 negative, 0 neither)" in lines
