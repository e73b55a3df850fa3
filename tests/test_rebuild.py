import shutil

import pytest

from kalemia.cli import main
from kalemia.config import Study
from kalemia.rebuild import SETTINGS, read_settings
from kalemia.report.csv_tables import write_csv_tables
from kalemia.report.figures import write_study_figures
from kalemia.report.page import write_page
from kalemia.report.provenance import config_text
from kalemia.tables import write_text
from report_fixture import write_results

ECG = ("beats", "excerpts", "features", "source")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, study):
    """A results folder with a report; the beats of the fixture stand for all ECG."""
    results = tmp_path_factory.mktemp("finished") / "results"
    write_results(results, study)
    write_study_figures(study, results)
    write_csv_tables(results)
    write_page(results / "report.html", study, results)
    write_text(results / SETTINGS, config_text(study))
    return results


def _files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("**/*") if path.is_file()}


def test_the_configuration_is_the_same_when_it_is_read_again(finished, study):
    assert read_settings(finished / SETTINGS) == study
    assert isinstance(study, Study)


def test_report_makes_every_file_again_from_a_folder_without_ecg(finished, tmp_path, capsys):
    bare = tmp_path / "bare"
    shutil.copytree(finished, bare, ignore=shutil.ignore_patterns(*ECG, "evaluation", "figures", "report.html"))
    assert not (bare / "evaluation").exists()
    assert main(["report", "--from", str(bare)]) == 0
    assert capsys.readouterr().out.strip() == str(bare / "report.html")
    expected = {name: data for name, data in _files(finished).items() if name.split("/")[0] not in ECG}
    assert _files(bare) == expected


def test_to_makes_a_folder_without_ecg_and_leaves_the_results_alone(finished, tmp_path):
    before = _files(finished)
    assert main(["report", "--from", str(finished), "--to", str(tmp_path / "copy")]) == 0
    assert _files(finished) == before
    copy = _files(tmp_path / "copy")
    assert {name.split("/")[0] for name in copy}.isdisjoint(ECG)
    assert not any(name.endswith(".safetensors") for name in copy)
    assert {name: before[name] for name in copy} == copy
    assert main(["report", "--from", str(tmp_path / "copy")]) == 0
    assert _files(tmp_path / "copy") == copy


def test_a_folder_that_is_no_finished_study_is_one_line(tmp_path, capsys):
    assert main(["report", "--from", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"kalemia: {tmp_path}/config.yaml: cannot be read as a study")


def test_a_missing_prediction_is_one_line(finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "bare", ignore=shutil.ignore_patterns(*ECG))
    lost = tmp_path / "bare/personal/paper/p010013/round-2/predictions.parquet"
    lost.unlink()
    assert main(["report", "--from", str(tmp_path / "bare")]) == 1
    error = capsys.readouterr().err
    assert str(lost) in error
    assert error.count("\n") == 1
