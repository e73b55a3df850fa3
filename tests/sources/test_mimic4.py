"""MIMIC-IV: genuine tables of the demo, counted in two ways, and 12-lead ECGs."""

import csv
import dataclasses
import gzip
from collections import Counter

import numpy as np
import pytest

from kalemia.cohort.labs import build_draws
from kalemia.cohort.matching import nearest_draws
from kalemia.core.errors import UserError
from kalemia.sources import UnreadableRecordingError
from kalemia.sources.mimic4_ecg import Mimic4Ecg
from kalemia.sources.mimic_tables import analyte_rows, births, excluded_by_code
from kalemia.sources.remote.http_files import Web
from kalemia.sources.storage import HttpStorage, LocalStorage
from mimic4_server import listed_ecgs, potassium_values, write_ecg
from web_server import serving

NAME = "files/p10000032/s107143276/107143276"
ROW = "10000032,107143276,107143276,2180-07-23 08:44:24," + NAME


@pytest.fixture(scope="module")
def potassium(real_data, study):
    """The rows of both items, and the draws made of them."""
    analyte = dataclasses.replace(study.analyte, items=(50971, 50822))
    rows = analyte_rows(real_data / "mimiciv-demo", analyte.items)
    return rows.to_pylist(), build_draws(rows, analyte).to_pylist()


@pytest.mark.realdata
def test_the_potassium_values_of_the_demo_are_all_there(real_data, potassium):
    rows, draws = potassium
    with gzip.open(real_data / "mimiciv-demo/hosp/labevents.csv.gz", "rt", newline="") as file:
        plain = [row for row in csv.DictReader(file) if row["itemid"] in ("50971", "50822") and row["valuenum"]]
    assert Counter(row["itemid"] for row in plain) == {"50971": 3019, "50822": 302}
    assert Counter(row["ITEMID"] for row in rows if row["VALUENUM"] is not None) == {50971: 3019, 50822: 302}
    assert {int(row["labevent_id"]) for row in plain} <= {draw["draw_id"] for draw in draws}
    high = [row for row in plain if float(row["valuenum"]) > 5.5]
    assert (len(high), len({row["subject_id"] for row in high})) == (111, 40)
    assert sum("value" in draw and (draw["value"] or 0) > 5.5 for draw in draws) == 111


@pytest.mark.realdata
def test_hemolysis_is_told_from_its_denial(potassium):
    rows, draws = potassium
    high = {row["ROW_ID"]: row["COMMENTS"] or "" for row in rows if (row["VALUENUM"] or 0) > 5.5}
    mentioned = {draw for draw, text in high.items() if "HEMOLY" in text.upper()}
    denied = {draw for draw in mentioned if "NOT HEMO" in high[draw].upper() or "NO HEMO" in high[draw].upper()}
    assert (len(mentioned), len(denied)) == (20, 12)
    flagged = {draw["draw_id"] for draw in draws if "hemolyzed" in draw["flags"]}
    assert flagged & set(high) == mentioned - denied
    assert {draw["reason"] for draw in draws if draw["draw_id"] in flagged} == {"hemolyzed"}


@pytest.mark.realdata
def test_results_come_at_the_times_that_the_laboratory_gives(potassium):
    _, draws = potassium
    delays = [(d["result_time"] - d["draw_time"]).total_seconds() / 60 for d in draws if d["result_time"]]
    assert len(delays) > 3000
    assert np.median(delays) == pytest.approx(75, abs=1)


@pytest.mark.realdata
def test_codes_of_both_versions_exclude(real_data):
    tables = real_data / "mimiciv-demo"
    with gzip.open(tables / "hosp/diagnoses_icd.csv.gz", "rt", newline="") as file:
        starts = {"9": ("42731", "42732"), "10": ("I48",)}
        coded = {
            int(row["subject_id"])
            for row in csv.DictReader(file)
            if row["icd_code"].startswith(starts[row["icd_version"]])
        }
    found = excluded_by_code(tables)
    assert {subject for subject, why in found.items() if why == "atrial fibrillation coded"} == coded
    assert len(coded) == 31


@pytest.mark.realdata
def test_births_follow_from_the_anchor(real_data):
    people = {row["SUBJECT_ID"]: row["DOB"] for row in births(real_data / "mimiciv-demo").to_pylist()}
    with gzip.open(real_data / "mimiciv-demo/hosp/patients.csv.gz", "rt", newline="") as file:
        years = {
            int(row["subject_id"]): int(row["anchor_year"]) - int(row["anchor_age"]) for row in csv.DictReader(file)
        }
    assert {subject: birth.year for subject, birth in people.items()} == years


@pytest.mark.realdata
@pytest.mark.parametrize(("hours", "ecgs", "people", "positive"), [(1, 204, 70, 20), (4, 406, 86, 38)])
def test_ecgs_of_the_list_have_as_many_values_near_as_was_counted(real_data, hours, ecgs, people, positive):
    values, listed, pairs = potassium_values(real_data), listed_ecgs(real_data), []
    for subject in values:
        times = np.array([time for of, time in listed if of == subject], "datetime64[us]")
        drawn = np.array([time for time, _, _ in values[subject]], "datetime64[us]")
        pairs += [(subject, values[subject][at][1]) for at in nearest_draws(times, drawn, hours).tolist() if at >= 0]
    assert (len(pairs), len({subject for subject, _ in pairs})) == (ecgs, people)
    assert sum(value > 5.5 for _, value in pairs) == positive
    plain = [
        min((abs((at - time).total_seconds()), value) for at, value, _ in values[subject])
        for subject, time in listed
        if subject in values
    ]
    near = [value for distance, value in plain if distance <= 3600 * hours]
    assert (len(near), sum(value > 5.5 for value in near)) == (ecgs, positive)


@pytest.fixture
def ecg_folder(tmp_path):
    """A list of one simulated ECG, and its files."""
    (tmp_path / "record_list.csv").write_text(f"subject_id,study_id,file_name,ecg_time,path\n{ROW}\n")
    write_ecg(tmp_path / NAME, 6.5, seed=1)
    return tmp_path


def test_an_ecg_is_ten_seconds_of_lead_ii_at_125_hz(ecg_folder):
    source = Mimic4Ecg(LocalStorage(ecg_folder))
    assert source.recording_names() == {10000032: [NAME]}
    recording = source.recording(NAME)
    assert recording.start == source.start_time(NAME)
    excerpt = source.read_lead(recording, "II", 0, recording.n_samples)
    assert excerpt.ecg_mv.shape == (1250,)
    assert np.isfinite(excerpt.ecg_mv).all()
    assert np.nanmax(excerpt.ecg_mv) == pytest.approx(1.0, abs=0.1)
    assert [segment.gain for segment in excerpt.segments] == [200]
    upside_down = source.read_lead(recording, "aVR", 0, recording.n_samples)
    assert np.nanmin(upside_down.ecg_mv) == pytest.approx(-0.5, abs=0.1)
    assert source.read_lead(recording, "V9", 0, recording.n_samples).problems[0].reason == "no lead"


def test_the_same_comes_over_http_and_each_file_is_fetched_once(ecg_folder, tmp_path):
    local = Mimic4Ecg(LocalStorage(ecg_folder))
    with serving(ecg_folder) as site:
        for _ in range(2):
            web = Web(site.url, 2, 0.5, pause_s=0.01, landmark="record_list.csv")
            remote = Mimic4Ecg(HttpStorage(web, tmp_path / "cache"))
            recording = remote.recording(NAME)
            excerpt = remote.read_lead(recording, "II", 0, 1250)
            np.testing.assert_array_equal(excerpt.ecg_mv, local.read_lead(recording, "II", 0, 1250).ecg_mv)
        assert sum(n > 0 for _, _, n in site.requests) == 3


def test_a_missing_or_short_file_is_a_problem_of_its_excerpt(ecg_folder):
    source = Mimic4Ecg(LocalStorage(ecg_folder))
    samples = ecg_folder / f"{NAME}.dat"
    samples.write_bytes(samples.read_bytes()[:60_000])
    assert source.read_lead(source.recording(NAME), "II", 0, 1250).problems[0].reason == "truncated file"
    samples.unlink()
    assert source.read_lead(source.recording(NAME), "II", 0, 1250).problems[0].reason == "file missing"


def test_an_ecg_that_left_the_list_is_told(ecg_folder):
    with pytest.raises(UnreadableRecordingError, match=r"no header: .* is not in record_list\.csv"):
        Mimic4Ecg(LocalStorage(ecg_folder)).recording(NAME.replace("107143276", "107143277"))


@pytest.mark.parametrize("wrong", [ROW.replace("p10000032", "p10000033"), ROW.replace("files/", "../"), ROW[:-4]])
def test_a_wrong_line_of_the_list_stops_the_study_in_one_line(ecg_folder, wrong):
    (ecg_folder / "record_list.csv").write_text(f"subject_id,study_id,file_name,ecg_time,path\n{wrong}\n")
    with pytest.raises(UserError, match=r"record_list\.csv: .*is not an ECG with a time") as caught:
        Mimic4Ecg(LocalStorage(ecg_folder)).recording_names()
    assert "\n" not in str(caught.value)


def test_a_folder_without_the_list_is_named(tmp_path):
    with pytest.raises(UserError, match=r"has no record_list\.csv"):
        Mimic4Ecg(LocalStorage(tmp_path)).recording_names()
