"""Networks of a small real study, exported: on any excerpt they say what the study says, to the last bit."""

import json
import shutil

import pytest

from kalemia import load_model
from kalemia.cli import main
from kalemia.core.tables import read_table
from run_workflow import run_snakemake

pytestmark = pytest.mark.workflow
TINY = "tests/studies/tiny.yaml"
NO_CONTROLS = dict.fromkeys(("shuffled", "shifted", "stranger", "between_beats"), 0)


@pytest.fixture(scope="module", params=["none", "subject"])
def results(request, tmp_path_factory):
    """The results of a study whose beats are normalized over this scope, with two patients, two arms, two rounds."""
    folder = tmp_path_factory.mktemp(request.param)
    changes = {"network": {"normalization": request.param, "rr_intervals": request.param == "subject"}}
    run = run_snakemake(
        folder, studies=(TINY,), config=changes | {"arms": {"paper": {"negative_controls": NO_CONTROLS}}}
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "results"


def _rounds(results):
    return sorted(path for path in results.glob("personal/*/*/round-*") if path.name != "round-0")


def _excerpts(results, subject):
    """(draw, samples or None) of every draw of a patient, in the order of time."""
    table = read_table(results / f"excerpts/{subject}.parquet", "excerpts").sort_by("draw_time")
    for draw, ecg_mv in zip(table["draw_id"].to_pylist(), table["ecg_mv"], strict=True):
        yield draw, ecg_mv.values.to_numpy() if ecg_mv.is_valid else None


def test_every_window_has_the_prediction_of_its_draw(results, tmp_path):
    n_compared = []
    last = {folder.parent: folder for folder in _rounds(results)}
    for number, folder in enumerate(last.values()):
        subject = folder.parts[-2]
        assert main(["export", str(folder), "--to", str(tmp_path / str(number))]) == 0
        model = load_model(tmp_path / str(number))
        is_normalized = model.config.network.normalization == "subject"  # by all draws so far, so only later ones agree
        rows = {row["draw_id"]: row for row in read_table(folder / "predictions.parquet", "predictions").to_pylist()}
        quality = read_table(results / f"beats/{subject}.quality.parquet", "quality").to_pylist()
        reasons = {row["draw_id"]: row["reason"] for row in quality}
        n_compared.append(0)
        for draw, ecg_mv in _excerpts(results, subject):
            if ecg_mv is None or (is_normalized and draw in rows and rows[draw]["draw_time"] <= model.config.cut_off):
                continue
            found = model.assess_window(ecg_mv)
            model = model.after(found)
            assert found.reason == reasons[draw]
            if found.reason is None:
                expected = {name: rows[draw][name] for name in ("n_beats", "logit", "probability", "decision")}
                assert {name: getattr(found, name) for name in expected} == expected
                n_compared[-1] += 1
    assert len(n_compared) == 3
    assert max(n_compared) >= 15  # under `paper` the last draw may be a training draw


def test_the_generic_network_says_of_first_draws_what_the_study_says(results, tmp_path):
    """Of a patient's first good draw: in later ones the study marks the wave of that draw."""
    assert main(["export", str(results / "generic"), "--to", str(tmp_path / "generic")]) == 0
    model, n_compared = load_model(tmp_path / "generic"), 0
    for row in read_table(results / "generic/predictions.parquet", "predictions").to_pylist():
        subject = f"p{row['subject_id']:06d}"
        (quality,) = (
            of
            for of in read_table(results / f"beats/{subject}.quality.parquet", "quality").to_pylist()
            if of["draw_id"] == row["draw_id"]
        )
        if quality["fiducial_draw_id"] == row["draw_id"]:
            found = model.assess_window(dict(_excerpts(results, subject))[row["draw_id"]])
            assert (found.logit, found.probability) == (row["logit"], row["probability"])
            n_compared += 1
    assert n_compared >= 10


def test_a_model_of_other_settings_than_the_results_hold_is_refused(results, tmp_path, capsys):
    copy = tmp_path / "results"
    shutil.copytree(results, copy, ignore=shutil.ignore_patterns("source", "features", "figures", "patients"))
    folder = next(path for path in _rounds(copy) if path.name == "round-1")
    text = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(text.replace("min_correlation: 0.7", "min_correlation: 0.6"))
    assert main(["export", str(folder), "--to", str(tmp_path / "model")]) == 1
    said = capsys.readouterr().err
    assert "was made with other settings" in said
    assert said.count("\n") == 1
    (copy / "config.yaml").unlink()
    assert main(["export", str(folder), "--to", str(tmp_path / "model")]) == 1
    assert "config.yaml: cannot be read as a configuration" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
    assert not list(tmp_path.glob(".*"))


def test_what_is_no_network_of_a_study_is_refused(results, tmp_path, capsys):
    folder = _rounds(results)[0].parent
    for network in (folder / "round-0", folder / "round-9", folder, results, "nowhere/generic"):
        assert main(["export", str(network), "--to", str(tmp_path / "model")]) == 1
        assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_every_file_of_weights_can_be_read_as_the_umask_says(results):
    modes = {path.stat().st_mode & 0o777 for path in results.rglob("*.safetensors")}
    assert modes == {(results / "config.yaml").stat().st_mode & 0o777}


def test_the_configuration_names_draws_cut_off_and_parents(results, tmp_path):
    folder = next(path for path in _rounds(results) if path.name == "round-2")
    assert main(["export", str(folder), "--to", str(tmp_path / "model")]) == 0
    model = json.loads((tmp_path / "model/config.json").read_text())["model"]
    roles = read_table(folder / "predictions.parquet", "predictions").to_pylist()
    learned = {row["draw_id"]: row["draw_time"] for row in roles if row["role"] == "train"}
    assert set(model["draws"]) == set(learned)
    assert model["cut_off"] == max(learned.values()).isoformat()
    assert len(model["origin"]["generic"]) == len(model["origin"]["parent"]) == 64
    assert model["notice"] == "Research use only, not a medical device."
