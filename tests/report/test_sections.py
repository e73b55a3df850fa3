"""The registry of sections: what it names exists, and naming it loads nothing slow."""

import subprocess
import sys
from importlib import import_module

import pytest

from captions import caption_files
from conftest import ROOT
from kalemia.core.errors import UserError
from kalemia.core.tables import write_text
from kalemia.report.outputs import PATIENT_FIGURES, SECTIONS, STUDY_FIGURES
from kalemia.report.provenance import rule_times

SLOW = {"matplotlib", "torch", "scipy", "sklearn", "pyarrow.parquet", "pyarrow.compute"}


def test_names_of_figures_and_tables_load_nothing_slow():
    code = "import sys, kalemia.report.outputs; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "kalemia.report.outputs" in loaded
    assert not (SLOW | {"kalemia.evaluation", "kalemia.explanation", "kalemia.core.tables"}) & set(loaded)


@pytest.mark.parametrize("figure", [*STUDY_FIGURES.values(), *PATIENT_FIGURES.values()], ids=lambda figure: figure.name)
def test_the_function_that_draws_a_figure_exists(figure):
    module, function = figure.draw.split(".")
    assert callable(getattr(import_module(f"kalemia.report.figures.{module}"), function))


def test_every_section_has_its_own_place_and_template():
    assert len({section.place for section in SECTIONS.values()}) == len(SECTIONS)
    templates = {path.stem for path in (ROOT / "src/kalemia/report/sections").glob("*.html")}
    assert templates == set(SECTIONS)
    assert next(iter(SECTIONS)) == "claims"


def test_every_caption_file_is_of_a_figure_or_table():
    folder = ROOT / "workflow/report/captions"
    assert {str(path.relative_to(ROOT)) for path in folder.iterdir()} == set(caption_files())


def test_times_of_an_older_version_are_left_out(tmp_path):
    for name, text in {"old/a": "s\tmax_rss\n1.0\t2.0\n", "new/a": "s\tcpu_s\tmax_rss_mb\n1.5\t1.0\t200.0\n"}.items():
        write_text(tmp_path / f"{name}.tsv", text)
    assert rule_times(tmp_path) == [("new", 1, 1.5, 1.5, 200.0)]


@pytest.mark.parametrize("row", [b"x\t1\t2", b"1", b"1" * 200_000 + b"\t2\t3", b"\xff\xfe"], ids=range(4))
def test_a_damaged_time_of_a_job_is_one_line(tmp_path, row):
    (tmp_path / "beats").mkdir()
    (tmp_path / "beats/a.tsv").write_bytes(b"s\tcpu_s\tmax_rss_mb\n" + row + b"\n")
    with pytest.raises(UserError, match=r"a\.tsv: cannot be read as the time of a job"):
        rule_times(tmp_path)
