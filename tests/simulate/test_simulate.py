"""The simulated cohort on disk: WFDB and MIMIC-III's tables as the real ones are, to the byte the same each time."""

import csv
import gzip
import hashlib
import json
import re
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
import wfdb

from kalemia.core.config import Shortcuts
from kalemia.core.errors import UserError
from kalemia.simulate import simulate_cohort
from kalemia.simulate.noise_and_shortcuts import shortcut_at
from kalemia.simulate.patients import cohort
from kalemia.simulate.potassium_course import USABLE
from kalemia.simulate.recordings import _segments_and_rates, draw_signals, recording_name, stretch_start
from kalemia.simulate.wfdb_files import Channel, digital

SEED, ITEM = 7, 50971


@pytest.fixture(scope="module")
def settings(study):
    return replace(
        study.simulation,
        generic_patients=6,
        personal_patients=2,
        single_episode_patients=1,
        draws_per_generic_patient=2,
        draws_per_personal_patient=20,
    )


@pytest.fixture(scope="module")
def people(settings, study):
    return cohort(settings, study.analyte, SEED)


@pytest.fixture(scope="module")
def folder(settings, study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    simulate_cohort(folder, settings, study.analyte, SEED, processes=1)
    return folder


@pytest.fixture(scope="module")
def waveforms(folder):
    return folder / "mimic3wdb-matched/1.0"


@pytest.fixture(scope="module")
def truth(folder):
    return json.loads((folder / "truth.json").read_text())


def rows_of(folder, name):
    with gzip.open(folder / f"mimiciii/1.4/{name}.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


def bytes_of_tree(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def masters(waveforms):
    return [waveforms / line for line in (waveforms / "RECORDS-waveforms").read_text().split()]


@pytest.mark.slow
def test_same_seed_gives_the_same_bytes_whatever_the_number_of_jobs(folder, settings, study, tmp_path):
    simulate_cohort(tmp_path, settings, study.analyte, SEED, processes=2)
    assert bytes_of_tree(tmp_path) == bytes_of_tree(folder)


def test_another_seed_gives_another_cohort(settings, study, people):
    assert [person.born for person in cohort(settings, study.analyte, SEED + 1)] != [person.born for person in people]


def test_a_folder_with_recordings_is_refused(folder, settings, study):
    with pytest.raises(UserError, match="already has recordings"):
        simulate_cohort(folder, settings, study.analyte, SEED, processes=1)


def test_lists_name_every_subject_and_every_record(waveforms, people):
    assert (waveforms / "RECORDS").read_text().split() == [f"p20/p{person.subject_id}/" for person in people]
    assert len(masters(waveforms)) == sum(len(person.stretches) for person in people)
    assert (waveforms / "RECORDS-numerics").read_text().split() == [
        f"{line}n" for line in (waveforms / "RECORDS-waveforms").read_text().split()
    ]
    for person in people:
        records = waveforms / f"p20/p{person.subject_id}/RECORDS"
        assert all((records.parent / f"{name}.hea").is_file() for name in records.read_text().split())


def test_wfdb_reads_every_master_header_and_its_segments_fill_it(waveforms):
    for master in masters(waveforms):
        header = wfdb.rdheader(str(master), rd_segments=True)
        assert header.fs == 125
        assert header.layout == "variable"
        assert sum(header.seg_len) == header.sig_len
        assert "~" in header.seg_name
        assert header.base_datetime.strftime("%Y-%m-%d-%H-%M") == master.name.split("-", 1)[1]


def test_header_lines_look_like_those_of_the_matched_subset(waveforms):
    master = masters(waveforms)[0]
    lines = master.with_suffix(".hea").read_bytes().decode().split("\r\n")
    time = r"[ \d]\d:\d\d:\d\d\.\d{3}"
    assert re.fullmatch(rf"p\d{{6}}(-\d+)+/\d+ \d 125 \d+ {time} \d\d/\d\d/\d{{4}}", lines[0])
    assert re.fullmatch(r"\d{7}_layout 0", lines[1])
    assert all(re.fullmatch(r"(~|\d{7}_\d{4}) \d+", line) for line in lines[2:-1])
    layout = (master.parent / f"{lines[1].split()[0]}.hea").read_bytes().decode().split("\r\n")
    assert re.fullmatch(rf"\d{{7}}_layout \d 125 0 {time}", layout[0])
    assert all(re.fullmatch(r"~ 0 [\d.]+(\(-\d+\))?/\w+ 8 0 -128 0 0 \w+", line) for line in layout[1:-1])


def test_initial_values_and_checksums_are_those_of_the_samples(waveforms):
    paths = sorted(waveforms.rglob("*_000*.hea"))[:40]
    for path in paths:
        record = wfdb.rdrecord(str(path.with_suffix("")), physical=False)
        assert record.init_value == record.d_signal[0].tolist()
        assert [sum % 2**16 for sum in record.checksum] == record.calc_checksum()


def test_wfdb_reads_the_planted_samples_from_the_master_record(waveforms, people, settings):
    person = next(person for person in people if person.population == "personal")
    index, draw = next((i, draw) for i, draw in enumerate(person.monitored.draws) if draw.coverage == "whole")
    master = waveforms / f"p20/p{person.subject_id}/{recording_name(person, draw.stretch)}"
    moment = person.monitored.at(draw.hours) - stretch_start(person, draw.stretch)
    at = round(moment.total_seconds() * 125)
    whole = wfdb.rdheader(str(master), rd_segments=True)
    starts = np.cumsum([0, *whole.seg_len])
    number = int(np.searchsorted(starts, at - 1250, side="right")) - 1
    segment, start, stop = whole.segments[number], starts[number] - at, starts[number + 1] - at
    signals, _ = draw_signals(person, index, start, stop, settings, SEED)
    record = wfdb.rdrecord(str(master), sampfrom=starts[number], sampto=starts[number + 1])
    assert segment.sig_name == list(person.leads)
    for name, gain, baseline in zip(segment.sig_name, segment.adc_gain, segment.baseline, strict=True):
        read, planted = record.p_signal[:, record.sig_name.index(name)], signals[name]
        within = np.isfinite(planted) & (np.abs(planted * gain + baseline) <= 127)
        assert within.mean() > 0.9
        assert np.abs(read - planted)[within].max() <= 0.5 / gain + 1e-9
        np.testing.assert_array_equal(np.isnan(read), np.isnan(planted))


def test_wfdb_reads_a_whole_recording_with_its_gaps(waveforms):
    shortest = min(masters(waveforms), key=lambda master: wfdb.rdheader(str(master)).sig_len)
    record = wfdb.rdrecord(str(shortest), return_res=32)
    recorded = np.isfinite(record.p_signal).any(axis=1)
    assert 0 < recorded.mean() < 0.5
    assert not recorded[0]


def test_numerics_hold_a_plausible_heart_rate_each_minute(waveforms):
    record = wfdb.rdrecord(f"{masters(waveforms)[0]}n")
    assert record.sig_name == ["HR"]
    assert record.fs == pytest.approx(1 / 60)
    assert 40 < np.nanmedian(record.p_signal) < 130


def test_gain_and_leads_change_between_segments(waveforms):
    segments = [wfdb.rdheader(str(path.with_suffix(""))) for path in sorted(waveforms.rglob("*_0*.hea"))]
    of_lead_ii = [
        (segment.adc_gain[segment.sig_name.index("II")], segment.baseline[segment.sig_name.index("II")])
        for segment in segments
        if "II" in segment.sig_name
    ]
    assert len({gain for gain, _ in of_lead_ii}) > 1
    assert len({baseline for _, baseline in of_lead_ii}) > 1
    assert 0 < len(of_lead_ii) < len(segments)


def test_missing_and_saturated_samples_keep_to_format_80():
    values_mv = np.array([[0.0, 1.0, -1.0, 9.0, -9.0, np.nan]])
    assert digital(values_mv, (Channel("II", "mV", 50, -10),)).tolist() == [[-10, 40, -60, 127, -127, -128]]


def test_ecg_without_an_effect_does_not_depend_on_potassium(people, settings):
    person = next(person for person in people if person.population == "personal" and person.responsive)
    draws = person.monitored.draws
    elevated = replace(draws[3], potassium=draws[3].potassium + 2)
    stay = replace(person.monitored, draws=(*draws[:3], elevated, *draws[4:]))
    other = replace(person, admissions=(*person.admissions[:-1], stay))

    def lead_ii(of, effect):
        return draw_signals(of, 3, -5000, 0, replace(settings, potassium_effect=effect), SEED)[0]["II"]

    np.testing.assert_array_equal(lead_ii(person, 0.0), lead_ii(other, 0.0))
    assert not np.array_equal(lead_ii(person, 1.0), lead_ii(other, 1.0))


def test_shortcuts_are_one_when_off_and_fixed_within_a_stretch(study):
    off = study.simulation.shortcuts
    assert shortcut_at(SEED, 200_001, 0, 5.0, off).gain == 1
    np.testing.assert_array_equal(shortcut_at(SEED, 200_001, 0, 5.0, off).amplitude, np.ones(5))
    on = Shortcuts(electrodes=True, gain=True, drift=False)
    early, late, next_one = (shortcut_at(SEED, 200_001, *where, on) for where in ((0, 5.0), (0, 30.0), (1, 31.0)))
    assert early.gain == late.gain
    assert abs(early.gain - next_one.gain) > 1e-3
    np.testing.assert_array_equal(early.amplitude, late.amplitude)
    assert np.abs(early.amplitude - next_one.amplitude).min() > 1e-4


def test_drift_changes_the_beat_from_day_to_day_but_not_at_once():
    drift = Shortcuts(electrodes=False, gain=False, drift=True)
    now, soon, later = (np.log(shortcut_at(SEED, 200_001, 0, hours, drift).amplitude) for hours in (24, 25, 96))
    assert np.abs(soon - now).max() < 0.1
    assert np.abs(later - now).max() > 0.2


def test_gain_shortcut_scales_the_ecg_but_is_in_no_header(people, settings):
    person = next(person for person in people if person.population == "personal")
    wrong = replace(settings, shortcuts=Shortcuts(electrodes=False, gain=True, drift=False))
    plain_mv, scaled_mv = (draw_signals(person, 0, -2000, 0, of, SEED)[0]["II"] for of in (settings, wrong))
    gain = shortcut_at(SEED, person.subject_id, 0, 0.0, wrong.shortcuts).gain
    assert abs(gain - 1) > 1e-3
    np.testing.assert_allclose(scaled_mv, plain_mv * gain)


def test_less_noise_gives_a_smoother_baseline(people, settings):
    person = next(person for person in people if "II" in person.leads)
    still, ordinary = (
        draw_signals(person, 0, -9000, 0, replace(settings, noise=noise), SEED)[0]["II"] for noise in (0.0, 1.0)
    )
    assert np.nanmedian(np.abs(np.diff(still))) < np.nanmedian(np.abs(np.diff(ordinary)))


def test_populations_are_as_configured(people, settings, study):
    populations = [person.population for person in people]
    assert populations.count("personal") == 2
    assert populations.count("generic") == 6
    assert populations.count("excluded") == 1
    generic = [person for person in people if person.population == "generic"]
    assert sum(person.positive for person in generic) == 3
    assert sum(person.single_episode for person in people) == 1
    many = cohort(replace(settings, generic_patients=20, unresponsive_fraction=0.25), study.analyte, SEED)
    assert sum(not person.responsive for person in many if person.population == "generic") == 5


def test_every_cause_of_exclusion_occurs_in_a_larger_cohort(settings, study):
    people = cohort(replace(settings, generic_patients=50), study.analyte, SEED)
    causes = {person.cause: person for person in people if person.cause}
    assert len(causes) == 5
    assert "II" not in causes["no lead II"].leads
    assert causes["atrial fibrillation that nobody coded"].heart.fibrillates
    assert causes["coded atrial fibrillation"].heart.fibrillates
    assert {draw.coverage for draw in causes["monitor off before every draw"].monitored.draws} == {"off"}


def test_codes_of_exclusion_are_in_the_tables(folder, people):
    coded = {person.subject_id for person in people if person.cause == "coded atrial fibrillation"}
    fibrillating = {int(row["SUBJECT_ID"]) for row in rows_of(folder, "DIAGNOSES_ICD") if row["ICD9_CODE"] == "42731"}
    assert fibrillating == coded != set()


def test_lab_rows_are_numbered_in_order_and_draws_of_the_truth_are_among_them(folder, truth):
    rows = rows_of(folder, "LABEVENTS")
    numbers = [int(row["ROW_ID"]) for row in rows]
    assert numbers == sorted(set(numbers))
    by_number = dict(zip(numbers, rows, strict=True))
    for patient in truth["patients"]:
        for draw in patient["draws"]:
            row = by_number[draw["draw_id"]]
            assert (int(row["SUBJECT_ID"]), int(row["ITEMID"])) == (patient["subject_id"], ITEM)
            assert (row["CHARTTIME"], float(row["VALUENUM"])) == (draw["time"], draw["reported"])
            assert abs(draw["potassium"] - draw["reported"]) < 0.4
    items = {row["ITEMID"] for row in rows}
    assert {row["ITEMID"] for row in rows_of(folder, "D_LABITEMS")} == items
    assert len(items) > 3


def test_some_potassium_lies_outside_every_recording(folder, truth):
    known = {draw["draw_id"] for patient in truth["patients"] for draw in patient["draws"]}
    others = [
        row for row in rows_of(folder, "LABEVENTS") if row["ITEMID"] == str(ITEM) and int(row["ROW_ID"]) not in known
    ]
    assert any(not row["HADM_ID"] for row in others)


def test_recordings_of_the_truth_hold_their_draws(waveforms, truth):
    for patient in truth["patients"]:
        for draw in patient["draws"]:
            header = wfdb.rdheader(str(waveforms / draw["recording"]))
            moment = datetime.fromisoformat(draw["time"]) - header.base_datetime
            assert 0 < moment.total_seconds() * 125 < header.sig_len


def test_personal_patients_keep_ten_usable_draws_of_each_class(truth):
    for patient in truth["patients"]:
        if patient["population"] == "personal":
            usable = [draw["reported"] for draw in patient["draws"] if draw["coverage"] in USABLE]
            assert sum(value > 5.5 for value in usable) >= 10
            assert sum(3.5 <= value <= 5.0 for value in usable) >= 10


def test_item_of_potassium_is_the_one_asked_for(settings, study, tmp_path):
    small = replace(settings, generic_patients=2, personal_patients=0, single_episode_patients=0)
    simulate_cohort(tmp_path, small, replace(study.analyte, items=(50822,)), SEED, processes=1)
    items = {row["ITEMID"] for row in rows_of(tmp_path, "LABEVENTS")}
    assert "50822" in items
    assert "50971" not in items


def test_gzip_carries_neither_name_nor_time(folder):
    for path in (folder / "mimiciii/1.4").iterdir():
        start = path.read_bytes()[:10]
        assert start[3] == 0
        assert start[4:8] == bytes(4)


@pytest.mark.realdata
def test_columns_and_quoting_are_those_of_mimic(folder, real_data):
    demo = {path.name for path in (real_data / "mimiciii-demo").iterdir()}
    simulated = list((folder / "mimiciii/1.4").iterdir())
    assert {path.name for path in simulated} - demo == {"CHARTEVENTS.csv.gz"}
    for path in simulated:
        if path.name not in demo:
            continue
        with gzip.open(path, "rt") as ours, gzip.open(real_data / "mimiciii-demo" / path.name, "rt") as real:
            assert ours.readline() == real.readline()
            our_row, real_row = (file.readline().rstrip("\n").split(",") for file in (ours, real))
            both = [(a, b) for a, b in zip(our_row, real_row, strict=False) if a and b]
            assert all(a.startswith('"') == b.startswith('"') for a, b in both)
            assert all(len(a) == len(b) for a, b in both if re.match(r"\d{4}-\d\d-\d\d", b))


def test_the_default_cohort_has_draws_up_to_ten(study):
    people = cohort(study.simulation, study.analyte, study.seed)
    potassium = np.array([draw.potassium for person in people for draw in person.monitored.draws])
    assert np.count_nonzero(potassium > 7.5) >= 10
    assert 8.5 < potassium.max() <= study.simulation.max_potassium


def test_the_monitor_chooses_a_gain_at_which_severe_waves_fit(people, settings):
    person = next(person for person in people if person.population == "personal" and person.responsive)
    severe = tuple(replace(draw, potassium=9.5, coverage="whole") for draw in person.monitored.draws)
    sick = replace(person, admissions=(replace(person.monitored, draws=severe),))
    segments, _ = _segments_and_rates(sick, 0, replace(settings, noise=0.0), SEED)
    assert segments
    for segment in segments:
        assert np.abs(digital(segment.values[[0]], segment.channels[:1])).max() < 127


def test_truth_names_the_rhythm_of_every_draw(truth):
    assert {draw["rhythm"] for patient in truth["patients"] for draw in patient["draws"]} >= {"sinus rhythm"}
