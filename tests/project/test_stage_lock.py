"""The lock file of the stages: what changes a stage's code, and how a change is acknowledged."""

import re
import shutil

import pytest

import stage_lock
from conftest import ROOT
from kalemia.core.stage_versions import STAGE_VERSIONS

BEATS = "src/kalemia/beats/segment_beats.py"
VERSIONS = "src/kalemia/core/stage_versions.py"


@pytest.fixture
def checkout(tmp_path):
    """A copy of the code with a lock file that fits it."""
    for folder in ("src/kalemia", "workflow/scripts", "rules"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    assert stage_lock.update_lock(tmp_path, {"all"}) == []
    return tmp_path


def _edit(path, pattern, replacement):
    text, n = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE)
    assert n == 1
    path.write_text(text)


def _change_beats(checkout):
    """Another statement in a function of a module that some stages reach, and others do not."""
    with (checkout / BEATS).open("a") as file:
        file.write("\n\ndef _more():\n    return 1\n")


def _raise_version(checkout, stage):
    _edit(checkout / VERSIONS, rf"\"{stage}\": StageVersion\((\s*)\d+", rf'"{stage}": StageVersion(\g<1>99')


def _stages(problems):
    return [problem.partition(":")[0] for problem in problems]


def test_every_stage_has_the_scripts_of_its_rules():
    scripts = stage_lock.scripts_of_stages(ROOT)
    assert scripts.keys() == STAGE_VERSIONS.keys()
    assert all(path.is_file() for paths in scripts.values() for path in paths)


def test_a_lock_that_fits_passes(checkout):
    assert stage_lock.check_lock(checkout) == []


def test_a_changed_function_fails_in_the_stages_that_import_it_and_in_no_other(checkout):
    _change_beats(checkout)
    problems = stage_lock.check_lock(checkout)
    assert "beats" in _stages(problems)
    assert not {"generic", "split", "source"} & set(_stages(problems))
    (line,) = (problem for problem in problems if problem.startswith("beats: "))
    assert "\n" not in line
    assert "changed in kalemia/beats/segment_beats.py;" in line
    assert "run `make lock`;" in line
    assert "`make lock SAME_OUTPUT=beats`" in line


def test_a_module_that_is_imported_by_name_counts(checkout):
    path = checkout / "src/kalemia/report/figures/patient_figures.py"
    path.write_text(path.read_text() + "\n\ndef more():\n    return 1\n")
    lines = stage_lock.check_lock(checkout)
    assert any(line.startswith("report: changed in kalemia/report/figures/patient_figures.py") for line in lines)


def test_comments_docstrings_and_formatting_do_not_count(checkout):
    path = checkout / BEATS
    path.write_text(path.read_text().replace("\n\n\ndef ", "\n\n\n# a comment\n\ndef "))
    _edit(path, r'\A""".+"""$', '"""Another docstring."""')
    assert stage_lock.check_lock(checkout) == []


def test_after_the_version_is_raised_a_plain_update_passes(checkout):
    _change_beats(checkout)
    stages = _stages(stage_lock.check_lock(checkout))
    for stage in stages:
        _raise_version(checkout, stage)
    assert "run `make lock`" in stage_lock.check_lock(checkout)[0]
    assert stage_lock.update_lock(checkout, set()) == []
    assert stage_lock.check_lock(checkout) == []


def test_a_plain_update_is_refused_while_a_version_was_not_raised(checkout):
    before = (checkout / stage_lock.LOCK).read_text()
    _change_beats(checkout)
    assert "beats" in _stages(stage_lock.update_lock(checkout, set()))
    assert (checkout / stage_lock.LOCK).read_text() == before


def test_the_same_output_is_said_per_stage_or_for_all(checkout):
    _change_beats(checkout)
    stages = _stages(stage_lock.check_lock(checkout))
    assert len(stages) > 1
    assert _stages(stage_lock.update_lock(checkout, {"beats"})) == [stage for stage in stages if stage != "beats"]
    assert stage_lock.update_lock(checkout, set(stages)) == []
    assert stage_lock.check_lock(checkout) == []
    (line,) = stage_lock.update_lock(checkout, {"bets"})
    assert line.startswith("no stage is called bets")


def test_a_script_and_a_data_file_and_a_template_count(checkout):
    for path, stage, others in (
        ("workflow/scripts/split.py", "split", {"beats"}),
        ("src/kalemia/data/icd9.csv", "cohort", {"beats", "generic"}),
        ("src/kalemia/report/study.html", "report", {"cohort", "generic", "evaluation"}),
    ):
        with (checkout / path).open("a") as file:
            file.write("1\n")
        stages = set(_stages(stage_lock.check_lock(checkout)))
        assert stage in stages, path
        assert not stages & others, path
        assert stage_lock.update_lock(checkout, {"all"}) == []


def test_every_data_file_belongs_to_a_module():
    modules = [path.read_text() for path in (ROOT / "src/kalemia").rglob("*.py")]
    for path in (ROOT / "src/kalemia/data").iterdir():
        assert any(f'"data/{path.name}"' in text for text in modules), path


def test_a_version_that_is_lowered_is_refused(checkout):
    _edit(checkout / VERSIONS, r'"evaluation": StageVersion\(\d+', '"evaluation": StageVersion(1')
    (line,) = stage_lock.check_lock(checkout)
    assert line.startswith("evaluation: version 1 is lower than")


def test_a_new_setting_is_no_change_of_code(checkout):
    _edit(
        checkout / "src/kalemia/core/settings/data.py",
        r"^(class Source:\n)",
        r'\1    another: float = setting(1.0, "another setting")\n',
    )
    assert stage_lock.check_lock(checkout) == []


def test_the_documentation_of_a_column_is_no_change_of_code_and_its_type_is(tmp_path):
    def hash_of(text):
        path = tmp_path / "src/kalemia/core/schemas/some.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'X = Table("beats", "beats.parquet", {text},))')
        return stage_lock._hash(path, tmp_path)

    before = hash_of('"Beats.", (Column("rate", float32(), "the rate", "Hz")')
    assert hash_of('"All beats.", (Column("rate", float32(), "its rate", "1/s")') == before
    assert hash_of('"Beats.", (Column("rate", float64(), "the rate", "Hz")') != before
    assert hash_of('"Beats.", (Column("rates", float32(), "the rate", "Hz")') != before


def test_a_lock_with_a_merge_conflict_is_one_line(checkout):
    path = checkout / stage_lock.LOCK
    path.write_text("<<<<<<< HEAD\n" + path.read_text())
    with pytest.raises(SystemExit, match="keep one side and run `make lock` again"):
        stage_lock.check_lock(checkout)
