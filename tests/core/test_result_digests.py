"""Results of another configuration are refused where Snakemake has no record of them."""

from dataclasses import replace

import pytest

from kalemia.core.config_files import config_text
from kalemia.core.errors import UserError
from kalemia.core.result_digests import key_tables, refuse_foreign_results
from kalemia.core.tables import empty_table, write_table, write_text


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
    assert sum("beats" in path.parts for path, _ in key_tables(study, tmp_path)) == 1
