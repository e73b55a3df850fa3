"""What `kalemia plan` says that a study takes, against what studies have taken, and in its own sums."""

import dataclasses

import pytest

from conftest import ROOT
from kalemia.cli import main
from kalemia.core.config_files import read_study
from kalemia.run_plan import CORES, amounts, plan_stages, read_rates, run_plan_lines
from kalemia.study_size import size_of_paper, study_size


def _study(*overlays, **changes):
    study = read_study(ROOT / "config.yaml", [ROOT / overlay for overlay in overlays])
    return dataclasses.replace(study, results="no-such-folder", **changes)


@pytest.fixture(scope="module")
def mimic3():
    return _study("studies/mimic3.yaml")


@pytest.fixture(scope="module")
def paper(mimic3):
    return {stage.rate.stage: stage for stage in plan_stages(mimic3, size_of_paper(mimic3))}


def test_a_stage_takes_its_rate_times_its_amount(mimic3, paper):
    size = size_of_paper(mimic3)
    beats = paper["beats"]
    assert beats.seconds == pytest.approx(beats.rate.seconds * size.n_draws)
    assert beats.hours(2) == pytest.approx(beats.seconds / 2 / 3600)
    assert beats.disk_mb == pytest.approx(beats.rate.disk_kb * size.n_draws * 200 / 1000)


def test_the_work_of_the_paper_is_counted_by_hand(mimic3):
    units = amounts(mimic3, size_of_paper(mimic3))
    assert units["generic beat and epoch"] == pytest.approx(2666 * 200 * 0.6 * 50)
    assert units["round"] == 16 * (5 + 5 + 10)
    assert units["beat learned in a round"] == 16 * (5 + 5 + 10) * 2 * 200 * 5
    shifted, shuffled = 16 * (5 * 19 + 10 * 19), 16 * 5 * 3
    paper_arm = sum(mimic3.arms["paper"].control_runs(trained=True).values()) * 16 * 5
    other_analytes = 4 * 20 * 16 * 10
    assert units["beat learned in a control"] == (shifted + shuffled + paper_arm + other_analytes) * 2 * 200 * 5


def test_recordings_by_http_take_requests_and_no_less_time_on_more_cores(paper):
    assert paper["cohort"].requests == 22_317
    assert paper["excerpts"].requests > 40_000
    assert paper["excerpts"].hours(16) == pytest.approx(paper["excerpts"].requests * 0.1 / 4 / 3600)


@pytest.mark.parametrize("overlay", ["studies/paper-scale.yaml", "studies/mimic3.yaml", "tests/studies/tiny.yaml"])
def test_more_cores_never_take_longer(overlay):
    study = _study(overlay)
    for stage in plan_stages(study, study_size(study)):
        hours = [stage.hours(n) for n in CORES]
        assert hours == sorted(hours, reverse=True)
        assert stage.disk_mb >= 0


def test_the_rate_is_of_the_network_that_is_nearest_in_width(paper):
    small = {stage.rate.stage: stage for stage in plan_stages(_study(), study_size(_study()))}
    assert paper["generic"].rate.network == "depth 50, width 64"
    assert small["generic"].rate.network == "depth 18, width 8"
    assert paper["generic"].gpu_seconds == pytest.approx(73.6, rel=0.1)


def test_every_stage_has_a_rate_for_both_networks():
    networks = {}
    for rate in read_rates():
        networks.setdefault(rate.stage, set()).add(rate.network)
    assert set(map(len, networks.values())) == {1, 2}
    assert {stage for stage, of in networks.items() if len(of) == 2} == {
        "generic",
        "features",
        "rounds",
        "controls",
        "explanation",
    }


def test_an_imported_generic_network_is_not_trained():
    study = _study("studies/mimic3.yaml")
    study = dataclasses.replace(study, generic=dataclasses.replace(study.generic, model="models/generic"))
    assert "generic" not in {stage.rate.stage for stage in plan_stages(study, size_of_paper(study))}


def test_the_plan_says_where_its_counts_are_from_and_what_was_never_run(mimic3):
    said = "\n".join(run_plan_lines(mimic3))
    assert said.startswith("mimic3: the paper's, with ")
    assert "nothing was run against the real server" in said
    assert "as its settings simulate them" in next(run_plan_lines(_study("studies/paper-scale.yaml")))


def test_a_study_of_unknown_size_is_told_what_to_do_first(capsys):
    assert main(["plan", str(ROOT / "studies/mimic4.yaml"), "--config", "results=no-such-folder"]) == 1
    assert "make no-such-folder/cohort/populations.parquet first" in capsys.readouterr().err


def test_patients_without_draws_are_refused_in_one_line(capsys):
    assert main(["plan", "--patients", "16"]) == 1
    assert "give both --patients and --draws" in capsys.readouterr().err


# Processor time in seconds of finished studies other than the one that the rates are from (docs/performance.md).
MEASURED = {
    "studies/textbook.yaml": {"source": 24.9, "excerpts": 20.2, "beats": 29.4, "explanation": 60.1, "pages": 36.3},
    "studies/recordings.yaml": {"source": 27.7, "excerpts": 22.8, "beats": 33.8, "explanation": 68.5, "pages": 42.6},
    "studies/paper-scale.yaml": {"source": 273.2, "cohort": 4.4, "excerpts": 86.0, "beats": 116.0},
}


@pytest.mark.parametrize("overlay", MEASURED)
def test_a_study_took_what_the_plan_says_within_a_factor_of_1_5(overlay):
    study = _study(overlay)
    planned = {stage.rate.stage: stage.seconds for stage in plan_stages(study, study_size(study))}
    for stage, seconds in MEASURED[overlay].items():
        assert 1 / 1.5 < planned[stage] / seconds < 1.5, stage
