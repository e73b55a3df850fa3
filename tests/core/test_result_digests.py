"""Results of another configuration are refused where Snakemake has no record of them."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import torch

from kalemia.core.config import Study
from kalemia.core.config_files import config_text
from kalemia.core.errors import UserError
from kalemia.core.result_digests import key_tables, refuse_foreign_results
from kalemia.core.runs.digests import study_of_job
from kalemia.core.tables import empty_table, write_json, write_table, write_text
from kalemia.network.checkpoints import Lineage, save_checkpoint

_MEND = "delete it and run again"


def _no_record(path):
    return False


@pytest.fixture
def results(tmp_path, study):
    """Results of a study: tables of the cohort, of a patient's beats and of the report's settings."""
    write_table(tmp_path / "cohort/draws.parquet", "draws", empty_table("draws"), study.digest("cohort"))
    write_table(tmp_path / "beats/generic.parquet", "beats", empty_table("beats"), study.digest("generic_beats"))
    write_table(tmp_path / "beats/p000001.parquet", "beats", empty_table("beats"), study.digest("beats"))
    write_text(tmp_path / "config.yaml", config_text(study))
    return str(tmp_path)


def test_results_of_this_configuration_pass_without_records(results, study):
    refuse_foreign_results(study, results, _no_record)
    refuse_foreign_results(replace(study, results="moved"), results, _no_record)
    refuse_foreign_results(study, f"{results}/not-there", _no_record)


def test_another_seed_is_refused_in_one_line_that_names_the_file(results, study):
    with pytest.raises(UserError, match=r"cohort/draws\.parquet: was made with other settings") as error:
        refuse_foreign_results(replace(study, seed=99), results, _no_record)
    assert "\n" not in str(error.value)
    assert f"delete {results} to start over" in str(error.value)


def test_where_snakemake_has_a_record_it_remakes_the_file_itself(results, study):
    asked = []
    refuse_foreign_results(replace(study, seed=99), results, lambda path: not asked.append(path))
    assert f"{results}/cohort/draws.parquet" in asked


def test_settings_of_one_patient_s_table_count(results, study):
    other = replace(study, beats=replace(study.beats, min_per_draw=study.beats.min_per_draw + 1))
    with pytest.raises(UserError, match=r"beats/p000001\.parquet"):
        refuse_foreign_results(other, results, _no_record)


def test_settings_that_no_table_carries_are_compared_with_the_settings_of_the_report(results, study):
    other = replace(study, simulation=replace(study.simulation, noise=study.simulation.noise + 1))
    with pytest.raises(UserError, match=r"config\.yaml"):
        refuse_foreign_results(other, results, _no_record)


def test_few_files_are_read_however_many_patients_there_are(tmp_path, study):
    for n in range(50):
        write_text(tmp_path / f"beats/p{n:06d}.parquet", "")
    assert sum("beats" in path.parts for path in key_tables(study, tmp_path)) == 1


@pytest.fixture
def inputs(tmp_path, config):
    """A configuration, and one file of each kind that a job may read, made with it."""
    config["results"] = str(tmp_path)
    study = Study.from_config(config)
    patient = tmp_path / "personal/paper/p000001"
    write_table(tmp_path / "beats/p000001.parquet", "beats", empty_table("beats"), study.digest("beats"))
    write_table(patient / "nulls/first.parquet", "nulls", empty_table("nulls"), study.nulls_digest("paper", "first"))
    write_json(patient / "split.json", {"digest": study.split_digest("paper")})
    lineage = Lineage("personal", study.network, study.arm_digest("paper"), (1,), datetime(2150, 1, 1))
    save_checkpoint(patient / "round-1/model.safetensors", {"a": torch.ones(2)}, lineage)
    write_text(tmp_path / "elsewhere.txt", "a file without a digest")
    return config, [str(path) for path in tmp_path.rglob("*") if path.is_file()]


def test_a_job_takes_inputs_of_its_own_configuration(inputs):
    config, paths = inputs
    assert len(paths) == 5
    assert study_of_job(config, paths).results == config["results"]


@pytest.mark.parametrize(
    ("section", "changed", "refused"),
    [
        ("beats", {"max_per_draw": 7}, {"p000001.parquet"}),
        ("personal", {"test_fraction": 0.4}, {"split.json", "first.parquet"}),
        ("network", {"width": 3}, {"model.safetensors", "first.parquet"}),
    ],
)
def test_a_job_refuses_inputs_of_other_settings_by_name(inputs, section, changed, refused):
    config, paths = inputs
    config = config | {section: config[section] | changed}
    said = {path: _error(config, path) for path in paths}
    assert {Path(path).name for path in paths if said[path]} == refused
    for path, error in said.items():
        assert error in (None, f"{path}: was made with other settings or another version of Kalemia; {_MEND}")


def test_a_damaged_input_is_called_damaged(inputs):
    config, paths = inputs
    (path,) = [path for path in paths if path.endswith("beats/p000001.parquet")]
    data = bytearray(Path(path).read_bytes())
    data[-12] ^= 1  # in the footer
    Path(path).write_bytes(data)
    assert _error(config, path) == f"{path}: is damaged, or of an older version of Kalemia; {_MEND}"


def _error(config, path) -> str | None:
    try:
        study_of_job(config, [path])
    except UserError as error:
        return str(error)
    return None
