"""A results folder as the stages before the report write it, with made-up figures: quick, and known in every cell."""

from datetime import datetime, timedelta
from itertools import pairwise, product
from pathlib import Path

import numpy as np

from kalemia.beats.mean_beats import write_mean_beats
from kalemia.cohort.characteristics import GROUPS
from kalemia.core.config import Study
from kalemia.core.paths import subject_name
from kalemia.core.schemas import EXPLANATION
from kalemia.core.seeds import rng
from kalemia.core.tables import table_from_rows, write_json, write_table, write_text
from kalemia.evaluation.between_patients.comparators import COMPARATORS
from kalemia.evaluation.build_evaluation import find_evaluation_inputs, write_evaluation
from kalemia.evaluation.claims.registration import claims_digest, registered_settings
from kalemia.explanation.wave_windows import uniform_fractions, wave_fractions, wave_windows, window_limits_ms
from kalemia.stats.draw_metrics import draw_decisions

PERSONAL = (10013, 11442, 12108, 13033)
N_DRAWS, N_ROUNDS, N_TEST = 24, 5, 8
BEAT_LOGITS = np.log((np.arange(200) + 0.5) / (199.5 - np.arange(200)))  # of one draw, around its mean
NO_FORWARD = "no moment has both classes before it and enough of both after it"
NEAREST = [{"subject_id": 10354, "positive": 3, "negative": 11}, {"subject_id": 10019, "positive": 0, "negative": 4}]
START = datetime(2131, 4, 2, 6, 30)


def write_results(results: Path, study: Study, personal=PERSONAL, unevaluable=("forward",)) -> list[str]:
    """Write everything the report reads; the last personal patient cannot be evaluated in the arms `unevaluable`.

    Returns the personal patients as the workflow names them.
    """
    reason_of = {
        (arm, subject): NO_FORWARD if arm in unevaluable and subject == personal[-1] else None
        for arm in study.arms
        for subject in personal
    }
    _write_cohort(results, personal, reason_of)
    _write_registration(results, study)
    _write_generic(results)
    for subject in personal:
        draws = _draws(subject)
        _write_beats(results, subject, draws)
        arms = [arm for arm in study.arms if reason_of[arm, subject] is None]
        for arm in arms:
            _write_arm(results, arm, study.arms[arm].protocol, subject, draws)
        if arms:
            _write_explanation(results / "explanation" / subject_name(subject), subject, ["generic", *arms], draws)
    if study.controls:
        _write_controls(results, study, [s for s in personal if reason_of[study.deciding_arm, s] is None])
    write_evaluation(study, find_evaluation_inputs(results, study), results / "evaluation")
    _write_times(results / "times")
    _write_truth(results / "source/truth.json", personal)
    return [subject_name(subject) for subject in personal]


def _write_truth(path: Path, personal: tuple) -> None:
    """Potassium acts on the first half of the T wave of every second patient, and on the second half of the others."""
    halves_ms = ((130.0, 260.0), (270.0, 400.0))
    patients = [
        {"subject_id": subject, "potassium_acts_at": [{"place": "T", "from_ms": start, "to_ms": stop}]}
        for i, subject in enumerate(personal)
        for start, stop in [halves_ms[i % 2]]
    ]
    write_json(path, {"patients": patients})


def _write_controls(results: Path, study: Study, personal: list[int]) -> None:
    """Other analytes at the draws of the patients, and their runs: only the last patient has no network on them."""
    for control in study.controls:
        values = [
            {"subject_id": subject, "draw_id": draw["draw_id"], "value": 140.0 - draw["value"], "hours": 0.0}
            for subject in personal
            for draw in _draws(subject)
        ]
        write_table(
            results / f"cohort/control-{control}.parquet", "control_values", table_from_rows("control_values", values)
        )
        for subject in personal:
            keys = {"arm": study.deciding_arm, "subject_id": subject, "control": control}
            rows = [keys | {"kind": "own", "repeat": 0, "reason": f"its draws do not have both classes of {control}"}]
            if subject != personal[-1]:
                about = keys | {"seed": 1, "test_runs": 4, "n_test": N_TEST, "n_positive": N_TEST // 2}
                aucs = [("own", 0, 0.9), *(("shifted", i, 0.4 + i / 100) for i in range(study.n_shifted_controls))]
                rows = [about | {"kind": kind, "repeat": i, "auc": auc} for kind, i, auc in aucs]
            folder = results / "personal" / study.deciding_arm / subject_name(subject) / "controls"
            write_table(folder / f"{control}.parquet", "control_runs", table_from_rows("control_runs", rows))


def _write_registration(results: Path, study: Study) -> None:
    registered = {"digest": claims_digest(study), "settings": registered_settings(study)}
    registered |= {"time": "2026-01-02 03:04:05 UTC", "after_training": False}
    write_json(results / "cohort/claims.json", {"registrations": [registered]})


def _write_times(folder: Path) -> None:
    """As jobs write them: one table per job."""
    jobs = {
        "generic/generic": ("75.25", "410.5"),
        "nulls/paper/p010013": ("1.5", "210.0"),
        "nulls/paper/p011442": ("2.25", "190.0"),
    }
    for name, (seconds, memory_mb) in jobs.items():
        write_text(folder / f"{name}.tsv", f"s\tcpu_s\tmax_rss_mb\n{seconds}\t1.0\t{memory_mb}\n")


def _draws(subject: int) -> list[dict]:
    """Two stays of half the draws each, 40 days apart; labels in runs of three; the fourth draw was excluded."""
    random = rng(1, "draws", subject)
    draws = []
    for i in range(N_DRAWS):
        label = None if i == 6 else (i // 3) % 2
        potassium = 5.2 if label is None else random.normal(6.2, 0.4) if label else random.normal(4.2, 0.35)
        if label is not None:
            potassium = max(potassium, 5.6) if label else min(max(potassium, 3.5), 5.0)
        time = START + timedelta(hours=6.0 * i + random.uniform(0, 2), days=40 * (i >= N_DRAWS // 2))
        draws.append(
            {
                "subject_id": subject,
                "draw_id": subject * 100 + i,
                "draw_time": time,
                "value": potassium,
                "label": label,
                "reason": "too few good beats" if i == 3 else None,
            }
        )
    return draws


RULES = {
    "recorded before the draw": "5 of the 10 minutes before, at most 5 outside the recording; some more words here"
}


def _write_cohort(results: Path, personal: tuple, reason_of: dict) -> None:
    write_table(results / "cohort/subject_names.parquet", "subject_names", table_from_rows("subject_names", []))

    def step(name, draws, subjects, lost_draws=0, lost_subjects=0, **reasons):
        named = {reason.replace("_", " "): {"draws": n, "subjects": k} for reason, (n, k) in reasons.items()}
        return {
            "step": name,
            "rule": RULES.get(name),
            "subjects": subjects,
            "draws": draws,
            "lost_subjects": lost_subjects,
            "lost_draws": lost_draws,
            "reasons": named,
        }

    steps = [
        step("value measured", 1412, 61),
        step("value usable", 1395, 60, 17, 1, comparator=(9, 1), twin=(8, 0)),
        step("no atrial fibrillation or pacing coded", 1343, 57, 52, 3, atrial_fibrillation_coded=(52, 3)),
        step("recorded before the draw", 401, 55, 942, 2, no_recording=(310, 2), not_recording_at_the_time=(632, 0)),
        step("chosen to be read", 290, 55, 111, 0, gray_zone_of_a_generic_patient=(111, 0)),
        step("lead present", 281, 54, 9, 1, no_lead=(5, 1), gap=(4, 0)),
        step("enough good beats", 266, 53, 15, 1, too_few_good_beats=(15, 1)),
        step("in a population", 254, 50, 12, 3, surplus_of_the_class=(12, 3)),
    ]
    reviewed = {"accepted": 2, "rejected": 1, "rescued": 1}
    reviewed |= {
        "accepted_classes": {"positive": {"draws": 2, "value": [7.1, 6.2, 8.0]}},
        "rejected_classes": {"unlabeled": {"draws": 1, "value": [5.2, 5.2, 5.2]}},
    }
    write_json(
        results / "cohort/flow.json",
        {
            "steps": steps,
            "flags": {"comparator": 9, "twin": 16},
            "reviewed": reviewed,
            "nearest": NEAREST,
            "pairing": None,
        },
    )
    _write_outcomes(results / "cohort", personal)
    write_json(
        results / "cohort/characteristics.json",
        {
            "generic": {
                "n": 44,
                "age_median_iqr": [63.5, 51.0, 74.25],
                "men": [25, 25 / 44],
                "ethnicity": dict(zip(GROUPS, (28, 6, 2, 1, 0, 2, 5), strict=True)),
                "height_cm_median_iqr": [170.25, 163.0, 178.0],
                "weight_kg_median_iqr": [80.5, 66.0, 95.25],
                "missing": {"age": 0, "gender": 0, "ethnicity": 0, "height": 9, "weight": 0},
                "potassium_negative_mean_sd": [4.21, 0.41],
                "potassium_positive_mean_sd": [6.31, 0.62],
                "draws": 116,
                "positive": 58,
                "negative": 58,
            },
            "personal": {
                "n": len(personal),
                "age_median_iqr": [58.0, 49.5, 66.0],
                "men": [len(personal), 1.0],
                "ethnicity": dict(zip(GROUPS, (len(personal), 0, 0, 0, 0, 0, 0), strict=True)),
                "height_cm_median_iqr": [None, None, None],
                "weight_kg_median_iqr": [88.0, 75.0, 104.5],
                "missing": {"age": 0, "gender": 0, "ethnicity": 0, "height": len(personal), "weight": 0},
                "potassium_negative_mean_sd": [4.18, 0.36],
                "potassium_positive_mean_sd": [6.22, 0.44],
                "draws": 23 * len(personal),
                "positive": 11 * len(personal),
                "negative": 11 * len(personal),
            },
        },
    )
    generic = [
        {
            "subject_id": 20000 + i,
            "population": "generic" if i < 44 else None,
            "split": ("train", "train", "train", "validation", "test")[i % 5] if i < 44 else None,
            "n_positive": 3 * (i % 2),
            "n_negative": 3 * (1 - i % 2),
            "n_draws": 3,
            "reason": None if i < 44 else "surplus of the class",
        }
        for i in range(47)
    ]
    mine = [
        {"subject_id": subject, "population": "personal", "n_positive": 11, "n_negative": 11, "n_draws": 23}
        for subject in personal
    ]
    write_table(results / "cohort/populations.parquet", "populations", table_from_rows("populations", mine + generic))
    by_arm = [
        {"arm": arm, "subject_id": subject, "rounds": 0 if reason else N_ROUNDS, "reason": reason}
        for (arm, subject), reason in reason_of.items()
    ]
    write_table(results / "personal/arms.parquet", "arms", table_from_rows("arms", by_arm))
    values = [{**draw, "reason": None} for subject in personal for draw in _draws(subject)] + [
        {"draw_id": subject * 100 + 90 + i, "subject_id": subject, "reason": "not recording at the time"}
        for subject in personal
        for i in range(5)
    ]
    write_table(results / "cohort/draws.parquet", "draws", table_from_rows("draws", values))
    write_table(results / "cohort/context.parquet", "context", table_from_rows("context", _context(personal)))


def _context(personal: tuple) -> list[dict]:
    """The last value of every draw but the first: that of the draw before; every fifth had insulin."""
    return [
        {name: draw[name] for name in ("subject_id", "draw_id", "draw_time")}
        | {"last_value": before["value"], "calcium": None, "insulin": i % 5 == 0}
        | dict.fromkeys(("bicarbonate", "dialysis"), False)
        for subject in personal
        for i, (before, draw) in enumerate(pairwise(_draws(subject)))
    ]


def _write_outcomes(folder: Path, personal: tuple) -> None:
    """The draws of the personal patients and of 60 others; bad beats take a fifth of the positive draws of these.

    Other reasons take whom they take; the age of one of the others is not known.
    """
    outcomes = [
        {name: draw[name] for name in ("subject_id", "draw_id", "value", "label", "reason")}
        for subject in personal
        for draw in _draws(subject)
    ]
    of_twenty = {0: "too few good beats", 1: "no lead", 2: "not recording at the time", 3: "comparator"}
    for i, subject in enumerate(range(20000, 20060)):
        for j in range(20):
            label = (1, 0, None, 0)[j % 4]
            reason = of_twenty.get(j) or ("gray zone of a generic patient" if label is None else None)
            value = None if reason == "comparator" else {1: 6.2, 0: 4.1, None: 5.3}[label] + (i % 7) / 10
            label = None if reason == "comparator" else label
            row = {"subject_id": subject, "draw_id": 100 * subject + j, "value": value, "label": label}
            outcomes.append(row | {"reason": reason})
    write_table(folder / "outcomes.parquet", "outcomes", table_from_rows("outcomes", outcomes))
    subjects = (*personal, *range(20000, 20060))
    people = [{"subject_id": s, "age_years": 50.0 + s % 30, "gender": "MF"[s % 3 == 0]} for s in subjects]
    people[-1] |= {"age_years": None, "gender": None}
    write_table(folder / "people.parquet", "people", table_from_rows("people", people))


def _write_generic(results: Path) -> None:
    history = [
        {
            "epoch": epoch,
            "learning_rate": 1e-3,
            "train_loss": 0.69 * np.exp(-epoch / 9),
            "train_accuracy": 0.9 - 0.4 * np.exp(-epoch / 5),
            "validation_loss": 0.5 + 0.2 * np.exp(-epoch / 3) + 0.01 * max(0, epoch - 7),
            "validation_accuracy": 0.75 - 0.25 * np.exp(-epoch / 3),
            "seconds": 3.0,
        }
        for epoch in range(1, 16)
    ]
    write_table(results / "generic/history.parquet", "history", table_from_rows("history", history))

    predictions = [
        {
            "subject_id": 20000 + i,
            "draw_id": i,
            "draw_time": START + timedelta(hours=i),
            "value": 6.0 if i % 2 else 4.0,
            "label": i % 2,
            "role": "train" if i < 20 else "test",
            "n_beats": 200,
            "votes": 200 * (i % 2),
            "logit": 0.5 + (i % 2) - (i % 5) / 4,
            "probability": 0.5,
            "decision": i % 2,
        }
        for i in range(40)
    ]
    write_table(results / "generic/predictions.parquet", "predictions", table_from_rows("predictions", predictions))
    scores = [
        {key: row[key] for key in ("subject_id", "draw_id", "label")}
        | {"baseline": name, "score": row["label"] / 8 - (row["draw_id"] % (3 + place)) / 4}
        for place, name in enumerate(COMPARATORS)
        for row in predictions
        if row["role"] == "test"
    ]
    write_table(results / "generic/comparators.parquet", "comparators", table_from_rows("comparators", scores))

    def metrics(n_test, accuracy, auc):
        return {
            "n_test": n_test,
            "n_positive": n_test // 2,
            "accuracy": accuracy,
            "auc": auc,
            "sensitivity": accuracy - 0.02,
            "specificity": accuracy + 0.02,
            "draws": _discrimination(n_test, accuracy, auc),
            "beats": _discrimination(200 * n_test, accuracy - 0.05, auc - 0.04),
        }

    write_json(
        results / "generic/metrics.json",
        {
            "train": metrics(70, 0.886, 0.951),
            "validation": metrics(24, 0.75, 0.812),
            "test": metrics(22, 0.727, 0.793),
            "n_parameters": 62_321,
            "best_epoch": 8,
        },
    )


def _discrimination(n: int, accuracy: float, auc: float) -> dict:
    """As `kalemia.stats.discrimination` gives it."""

    def around(value: float) -> list[float]:
        return [value, value - 0.06, value + 0.04]

    return {
        "n": n,
        "n_positive": n // 2,
        "subjects": 44,
        "subjects_with_both": 3,
        "accuracy": around(accuracy),
        "auroc": around(auc),
        "auprc": around(auc - 0.02),
        "within_auroc": around(auc - 0.09),
        "calibration": [
            {"n": n // 10, "predicted": place / 10 + 0.05, "observed": around(0.3 + place / 25)} for place in range(10)
        ],
    }


def _beat_mv(label: int | None, scale: float) -> np.ndarray:
    t_ms = (np.arange(120) - 40) * 8.0
    waves = [(-180, 30, 0.12), (-28, 9, -0.1), (0, 12, 1.0), (30, 12, -0.2), (260, 45, 0.55 if label else 0.28)]
    return scale * sum(height * np.exp(-0.5 * ((t_ms - at) / width) ** 2) for at, width, height in waves)


def _write_beats(results: Path, subject: int, draws: list[dict]) -> None:
    random = rng(1, "beats", subject)
    quality = [
        {
            **draw,
            "recorded_s": 600.0,
            "heart_rate_bpm": 82.0,
            "n_r_peaks": 820,
            "n_good": 700,
            "n_kept": 0 if draw["reason"] else 200,
            "rejection_counts": [("correlation", 100)],
            "quality": 0.95,
        }
        for draw in draws
    ]
    write_table(
        results / f"beats/{subject_name(subject)}.quality.parquet", "quality", table_from_rows("quality", quality)
    )
    keys = ("subject_id", "draw_id", "draw_time", "value", "label")
    rows = [
        {
            **{key: draw[key] for key in keys},
            "recording": "rec",
            "segment": "seg",
            "r_sample": 1000 * i,
            "quality": 0.9,
            "beat": (_beat_mv(draw["label"], random.uniform(0.8, 1.2)) + random.normal(0, 0.02, 120)).tolist(),
        }
        for draw in draws
        if draw["reason"] is None
        for i in range(3)
    ]
    path = results / f"beats/{subject_name(subject)}.parquet"
    write_table(path, "beats", table_from_rows("beats", rows), group_by="draw_id")
    about_draws = path.with_suffix(".quality.parquet")
    write_mean_beats(path, about_draws, "", results / f"mean_beats/{subject_name(subject)}.parquet")


def _write_arm(results: Path, arm: str, protocol: str, subject: int, draws: list[dict]) -> None:
    """The predictions of every round: test draws are the last of each class, and become clearer with rounds."""
    usable = [draw for draw in draws if draw["reason"] is None]
    labeled = [draw for draw in usable if draw["label"] is not None]
    test = {d["draw_id"] for k in (0, 1) for d in [d for d in labeled if d["label"] == k][-N_TEST // 2 :]}
    learn = [[d["draw_id"] for d in labeled if d["label"] == k and d["draw_id"] not in test] for k in (0, 1)]
    gain = 0.55 if arm == "paper" else 0.15
    for round_ in range(N_ROUNDS + 1):
        learned = {draw for ids in learn for draw in ids[:round_]}
        rows = []
        for draw in usable:
            random = rng(1, arm, subject, draw["draw_id"])
            truth = 0.0 if draw["label"] is None else 2.0 * draw["label"] - 1.0
            logit = truth * (0.5 + gain * round_) + random.normal(0, 1.0)
            votes = int(np.clip(round(200 / (1 + np.exp(-logit))), 0, 200))
            decision = draw_decisions(np.array([votes]), np.array([200]), np.array([logit]), "vote")[0]
            role = "test" if draw["draw_id"] in test else "train" if draw["draw_id"] in learned else "other"
            rows.append(
                {
                    **{key: draw[key] for key in ("subject_id", "draw_id", "draw_time", "value", "label")},
                    "role": role,
                    "n_beats": 200,
                    "votes": votes,
                    "beat_logits": logit + BEAT_LOGITS,
                    "logit": logit,
                    "probability": 1 / (1 + np.exp(-logit)),
                    "decision": decision,
                }
            )
        path = results / "personal" / arm / subject_name(subject) / f"round-{round_}" / "predictions.parquet"
        write_table(path, "predictions", table_from_rows("predictions", rows))
    folder = results / "personal" / arm / subject_name(subject)
    pairs = list(zip(learn[1][:N_ROUNDS], learn[0][:N_ROUNDS], strict=True))
    _write_beside_rounds(folder, arm, protocol, subject, usable, pairs, sorted(test))


def _write_beside_rounds(
    folder: Path,
    arm: str,
    protocol: str,
    subject: int,
    usable: list[dict],
    pairs: list[tuple[int, int]],
    test: list[int],
) -> None:
    """The split, four baselines and two runs of each of two nulls.

    The threshold errs on the first test draw; the clock is always right.
    """
    write_json(
        folder / "split.json",
        {
            "arm": arm,
            "protocol": protocol,
            "purge_hours": 1.0,
            "subject_id": subject,
            "seed": 1,
            "digest": "",
            "reason": None,
            "rounds": pairs,
            "test": test,
            "test_from": None,
            "draws": [
                {
                    "draw_id": draw["draw_id"],
                    "time": draw["draw_time"].isoformat(),
                    "label": draw["label"],
                    "recording": f"r{draw['draw_id'] // 4}",
                    "admission": 1,
                    "segments": [],
                    "r_samples": [],
                }
                for draw in usable
            ],
        },
    )
    random = rng(1, "beside", arm, subject)
    by_id = {draw["draw_id"]: draw for draw in usable}
    baselines = [
        {key: by_id[draw][key] for key in ("subject_id", "draw_id", "draw_time", "label")}
        | {"baseline": name, "score": random.normal(by_id[draw]["label"], 1), "decision": 1}
        for name in ("generic", "last_label")
        for draw in test
    ]
    says = {draw: by_id[draw]["label"] for draw in test} | {test[0]: 1 - by_id[test[0]]["label"]}
    baselines += [
        {key: by_id[draw][key] for key in ("subject_id", "draw_id", "draw_time", "label")}
        | {"baseline": "threshold", "score": says[draw], "decision": says[draw]}
        for draw in test
    ]
    baselines += [
        {key: by_id[draw][key] for key in ("subject_id", "draw_id", "draw_time", "label")}
        | {"baseline": "time_since_admission", "score": by_id[draw]["label"], "decision": by_id[draw]["label"]}
        for draw in test
    ]
    write_table(folder / "baselines.parquet", "baselines", table_from_rows("baselines", baselines))
    nulls = [
        {"arm": arm, "subject_id": subject, "kind": kind, "repeat": repeat, "seed": 1, "auc": random.uniform(0.2, 0.8)}
        for kind in ("shuffled", "shifted")
        for repeat in range(2)
    ]
    write_table(folder / "nulls/first.parquet", "nulls", table_from_rows("nulls", nulls))


def _write_explanation(folder: Path, subject: int, models: list[str], draws: list[dict]) -> None:
    random = rng(1, "explanation", subject)
    rows: dict[str, list[dict]] = {kind: [] for kind in EXPLANATION}
    labeled = [draw for draw in draws if draw["label"] is not None and not draw["reason"]]
    for model in models:
        for stage, label in product((2, 4), (0, 1)):
            _add_maps(rows, {"model": model, "stage": stage, "label": label}, random)
        apart = 1.0 if model == "generic" else 4.0
        for draw in labeled * 20:
            places = {name: random.normal(0, 1.5) for name in ("tsne_x", "tsne_y", "pca_x", "pca_y")}
            places["tsne_x"] += apart * draw["label"]
            role = "train" if model != "generic" and draw["draw_id"] % 100 < 12 else "other"
            about = {"model": model, "role": role, "episode": draw["draw_id"] % 100 // 3}
            rows["embedding"].append(about | {key: draw[key] for key in ("draw_id", "label", "value")} | places)
        for method, trusted, variance in (("t-SNE", 0.95, None), ("PCA", 0.8, 0.6)):
            about = {"model": model, "method": method, "n_beats": 20 * len(labeled), "variance": variance}
            rows["projections"].append(about | {"trustworthiness": trusted + random.uniform(-0.03, 0.03)})
    for arm, after in product(models[1:], (False, True)):
        for wave, change in zip(("P", "QRS", "ST", "T"), (0.1, 1.0, 0.2, 2.0 if after else 0.6), strict=True):
            figures = {"auc": 0.9, "auc_without": 0.9 - change * random.uniform(0.1, 0.2), "logit_drop": change / 2}
            about = {"arm": arm, "model": arm if after else "generic", "wave": wave, "n_test": 8, "n_positive": 4}
            rows["occlusion"].append(about | figures | {"logit_change": change * random.uniform(0.8, 1.2)})
    for kind in EXPLANATION:
        write_table(folder / f"{kind}.parquet", kind, table_from_rows(kind, rows[kind]))


def _add_maps(rows: dict[str, list[dict]], about: dict, random: np.random.Generator) -> None:
    """One map, before training broad and after it on the T wave, its waves and what it is held against."""
    t_ms, windows = (np.arange(120) - 40) * 8.0, wave_windows(800.0)
    at, width = (120, 300) if about["model"] == "generic" else (250, 90)
    map_ = np.exp(-0.5 * ((t_ms - at - random.normal(0, 20)) / width) ** 2)
    rows["gradcam"].append({**about, "mean_beat": _beat_mv(about["label"], 1.0).tolist(), "attention": map_.tolist()})
    even = uniform_fractions(windows)
    limits = {
        wave: dict(zip(("from_ms", "to_ms"), window_limits_ms(window), strict=True)) for wave, window in windows.items()
    }
    rows["waves"] += [
        {**about, "wave": wave, "share": share, "even_share": even[wave]} | limits.get(wave, {})
        for wave, share in wave_fractions(map_, windows).items()
    ]
    levels = ("halves", "head", "stage4", "stage3", "stage2", "stage1", "stem")
    for against in (*levels, "labels") if about["model"] != "generic" else levels:
        alike = 0.95 if against == "halves" else random.uniform(-0.2, 0.4)
        rows["sanity"].append(
            {**about, "reference": against, "attention": map_[::-1].tolist(), "spearman": alike, "ssim": alike}
        )
