"""What `kalemia check` says of a study before any job."""

import shutil
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from conftest import ROOT
from kalemia.check_study import check_lines
from kalemia.cli import main
from kalemia.core.config import Study
from kalemia.core.errors import UserError
from kalemia.core.wording import plural
from kalemia.evaluation.between_patients.claims import MIN_PEOPLE
from kalemia.evaluation.claims.rule import MIN_PATIENTS, MIN_SHIFTED_RUNS
from mirror import write_tables
from own_files import write_wfdb

START = datetime(2024, 5, 17, 8)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recording")
    write_wfdb(folder / "a", 125, seconds=60)
    return folder


def _own_study(config, folder, recording, draws, **populations):
    """draws: name of a subject -> values, each in a recording of its own an hour after the one before."""
    recordings, potassium = ["subject,start,path,lead"], ["subject,time,potassium"]
    for name, values in draws.items():
        for i, value in enumerate(values):
            begin = START + timedelta(hours=6 * i)
            path = f"{name}-{i}"
            shutil.copy(recording / "a.dat", folder / f"{path}.dat")
            header = (recording / "a.hea").read_text().replace("a 1", f"{path} 1").replace("a.dat", f"{path}.dat")
            (folder / f"{path}.hea").write_text(header)
            recordings.append(f"{name},{begin},{path},II | MLII")
            potassium.append(f"{name},{begin + timedelta(minutes=1)},{value}")
    (folder / "recordings.csv").write_text("\n".join(recordings) + "\n")
    (folder / "potassium.csv").write_text("\n".join(potassium) + "\n")
    config["source"] |= {"kind": "local", "waveforms": str(folder), "tables": str(folder)}
    config["cohort"] |= {"window_minutes": 1.0, "min_recorded_minutes": 0.5, "max_missing_minutes": 0.5}
    config["cohort"]["exclude_codes"] = False
    config["populations"] |= populations
    config["results"] = str(folder / "results")
    return Study.from_config(config)


def _many(n_personal):
    """Enough people for the generic network, and some who have three draws of each class in turns."""
    generic = {f"G-{i}": [6.1 if i % 2 else 4.1] for i in range(40)}
    return generic | {f"HN-{i:04}": [6.2, 4.2, 6.3, 4.3, 6.4, 4.4] for i in range(n_personal)}


def test_a_study_that_can_run_tells_who_learns_and_what_the_claims_lack(config, tmp_path, recording):
    study = _own_study(config, tmp_path, recording, _many(2), personal_min_draws=3)
    lines = list(check_lines(study))
    text = "\n".join(lines)
    assert "recordings: 52 of 52 recordings can be read" in text
    assert any(line.split() == ["HN-0000", "3", "3", "yes"] for line in lines)
    assert "personal networks: 2 people" in text
    assert "to be read: 52 draws of 42 people (26 positive, 26 negative, 0 neither)" in text
    assert f"claims, which the arm forward (forward) decides: 2 of at least {MIN_PATIENTS} patients" in lines
    controls = study.arms["forward"].negative_controls
    lacking = f"{plural(MIN_SHIFTED_RUNS - controls['shifted'], 'more run')} of arms.forward.negative_controls.shifted"
    assert f"  reads: lacks {MIN_PATIENTS - 2} more patients and {lacking}" in lines
    assert f"  adds: lacks {MIN_PATIENTS - 2} more patients" in lines
    assert "generic network: people with positive + negative draws: train " in text


def test_what_is_lost_is_named_with_its_reason(config, tmp_path, recording):
    study = _own_study(config, tmp_path, recording, _many(1), personal_min_draws=3)
    (tmp_path / "HN-0000-2.dat").unlink()
    (tmp_path / "G-7-0.hea").write_text("nonsense\n")
    lines = list(check_lines(study))
    assert "recordings: 44 of 46 recordings can be read" in lines
    (lost,) = (line for line in lines if line.startswith("  not used: HN-0000-2 (recordings.csv, line 44): "))
    assert lost.endswith("HN-0000-2.dat does not exist")
    assert lines[-1] == "the study can run, without 2 recordings and 2 draws (see above)"
    assert any(line.split() == ["HN-0000", "2", "3", "too", "few"] for line in lines)


def test_too_few_minutes_before_a_draw_are_told_with_their_number(config, tmp_path, recording):
    study = _own_study(config, tmp_path, recording, _many(1), personal_min_draws=3)
    potassium = tmp_path / "potassium.csv"
    early, after = (f"HN-0000,{START + timedelta(minutes=minutes)}," for minutes in (0.4, 1))
    potassium.write_text(potassium.read_text().replace(after, early))
    lines = list(check_lines(study))
    has = "has only 0.4 of the 0.5 minutes needed in the 1 minute before the draw"
    assert f"  not read: 1 draw: too few minutes recorded (first: HN-0000-0: {has})" in lines


def test_a_study_without_enough_people_cannot_run_and_says_why_in_its_last_line(config, tmp_path, recording):
    study = _own_study(config, tmp_path, recording, {"A": [6.1], "B": [4.1]})
    with pytest.raises(UserError, match=r"the study cannot run: the generic network has no .* draw in ") as caught:
        list(check_lines(study))
    assert "\n" not in str(caught.value)


def test_too_little_disk_is_told(config, tmp_path, recording, monkeypatch):
    study = _own_study(config, tmp_path, recording, _many(0))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 1000))
    with pytest.raises(UserError, match="too little disk is free"):
        list(check_lines(study))


def test_the_command_ends_with_1_if_a_study_cannot_run(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(["check", "studies/own.yaml", "tests/own/study.yaml"]) == 1
    out, err = capsys.readouterr()
    assert "monitor.csv    II      100 Hz  mV    1.5" in out
    assert err.startswith("kalemia: the study cannot run: ")
    assert main(["check"]) == 0
    assert "the patients are simulated" in capsys.readouterr().out


def test_people_are_counted_by_the_tables_before_anything_is_fetched(config, tmp_path):
    values = [(1, 6.0), (1, 4.0), (1, 6.1), (1, 4.1), (2, 6.2), (2, 4.2), (3, 4.4)]
    rows = [f'{i},{s},100,50971,2150-01-{i:02} 10:00:00,"{v}",{v},"mEq/L",' for i, (s, v) in enumerate(values, start=1)]
    write_tables(tmp_path, LABEVENTS=rows, DIAGNOSES_ICD=['1,2,100,1,"42731"'])
    config["source"] |= {"kind": "physionet", "waveforms": "https://example.org/files", "tables": str(tmp_path)}
    config["populations"]["personal_min_draws"] = 2
    lines = list(check_lines(Study.from_config(config)))
    assert "  with a usable value: 5 draws of 2 people (2 positive, 3 negative, 0 neither)" in lines
    assert "  not read: 2 draws: atrial fibrillation coded" in lines
    assert "personal networks: 1 person, if all their values have an ECG (at least 2 draws of each class)" in lines
    assert any(line.split() == ["p000001", "2", "2", "yes"] for line in lines)


def test_credentials_are_told_and_never_shown(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("PHYSIONET_USERNAME", "somebody")
    monkeypatch.setenv("PHYSIONET_PASSWORD", "secret-word")
    assert main(["check", "studies/mimic3.yaml"]) == 0
    out, err = capsys.readouterr()
    assert "credentials for physionet.org: in PHYSIONET_USERNAME and PHYSIONET_PASSWORD" in out
    assert "secret-word" not in out + err


@pytest.mark.parametrize("name", ["mimic3", "mimic4"])
def test_a_study_that_lacks_its_credentials_cannot_run_and_says_which(monkeypatch, capsys, tmp_path, name):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    assert main(["check", f"studies/{name}.yaml", "--config", f"results={tmp_path}"]) == 1
    out, err = capsys.readouterr()
    assert "credentials for physionet.org: none\n" in out
    assert err.startswith("kalemia: the study cannot run: config: source.tables: https://physionet.org/files/mimic")
    assert "set PHYSIONET_USERNAME and PHYSIONET_PASSWORD, or add a line to ~/.netrc" in err


@pytest.mark.parametrize("name", ["mimic3-demo", "mimic4-demo", "vitaldb"])
def test_what_an_open_study_does_not_know_yet_is_told_with_what_makes_it_known(monkeypatch, capsys, tmp_path, name):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    assert main(["check", f"studies/{name}.yaml", "--config", f"results={tmp_path}"]) == 0
    unknown, how = capsys.readouterr().out.splitlines()[-3:-1]
    assert unknown.startswith("draws, people, claims and generic network: not known yet; still to be downloaded: ")
    assert how == (
        "  `kalemia fetch` with the same arguments downloads them, as"
        f" `snakemake ... -- {tmp_path}/cohort/draws.parquet` does; then check again"
    )


def test_a_wrong_unit_is_told_with_file_line_value_and_the_units_that_are_read(config, tmp_path, recording):
    """The second names another unit than its file is in, which only its samples show."""
    study = _own_study(config, tmp_path, recording, _many(1), personal_min_draws=3)
    table = tmp_path / "recordings.csv"
    head, *rows = table.read_text().splitlines()
    units = ["mmV", "uV", "mV", *[""] * (len(rows) - 3)]
    table.write_text("\n".join([f"{head},unit", *map(",".join, zip(rows, units, strict=True))]) + "\n")
    lines = list(check_lines(study))
    assert [line for line in lines if line.startswith("  not used: ")] == [
        "  not used: G-0-0 (recordings.csv, line 2): unit 'mmV' (column unit of recordings.csv, line 2) is not a unit"
        " of voltage; write mV, uV, nV or V",
        "  not used: G-1-0 (recordings.csv, line 3): its waves are 0.000958 mV high, not 0.05 to 20: the lead was off,"
        " or its unit uV (column unit of recordings.csv, line 3) or gain is wrong",
    ]
    assert "  not read: 1 draw: not in millivolts" in lines
    assert "  not read: 1 draw: implausible amplitude" in lines


def test_a_value_that_cannot_be_used_is_told_with_its_line_and_what_is_written(config, tmp_path, recording):
    study = _own_study(config, tmp_path, recording, _many(1), personal_min_draws=3)
    table = tmp_path / "potassium.csv"
    head, *lines = table.read_text().splitlines()
    units = ["mg/L", "", *["mmol/L"] * (len(lines) - 2)]
    lines[1] = lines[1].replace(",6.1", ",ERROR")
    table.write_text("\n".join([f"{head},unit", *map(",".join, zip(lines, units, strict=True))]) + "\n")
    said = [line for line in check_lines(study) if "not used, " in line]
    assert said == [
        "  1 value not used, no value: potassium.csv, line 3: ERROR",
        "  1 value not used, other unit: potassium.csv, line 2: 4.1 mg/L; its unit must be mEq/L or mmol/L",
    ]


def test_subjects_of_one_table_alone_are_named_and_names_that_are_nearly_the_same(config, tmp_path, recording):
    study = _own_study(config, tmp_path, recording, _many(1) | {f"X{i}": [4.1] for i in range(6)}, personal_min_draws=3)
    table = tmp_path / "potassium.csv"
    text = table.read_text().replace("G-3,", "g 03,")
    table.write_text("\n".join(line for line in text.splitlines() if not line.startswith("X")) + "\n")
    lines = list(check_lines(study))
    assert "subjects with blood samples and no recording: 'g 03'" in lines
    assert "subjects with recordings and no blood sample: 'G-3', 'X0', 'X1', 'X2', 'X3' and 2 more" in lines
    assert "  if 'G-3' of recordings.csv and 'g 03' of potassium.csv are one person, write one name" in lines


@pytest.mark.parametrize("name", ["recordings.csv", "potassium.csv"])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "is a folder; a file is expected"),
        (lambda path: path.touch(), "is empty"),
        (lambda path: None, "does not exist"),
    ],
)
def test_a_table_that_is_no_file_is_told(config, tmp_path, recording, name, make, said):
    study = _own_study(config, tmp_path, recording, {"A": [6.1]})
    (tmp_path / name).unlink()
    make(tmp_path / name)
    with pytest.raises(UserError) as caught:
        list(check_lines(study))
    assert str(caught.value).startswith(f"the study cannot run: {tmp_path / name} {said}; docs/own-recordings.md")


def test_a_study_file_that_nobody_edited_says_what_to_do(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(ROOT)
    assert main(["check", "studies/own.yaml"]) == 1
    error = capsys.readouterr().err
    assert error == (
        "kalemia: the study cannot run: config: source.waveforms: own does not exist; name your folder: edit a copy of"
        " studies/own.yaml, or add --config 'source={waveforms: FOLDER, tables: FOLDER}'\n"
    )
    (tmp_path / "file").touch()
    places = f"source={{waveforms: {tmp_path}/file, tables: {tmp_path}}}"
    assert main(["check", "studies/own.yaml", "--config", places]) == 1
    assert f"source.waveforms: {tmp_path}/file is a file; a folder is expected" in capsys.readouterr().err


def test_without_personal_networks_the_claims_about_the_generic_one_are_told(config, tmp_path, recording):
    lines = list(check_lines(_own_study(config, tmp_path, recording, _many(0), personal_min_draws=None)))
    assert "personal networks: none, because populations.personal_min_draws is null" in lines
    of_test = next(line for line in lines if line.startswith("generic network")).rsplit("test ", 1)[1]
    positive, negative = map(int, of_test.split(" + "))
    assert lines[-2] == (
        f"claims about the generic network: its test lacks {plural(MIN_PEOPLE - positive, 'more person')} with positive"
        f" draws and {plural(MIN_PEOPLE - negative, 'more person')} with negative draws"
    )
    assert not [line for line in lines if "claims, which" in line]


def test_vitaldb_is_counted_by_its_tables_before_any_file_is_there(config, tmp_path):
    """Two cases of one person, each with a value in the recording; the third value is of no case's time."""
    cases = ["1,5,0,3600,60,F,Colectomy,,4.0,1.0", "2,5,0,3600,60,F,Kidney transplantation,,4.0,1.0"]
    columns = "caseid,subjectid,casestart,caseend,age,sex,opname,preop_ecg,preop_k,preop_cr"
    (tmp_path / "cases.csv").write_text("\n".join([columns, *cases]) + "\n", encoding="utf-8-sig")
    (tmp_path / "labs.csv").write_text("caseid,dt,name,result\n1,1800,k,6.1\n2,1800,k,4.1\n2,9000,k,4.2\n")
    config["source"] |= {"kind": "vitaldb", "waveforms": "https://example.org/1.0.1", "tables": str(tmp_path)}
    lines = []
    with suppress(UserError):  # two cases are no study
        for line in check_lines(Study.from_config(config)):
            lines.append(line)
    assert "draws: 3 values of 1 person" in lines
    assert "  to be read: 1 draw of 1 person (1 positive, 0 negative, 0 neither)" in lines
    assert "  not read: 1 draw: not recording at the time" in lines


def test_results_in_the_place_of_a_file_are_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file/results"):
        assert main(["check", "--config", f"results={place}"]) == 1
        said = capsys.readouterr().err
        assert said.endswith(f"results: {tmp_path / 'file'} is a file, not a folder; name another place\n")
