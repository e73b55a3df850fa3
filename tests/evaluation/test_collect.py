from datetime import datetime, timedelta

from beat_shards import write_split
from kalemia.core.tables import empty_table, read_table, table_from_rows, write_table
from kalemia.evaluation.collect import write_baselines, write_leakage

START = datetime(2150, 3, 1)


class Patient:
    """The split, the baselines (none) and the predictions of a patient: draws take turns, the first positive.

    The first four are learned from, in two rounds, the last four tested.
    """

    def __init__(self, folder, subject, logits_of_round):
        self.folder = folder / f"paper/p{subject}"
        self.draws = [1000 * subject + place for place in range(8)]
        rounds = [tuple(self.draws[:2]), tuple(self.draws[2:4])]
        self.split = write_split(self.folder / "split.json", subject, rounds, self.draws[4:])
        self.baselines = self.folder / "baselines.parquet"
        write_table(self.baselines, "baselines", empty_table("baselines"))
        self.predictions = []
        for k, logits in logits_of_round.items():
            rows = [
                {
                    "subject_id": subject,
                    "draw_id": draw,
                    "draw_time": START + timedelta(hours=6 * place),
                    "label": 1 - place % 2,
                    "role": "train" if place < 2 * k else "test" if place >= 4 else "other",
                    "logit": logit,
                }
                for place, (draw, logit) in enumerate(zip(self.draws, logits, strict=True))
            ]
            path = self.folder / f"round-{k}/predictions.parquet"
            write_table(path, "predictions", table_from_rows("predictions", rows))
            self.predictions.append(path)


def test_random_intercepts_by_hand(tmp_path):
    """All four logits of learning are c, so that the own offset is -c, of variance 1 / (4 * 0.5 * 0.5) = 1.

    For c of 2, 4 and 8 the others' offsets lie d = 4, 6 and 2 apart, so that d ** 2 / 2 - 1 = 7, 17 and 1 is the
    variance between them, and -6, -5 and -3 their mean.
    """
    intercepts = {2.0: -6 + 4 * 7 / 8, 4.0: -5 + 1 * 17 / 18, 8.0: -3 - 5 * 1 / 2}
    patients = [
        Patient(tmp_path, subject, {0: [c] * 4 + [-intercept + 0.01, -intercept - 0.01] * 2})
        for subject, (c, intercept) in enumerate(intercepts.items(), start=200001)
    ]
    files = ([getattr(patient, name) for patient in patients] for name in ("baselines", "split"))
    write_baselines(*files, [path for patient in patients for path in patient.predictions], tmp_path, "")
    rows = read_table(tmp_path / "baseline_metrics.parquet", "baseline_metrics").to_pylist()
    assert [(row["subject_id"], row["baseline"]) for row in rows] == [
        (subject, "random_intercept") for subject in (200001, 200002, 200003)
    ]
    assert [(row["n_test"], row["n_positive"], row["sensitivity"], row["specificity"]) for row in rows] == [
        (4, 2, 1, 1)
    ] * 3


def test_each_test_draw_has_its_distance_to_training_and_its_places(tmp_path):
    ordered = [0.0] * 4 + [3.0, 1.0, 2.0, 2.0]
    patient = Patient(tmp_path, 200001, {0: [0.0] * 8, 2: ordered})
    write_leakage([patient.split], patient.predictions, tmp_path, "")
    rows = read_table(tmp_path / "training_distances.parquet", "training_distances").to_pylist()
    assert [row["draw_id"] for row in rows] == patient.draws[4:]
    assert [row["hours_to_training"] for row in rows] == [6, 12, 18, 24]
    assert [row["placement_generic"] for row in rows] == [0.5] * 4
    assert [row["placement"] for row in rows] == [1, 1, 0.75, 0.75]
