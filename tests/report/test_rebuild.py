import re
import shutil

import pytest

from kalemia.cli import main
from kalemia.core.config import Study
from kalemia.core.config_files import SETTINGS_FILE, config_text, read_settings
from kalemia.core.tables import read_json, read_table, write_text
from kalemia.evaluation.claims.rule import CLAIMS
from kalemia.report.outputs import PATIENT_FIGURES
from kalemia.report.patient_page import write_patient_page
from kalemia.report.study_page import write_page
from kalemia.report.write_outputs import write_csv_tables, write_patient_figures, write_study_figures
from report_fixture import PERSONAL, write_results

pytestmark = pytest.mark.slow
ECG = ("beats", "excerpts", "features", "mimic3wdb-matched")
MADE_AGAIN = ("evaluation", "figures", "patients", "tables", "report.html", "model-card.md")
REVIEW = "quality/review.html"
LINK = '<a href="quality/review.html">reviewed by a person</a>'


@pytest.fixture(scope="module")
def finished(tmp_path_factory, study):
    """A results folder with its pages; no arm is possible for the last patient. Beats and a text stand for all ECG."""
    results = tmp_path_factory.mktemp("finished") / "results"
    subjects = write_results(results, study, (PERSONAL[0], PERSONAL[1], PERSONAL[-1]), tuple(study.arms))
    for ecg in ("excerpts/p010013.parquet", "source/mimic3wdb-matched/3000.dat", "generic/model.safetensors", REVIEW):
        write_text(results / ecg, "ECG, or weights that know of it")
    write_study_figures(study, results)
    write_csv_tables(results)
    write_page(results / "report.html", study, results)
    for subject in subjects:
        write_patient_figures(study, results, subject)
        write_patient_page(results / "patients" / subject / "report.html", study, results, subject)
    write_text(results / SETTINGS_FILE, config_text(study))
    return results


@pytest.fixture(scope="module")
def copy(finished, tmp_path_factory):
    """What `--to` makes of the finished study."""
    folder = tmp_path_factory.mktemp("copied") / "copy"
    before = _files(finished)
    assert main(["report", "--from", str(finished), "--to", str(folder)]) == 0
    assert _differing(_files(finished), before) == []
    return folder


def _files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("**/*") if path.is_file()}


def _is_ecg(name):
    return any(folder in ECG for folder in name.split("/"))


def _differing(one, other):
    """The names of files that one of two folders lacks, or that differ."""
    return [name for name in sorted(one | other) if one.get(name) != other.get(name)]


def _dead_links(folder):
    """(page, target) of every link to a file that is not there."""
    return [
        (page, target)
        for page in folder.glob("**/*.html")
        for target in re.findall(r'(?:href|src)="(?!https?:|data:|#)([^"#]+)', page.read_text())
        if not (page.parent / target).exists()
    ]


def test_the_configuration_is_the_same_when_it_is_read_again(finished, study):
    assert read_settings(finished) == study
    assert isinstance(study, Study)


def test_report_makes_every_file_again_from_a_folder_without_ecg(finished, tmp_path, capsys):
    bare = tmp_path / "bare"
    shutil.copytree(finished, bare, ignore=shutil.ignore_patterns(*ECG, *MADE_AGAIN))
    assert not (bare / "evaluation").exists()
    assert main(["report", "--from", str(bare)]) == 0
    assert capsys.readouterr().out.strip() == str(bare / "report.html")
    expected = {name: data for name, data in _files(finished).items() if not _is_ecg(name)}
    assert LINK in expected["report.html"].decode()
    assert _differing(_files(bare), expected) == []


def test_what_is_made_again_holds_the_claims_the_comparators_and_the_decisions(copy, study):
    claims = read_json(copy / "evaluation/claims.json")
    assert set(claims["arms"]) == set(study.arms)
    page = (copy / "report.html").read_text()
    for arm in study.arms:
        assert list(claims["arms"][arm]) == sorted(CLAIMS)
        assert f'id="table-baselines-{arm}"' in page
        assert f'id="table-decisions-{arm}"' in page
    assert 'id="table-comparisons"' in page
    evidence = read_table(copy / "evaluation/evidence.parquet", "evidence").to_pylist()
    assert all(row["concordance_with_last_value"] is not None for row in evidence)
    for table in ("baseline_metrics", "baseline_averages", "recalibration_gains"):
        assert len(read_table(copy / f"evaluation/{table}.parquet", table))


def test_the_page_of_a_patient_without_a_possible_arm_is_made_again_too(finished, copy):
    alone = f"p{PERSONAL[-1]:06d}"
    arms = read_table(copy / "personal/arms.parquet", "arms").to_pylist()
    assert all(row["reason"] for row in arms if row["subject_id"] == PERSONAL[-1])
    assert not (copy / "explanation" / alone).exists()
    files = _files(copy / "patients" / alone)
    figures = {f"{name}.{kind}" for name in PATIENT_FIGURES for kind in ("svg", "pdf")}
    assert set(files) == {"report.html", "model-card.md"} | figures
    assert _differing(files, _files(finished / "patients" / alone)) == []


def test_the_copy_differs_in_nothing_but_the_link_to_the_review(finished, copy):
    before, copied = _files(finished), _files(copy)
    assert LINK.encode() in before["report.html"]
    before["report.html"] = before["report.html"].replace(LINK.encode(), b"reviewed by a person")
    left = set(filter(_is_ecg, before)) | {"generic/model.safetensors", REVIEW}
    assert _differing(copied, {name: data for name, data in before.items() if name not in left}) == []


def test_no_link_of_any_page_is_dead(finished, copy):
    assert len(list(copy.glob("**/*.html"))) == 4
    assert not _dead_links(finished)
    assert not _dead_links(copy)


def test_a_folder_that_is_no_finished_study_is_one_line(tmp_path, capsys):
    assert main(["report", "--from", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"kalemia: {tmp_path}/config.yaml: cannot be read as a configuration")


def test_a_missing_prediction_is_one_line(finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "bare", ignore=shutil.ignore_patterns(*ECG))
    lost = tmp_path / "bare/personal/paper/p010013/round-2/predictions.parquet"
    lost.unlink()
    assert main(["report", "--from", str(tmp_path / "bare")]) == 1
    error = capsys.readouterr().err
    assert str(lost) in error
    assert error.count("\n") == 1
