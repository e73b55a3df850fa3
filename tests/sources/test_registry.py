import pytest

from kalemia.core.config import Study
from kalemia.core.errors import UserError
from kalemia.sources.registry import SOURCES, describe_source


def _describe(config, **source):
    return describe_source(Study.from_config(config | {"source": config["source"] | source}))


def _error(config, **source):
    with pytest.raises(UserError) as caught:
        _describe(config, **source).check()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_schema_lists_the_registered_kinds(schema):
    kind = schema["properties"]["source"]["properties"]["kind"]
    assert set(kind["enum"]) == set(SOURCES)


def test_the_description_and_the_configuration_agree_on_simulation(config):
    for kind in SOURCES:
        description = _describe(config, kind=kind, waveforms="a", tables="b")
        assert description.is_simulated == description.study.is_simulated


def test_every_kind_describes_itself_without_opening_anything(config):
    for kind in SOURCES:
        description = _describe(config, kind=kind, waveforms="https://example.org", tables="https://example.org")
        assert description.description
        assert isinstance(description.tables_folder, str)


def test_a_missing_place_and_a_missing_folder_are_named(config):
    for kind in SOURCES.keys() - {"simulated"}:
        assert _error(config, kind=kind) == f"config: source.waveforms: must be given when source.kind is {kind}"
        error = _error(config, kind=kind, waveforms="/nowhere", tables="/nowhere")
        key, advice = ("waveforms", "; name your folder: ") if kind == "local" else ("tables", "")
        assert error.startswith(f"config: source.{key}: /nowhere does not exist{advice}")


@pytest.mark.parametrize("kind", ["physionet", "mimic4", "vitaldb"])
def test_a_user_name_in_a_url_is_refused_and_not_shown(config, kind):
    for key in ("waveforms", "tables"):
        places = {"waveforms": "https://example.org", "tables": "https://example.org"}
        error = _error(config, kind=kind, **places | {key: "https://me:secret@example.org"})
        assert error.startswith(f"config: source.{key}: holds a user name")
        assert "secret" not in error


def test_only_physionets_databases_are_read_from_urls(config, tmp_path):
    kinds = SOURCES.keys() - {"simulated", "physionet", "mimic4", "vitaldb"}
    for kind in kinds:
        error = _error(config, kind=kind, waveforms="https://example.org", tables=str(tmp_path))
        assert error == f"config: source.waveforms: must be a folder when source.kind is {kind}"


@pytest.mark.parametrize(
    "analyte",
    [{"name": "calcium"}, {"unit": "mg/dL"}, {"positive": {"above": 8.0}}, {"positive": {"above": None, "below": 2.0}}],
)
def test_the_simulation_refuses_an_unknown_analyte(config, analyte):
    config["analyte"] |= analyte
    assert _error(config).startswith("config: analyte: source.kind simulated supports only potassium in mEq/L")
    _describe(config, kind="physionet", waveforms="https://example.org", tables="https://example.org").check()


def test_the_simulated_cohort_is_in_the_results_folder(config):
    source = _describe(config)
    assert source.input_files() == ["results/source/mimic3wdb-matched"]
    assert source.cohort_tables()[0] == "results/source/mimiciii/1.4/PATIENTS.csv.gz"
    assert source.people_tables() == [f"{source.tables_folder}/{name}.csv.gz" for name in ("PATIENTS", "ADMISSIONS")]
    assert "CHARTEVENTS" in source.optional_tables()
    assert source.clinical_folder == source.tables_folder


def test_downloaded_tables_are_in_the_results_folder_and_optional_ones_are_chosen(config):
    url = "https://example.org"
    source = _describe(config, kind="physionet", waveforms=url, tables=url, optional_tables=["CHARTEVENTS"])
    assert (source.downloads_recordings, source.downloads_tables) == (True, True)
    assert source.input_files() == []
    assert source.table_path("LABEVENTS") == "results/source/tables/LABEVENTS.csv.gz"
    assert source.optional_tables() == ("CHARTEVENTS",)


def test_the_tables_of_a_folder_are_those_that_it_has(config, tmp_path):
    source = _describe(config, kind="physionet", waveforms="recordings", tables=str(tmp_path))
    (tmp_path / "CHARTEVENTS.csv").touch()
    assert source.input_files() == ["recordings/mimic3wdb-matched/1.0/RECORDS-waveforms"]
    assert source.optional_tables() == ("CHARTEVENTS",)
    assert source.table_path("CHARTEVENTS") == f"{tmp_path}/CHARTEVENTS.csv"
    with pytest.raises(UserError, match="has no PATIENTS"):
        source.cohort_tables()


def test_user_recordings_change_with_the_files_of_their_subjects(config, tmp_path):
    (kind,) = SOURCES.keys() - {"simulated", "physionet", "mimic4", "vitaldb"}
    source = _describe(config, kind=kind, waveforms=str(tmp_path), tables=str(tmp_path))
    (tmp_path / "recordings.csv").write_text("subject,path\n7,a.csv\n7,b.csv\n8,c\n")
    for name in ("a.csv", "c.hea", "c.dat", "potassium.csv"):
        (tmp_path / name).touch()
    files = [f"{tmp_path}/{name}" for name in ("recordings.csv", "a.csv", "c.hea", "c.dat")]
    assert source.input_files() == files
    assert source.input_files(["p000007"]) == files[:2]
    assert source.input_files(["p000009"]) == files[:1]
    assert source.cohort_tables() == [f"{tmp_path}/potassium.csv"]
    assert (source.people_tables(), source.optional_tables(), source.clinical_folder) == ([], (), None)
