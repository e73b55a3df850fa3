import dataclasses
from datetime import timedelta

import pytest

from beat_shards import NETWORK, START, write_generic_model, write_shard
from kalemia.core import config
from kalemia.core.tables import read_table, table_from_rows, write_table
from kalemia.personal.arms import write_subject_split
from kalemia.personal.controls.control_runs import write_control_runs
from kalemia.personal.frozen_stages import write_features

ARM = config.Arm("paper", 0.2, "all", "adapt", False, epochs=30, batch_size=16, learning_rate=1e-2)
QUICK = dataclasses.replace(ARM, epochs=1)
PERSONAL = config.Personal(max_rounds=2)
SUBJECT = 200001
LABELS = [1, 1, 0, 0] * 4


class Patient:
    """A simulated patient whose T waves tell the label, up to the split and the features."""

    def __init__(self, folder):
        self.folder, self.generic = folder, write_generic_model(folder / "generic.safetensors")
        self.shard, self.split, self.features = (folder / name for name in ("b.parquet", "split.json", "f.safetensors"))
        self.draws = write_shard(self.shard, SUBJECT, LABELS, beats_per_draw=8)
        rows = [
            {"subject_id": SUBJECT, "draw_id": draw, "draw_time": START + timedelta(hours=6 * i), "label": label}
            for i, (draw, label) in enumerate(zip(self.draws, LABELS, strict=True))
        ]
        write_table(folder / "quality.parquet", "quality", table_from_rows("quality", rows))
        write_subject_split(folder / "quality.parquet", self.shard, "paper", ARM, PERSONAL, 1, "", self.split)
        write_features(self.shard, self.generic, NETWORK, 1, 1, self.features)

    def runs(self, values, n_shifted=2, control="sodium", name="runs", arm=QUICK):
        rows = [
            {"subject_id": SUBJECT, "draw_id": draw, "value": value, "hours": 0.0}
            for draw, value in zip(self.draws, values, strict=True)
            if value is not None
        ]
        write_table(self.folder / "values.parquet", "control_values", table_from_rows("control_values", rows))
        path = self.folder / f"{name}.parquet"
        write_control_runs(
            control, self.folder / "values.parquet", self.split, self.shard, self.features, self.generic, NETWORK,
            PERSONAL, arm, n_shifted, 1, "d", "vote", path,
        )  # fmt: skip
        return read_table(path, "control_runs", digest="d").to_pylist()


@pytest.fixture
def patient(tmp_path):
    return Patient(tmp_path)


def test_an_analyte_that_the_ecg_tells_is_read(patient):
    values = [130 + i / 10 if label else 145 + i / 10 for i, label in enumerate(LABELS)]
    own, *shifted = patient.runs(values, n_shifted=1, arm=ARM)
    assert (own["kind"], own["auc"], own["reason"]) == ("own", 1.0, None)
    assert (own["n_test"], own["n_positive"]) == (4, 2)
    assert own["test_runs"] >= 2
    assert [(row["kind"], row["repeat"]) for row in shifted] == [("shifted", 0)]
    assert shifted[0]["auc"] < 1


def test_the_same_runs_have_the_same_bytes_and_another_analyte_other_seeds(patient):
    values = [130 + (7 * i) % 16 for i in range(len(LABELS))]
    first = patient.runs(values, name="first")
    again = patient.runs(values, name="again")
    assert (patient.folder / "first.parquet").read_bytes() == (patient.folder / "again.parquet").read_bytes()
    other = patient.runs(values, control="creatinine", name="other")
    seeds = [row["seed"] for rows in (first, other) for row in rows]
    assert first == again
    assert len(set(seeds)) == 6


def test_a_patient_whose_draws_lack_a_class_has_one_row_that_says_so(patient):
    (row,) = patient.runs([139.0] * len(LABELS))
    assert row["reason"] == "its draws do not have both classes of sodium"
    assert (row["auc"], row["n_test"]) == (None, None)


def test_labels_that_the_protocol_cannot_split_have_one_row_with_its_reason(patient):
    (row,) = patient.runs([145.0, None, 130.0, *[None] * 13])
    assert row["reason"] == "too few draws of a class to hold some out and learn from others"
