import subprocess
import sys

import pyarrow as pa
import pytest

import kalemia
from kalemia.core.config_files import config_text
from kalemia.core.errors import UserError
from kalemia.core.tables import empty_table, table_from_rows, write_table, write_text


@pytest.fixture
def finished(tmp_path, study):
    """A results folder with a few tables of two patients."""
    write_text(tmp_path / "config.yaml", config_text(study))
    rounds = [{"arm": arm, "subject_id": subject, "round": 0} for arm in study.arms for subject in (7, 12)]
    write_table(tmp_path / "evaluation/rounds.parquet", "rounds", table_from_rows("rounds", rounds))
    for subject in (7, 12):
        quality = [{"subject_id": subject, "draw_id": subject * 10 + i} for i in range(2)]
        write_table(tmp_path / f"beats/p{subject:06d}.quality.parquet", "quality", table_from_rows("quality", quality))
        write_table(tmp_path / f"beats/p{subject:06d}.parquet", "beats", empty_table("beats"))
        write_table(
            tmp_path / f"explanation/p{subject:06d}/waves.parquet",
            "waves",
            table_from_rows("waves", [{"model": "generic", "wave": "T"}]),
        )
        for k in (0, 2, 10):
            said = [{"subject_id": subject, "draw_id": subject * 10, "votes": k}]
            path = tmp_path / f"personal/paper/p{subject:06d}/round-{k}/predictions.parquet"
            write_table(path, "predictions", table_from_rows("predictions", said))
    write_table(tmp_path / "beats/generic.parquet", "beats", empty_table("beats"))
    write_table(tmp_path / "generic/predictions.parquet", "predictions", empty_table("predictions"))
    return tmp_path


def test_a_study_s_tables_are_those_that_are_there(finished, study):
    read = kalemia.read_study(finished)
    assert set(read.table_names) == {"rounds", "quality", "beats", "waves", "predictions", "generic_predictions"}
    assert read.settings == study


def test_a_table_of_several_files_says_which_each_row_is_from(finished):
    table = kalemia.read_study(finished).table("predictions")
    assert table.column_names[:4] == ["arm", "round", "subject_id", "draw_id"]
    assert table.schema.field("round").type == pa.int32()
    rows = [(row["arm"], row["subject_id"], row["round"], row["votes"]) for row in table.to_pylist()]
    assert rows == [("paper", subject, k, k) for subject in (7, 12) for k in (0, 2, 10)]
    assert kalemia.read_study(finished).table("waves")["subject_id"].to_pylist() == [7, 12]


def test_values_of_other_analytes_say_which_it_is(finished):
    for control in ("sodium", "creatinine"):
        rows = [{"subject_id": 7, "draw_id": 70, "value": 1.5}]
        write_table(
            finished / f"cohort/control-{control}.parquet", "control_values", table_from_rows("control_values", rows)
        )
    table = kalemia.read_study(finished).table("control_values")
    assert table["control"].to_pylist() == ["creatinine", "sodium"]


def test_one_patient_is_read_without_the_files_of_others(finished):
    write_text(finished / "beats/p000007.quality.parquet", "damaged")
    read = kalemia.read_study(finished)
    assert read.table("quality", subject_id=12)["draw_id"].to_pylist() == [120, 121]
    assert read.table("rounds", subject_id=12)["subject_id"].to_pylist() == [12, 12]
    with pytest.raises(UserError, match=r"p000007\.quality"):
        read.table("quality")


def test_the_beats_of_a_study_are_those_of_its_patients_once(finished):
    write_text(finished / "beats/generic.parquet", "a copy, which is not read")
    assert kalemia.read_study(finished).table("beats").num_rows == 0


@pytest.mark.parametrize(
    ("name", "subject", "said"),
    [
        ("round", None, "there is no table 'round'; did you mean rounds"),
        ("calibration", None, "the study made no table 'calibration'"),
        ("quality", 99, "the study made no table 'quality' of subject 99"),
    ],
)
def test_a_table_that_is_not_there_is_refused_in_one_line(finished, name, subject, said):
    with pytest.raises(UserError) as error:
        kalemia.read_study(finished).table(name, subject_id=subject)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


BOMB = "\n".join(["a0: &a0 [1]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))])


@pytest.mark.parametrize("text", [None, "a: [", "study: 7", "- 1", "arms: {../x: {}}", BOMB, "[" * 3000])
def test_a_folder_that_is_no_study_is_refused_in_one_line(tmp_path, text):
    if text is not None:
        write_text(tmp_path / "config.yaml", text)
    with pytest.raises(UserError, match=r"^\S+/config\.yaml: .* name the results folder of a finished study$"):
        kalemia.read_study(tmp_path)


def test_importing_kalemia_is_quick_and_loads_no_library():
    program = (
        "import time, sys; began = time.perf_counter(); import kalemia; took = time.perf_counter() - began;"
        "print(took, sorted({name.partition('.')[0] for name in sys.modules} & {'torch', 'numpy', 'pyarrow', 'scipy'}))"
    )
    runs = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True) for _ in "123"]
    assert min(float(run.stdout.split()[0]) for run in runs) < 0.1
    assert all(run.stdout.strip().endswith("[]") for run in runs)


def test_everything_public_is_there_and_nothing_else():
    for name in kalemia.__all__:
        assert getattr(kalemia, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        kalemia.nothing  # noqa: B018
