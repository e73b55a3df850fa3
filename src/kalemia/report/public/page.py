"""The page of a study that may be shared: claims, arms, flow, characteristics and the generic network."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.config import Study
from kalemia.core.wording import bounds
from kalemia.report.formatting import MISSING, number
from kalemia.report.html import write_html
from kalemia.report.inputs import read_study
from kalemia.report.provenance import versions
from kalemia.report.public.small_cells import CELL, FEW_PEOPLE, enough, quartiles, rounded_count, rounded_share
from kalemia.report.results import StudyResults
from kalemia.report.sections import generic
from kalemia.report.sections.claims import Answer, answer, answer_between_patients, arm_row


def write_public_page(path: str | Path, study: Study, results: str | Path) -> None:
    """Write a page with no subject, no date and no result of a single patient, with counts rounded to `CELL`.

    Raises `UserError` as the readers of the results.
    """
    data = read_study(results)
    write_html(
        path,
        "public/public.html",
        study=study,
        cell=CELL,
        answer=_answer(study, data),
        claims=claim_rows(data),
        arms=arm_rows(study, data) if data.personal else [],
        flow=flow_rows(data.flow["steps"]),
        characteristics=characteristics_rows(data.characteristics, people_by_class(data.generic), study),
        generic=generic_rows(data.summary["generic"], data.generic),
        has_personal=bool(data.personal),
        versions=versions(),
    )


def claim_rows(data: StudyResults) -> list[dict]:
    """Each claim: its state, sentence and comparisons; a comparison of too few people has no figures."""
    return [
        {
            "state": found["state"],
            "claim": found["claim"],
            "tested": not found["reason"].startswith("not tested"),
            "comparisons": [_comparison(one, data) for one in found["comparisons"]],
        }
        for _, found in _claims(data)
    ]


def arm_rows(study: Study, data: StudyResults) -> list[dict]:
    """Each arm: the mean AUC before and after, of the comparator and of shifted labels, each over enough patients."""
    deciding_first = sorted(study.arms, key=lambda arm: arm != data.claims["arm"])
    rows = [arm_row(arm, list(study.arms), study.arms[arm].protocol, data) for arm in deciding_first]
    return [
        {key: row[key] for key in ("arm", "protocol", "decides")}
        | {"patients": rounded_count(row["patients"])}
        | {key: number(row[key], 2) if enough(n) else FEW_PEOPLE for key, n in _patients_of_means(row["arm"], data)}
        for row in rows
    ]


def flow_rows(steps: list[dict]) -> list[dict]:
    """Each step of the inclusion: people and draws left, rounded. What a step took could be found from exact counts."""
    return [
        {
            "step": step["step"],
            "rule": step["rule"],
            "subjects": rounded_count(step["subjects"]),
            "draws": rounded_count(step["draws"]) if enough(step["subjects"]) else FEW_PEOPLE,
        }
        for step in steps
    ]


def characteristics_rows(
    populations: dict, generic_people: dict[int, int], study: Study
) -> list[tuple[str, list[str]]]:
    """Table 1: each row a name and a cell for the generic and one for the personal population.

    generic_people: of the generic population, the people with draws of each class, as `people_by_class` counts them.
    """
    generic_population, personal = populations["generic"], populations["personal"]
    everybody = dict.fromkeys((0, 1), personal["n"])  # whoever lacks draws of a class is no personal patient
    both = [generic_population | {"people": generic_people}, personal | {"people": everybody}]
    name, unit = study.analyte.name.capitalize(), study.analyte.unit
    groups = list(dict.fromkeys(group for of in both for group in of["ethnicity"] or {}))

    def row(title: str, show, label: int | None = None) -> tuple[str, list[str]]:
        people = [of["n"] if label is None else of["people"][label] for of in both]
        return title, [show(of) if enough(n) else FEW_PEOPLE for of, n in zip(both, people, strict=True)]

    return [
        ("Patients", [rounded_count(of["n"]) for of in both]),
        row(
            "Age at the first draw, years, median (IQR)",
            lambda of: quartiles(of["age_median_iqr"], of["n"] - of["missing"]["age"]),
        ),
        row("Men", lambda of: rounded_share(of["men"][0], of["n"] - of["missing"]["gender"])),
        *(row(group[:1].upper() + group[1:], lambda of, g=group: _group(of, g)) for group in groups),
        row("Draws used", lambda of: rounded_count(of["draws"])),
        row(f"of these positive, {bounds(study.analyte.positive)} {unit}", lambda of: rounded_count(of["positive"]), 1),
        row(f"of these negative, {bounds(study.analyte.negative)} {unit}", lambda of: rounded_count(of["negative"]), 0),
        row(f"{name} of positive draws, {unit}, mean", lambda of: number(of["potassium_positive_mean_sd"][0], 1), 1),
        row(f"{name} of negative draws, {unit}, mean", lambda of: number(of["potassium_negative_mean_sd"][0], 1), 0),
    ]


def generic_rows(metrics: dict, predictions: pa.Table) -> list[dict]:
    """The generic network on the draws of each split: rounded counts, accuracy and AUC.

    predictions: its table of that name, for the people behind each count.
    """
    rows = []
    for row in generic.generic_rows(metrics):
        if row["unit"] != "draws":
            continue
        people = people_by_class(predictions.filter(pc.equal(predictions["role"], row["split"])))
        counts = {"draws": (row["n"], row["subjects"]), "positive": (row["n_positive"], people[1])}
        rows.append(
            {"split": row["split"], "people": rounded_count(row["subjects"])}
            | {key: rounded_count(n) if enough(of) else FEW_PEOPLE for key, (n, of) in counts.items()}
            | {
                key: number(row[key][0], 2) if all(map(enough, people.values())) else FEW_PEOPLE
                for key in ("accuracy", "auroc")
            }
        )
    return rows


def people_by_class(draws: pa.Table) -> dict[int, int]:
    """How many people have draws of each class, 0 and 1."""
    pairs = set(zip(draws["subject_id"].to_pylist(), draws["label"].to_pylist(), strict=True))
    return {label: sum(of == label for _, of in pairs) for label in (0, 1)}


def _patients_of_means(arm: str, data: StudyResults) -> list[tuple[str, int]]:
    """The means of an arm's row, each with the number of patients whose value is known."""
    evidence = [row for row in data.evaluation["evidence"].to_pylist() if row["arm"] == arm]
    columns = {"after": "auc", "comparator": "auc_comparator", "shifted": "auc_shifted"}
    known = {mean: sum(row[column] is not None for row in evidence) for mean, column in columns.items()}
    return [("before", data.summary["arms"][arm]["rounds"][0]["auc"]["n"]), *known.items()]


def _claims(data: StudyResults) -> list[tuple[str, dict]]:
    from kalemia.evaluation.between_patients.claims import claims_in_order
    from kalemia.evaluation.claims.rule import in_order

    if not data.personal:
        return claims_in_order(data.between_patients)
    return in_order(data.claims["arms"].get(data.claims["arm"], {}))


def _answer(study: Study, data: StudyResults) -> Answer:
    find = answer if data.personal else answer_between_patients
    found = find(dict(_claims(data)), study.analyte.name)
    has_count = found.state == "open" and any(letter.isdigit() for letter in found.sentence)
    return Answer("open", "Not decided: too few patients.") if has_count else found


def _comparison(one: dict, data: StudyResults) -> dict:
    people = [one["patients"]] if "patients" in one else list(data.between_patients["people"].values())
    if not all(map(enough, people)):
        return {"words": one["words"], "figures": FEW_PEOPLE}
    low = one["lower"] if "lower" in one else one["low"]
    bound = MISSING if low is None else f"{low:+.2f}"
    measured = f"{one.get('measure', 'AUC')} {one['difference']:+z.2f} (at least {bound})"
    return {"words": one["words"], "figures": f"{measured}, {rounded_count(sum(people))} people"}


def _group(of: dict, group: str) -> str:
    known = of["ethnicity"]
    return rounded_share(known[group], sum(known.values())) if known and sum(known.values()) else MISSING
