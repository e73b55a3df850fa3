"""The page of the study."""

import csv
import dataclasses
import hashlib
import re
import shutil
from collections import Counter
from itertools import pairwise

import pytest

from conftest import ROOT
from kalemia.core.paths import subject_name
from kalemia.core.schemas import EVALUATION
from kalemia.core.tables import read_json, read_table, table_from_rows, write_json, write_table
from kalemia.report import chiu2022 as paper
from kalemia.report.cards import reporting_items
from kalemia.report.figures.palette import LIGHT
from kalemia.report.formatting import METRIC_NAMES, PROTOCOLS
from kalemia.report.formatting import published as in_words
from kalemia.report.inputs import REVIEW, STUDY_FILES, TRUTH
from kalemia.report.outputs import STUDY_FIGURES
from kalemia.report.patient_page import write_patient_page
from kalemia.report.sections.claims import auc_change
from kalemia.report.study_page import write_page
from kalemia.report.write_outputs import write_csv_tables, write_patient_figures, write_study_figures
from report_fixture import N_ROUNDS, NO_FORWARD, PERSONAL, write_results
from report_pages import Page, page_paths


def test_pages_ask_nothing_of_the_network_or_of_other_files(results):
    for path in page_paths(results):
        page, text = Page(path), path.read_text()
        links = {target for target in page.targets if not target.startswith(("#", "data:"))}
        pages = {
            target
            for target in links
            if re.fullmatch(
                r"patients/p\d{6}/report\.html|quality/review\.html|\.\./\.\./report\.html|\.\./p\d{6}/report\.html",
                target,
            )
        }
        assert links - pages <= {"https://doi.org/10.2196/41163"}
        assert len(re.findall("<script", text)) == 1
        assert "<script>" in text  # no source to fetch
        assert "@import" not in text
        assert set(re.findall(r"url\((.)", text)) <= {"#"}


@pytest.mark.slow
def test_the_page_of_a_study_of_the_papers_size_is_below_10_mb(study, tmp_path):
    write_results(tmp_path, study, personal=tuple(range(10000, 10000 + paper.PATIENTS)))
    write_study_figures(study, tmp_path)
    write_page(tmp_path / "report.html", study, tmp_path)
    assert (paper.PATIENTS, len(study.arms)) == (16, 2)
    assert (tmp_path / "report.html").stat().st_size < 10e6


def test_people_are_called_as_in_their_own_tables_and_found_as_in_paths(results, study, tmp_path):
    named = [{"subject_id": PERSONAL[0], "name": "HN-0042 <b>"}]
    copied = tmp_path / "copy"
    shutil.copytree(results, copied)
    write_table(copied / "cohort/subject_names.parquet", "subject_names", table_from_rows("subject_names", named))
    write_study_figures(study, copied)
    write_page(copied / "report.html", study, copied)
    subject = subject_name(PERSONAL[0])
    write_patient_figures(study, copied, subject)
    write_patient_page(copied / f"patients/{subject}/report.html", study, copied, subject)
    for page in ("report.html", f"patients/{subject}/report.html"):
        text = (copied / page).read_text()
        assert text.count("HN-0042 &lt;b&gt;") >= 2
        assert subject not in re.sub(r'(href|id|xlink:href)="[^"]*"', "", text)
    assert f"patients/{subject}/report.html" in (copied / "report.html").read_text()
    assert subject_name(PERSONAL[1]) in re.sub(r'href="[^"]*"', "", (copied / "report.html").read_text())


def test_the_page_of_ones_own_study_speaks_of_nothing_that_is_only_in_mimic(results, study, tmp_path):
    copied = shutil.copytree(results, tmp_path / "copy")
    known = read_json(copied / "cohort/characteristics.json")
    for population in known.values():
        population |= {"men": [None, None], "ethnicity": None}
        population |= {key: [None, None, None] for key in population if key.endswith("_median_iqr")}
    write_json(copied / "cohort/characteristics.json", known)
    source = dataclasses.replace(study.source, kind="local", waveforms="own", tables="own")
    cohort = dataclasses.replace(study.cohort, exclude_codes=False)
    own = dataclasses.replace(study, source=source, cohort=cohort)
    write_page(copied / "report.html", own, copied)
    page = (copied / "report.html").read_text()
    assert re.search("the user.{1,6}s own recordings", page)
    for words in (
        "MIMIC-III hides",
        "Hispanic, n (%)",
        "Men, n (%)",
        "Height, cm",
        "coded",
        "diagnosis codes",
        "Age at the first draw, years, median",
    ):
        assert words not in re.sub("<svg.*?</svg>", "", page, flags=re.DOTALL), words


def test_references_within_a_page_arrive_and_ids_are_unique(results):
    for path in page_paths(results):
        page = Page(path)
        assert max(Counter(page.ids).values()) == 1
        inner = set(re.findall(r"url\(#([^)]*)\)", path.read_text()))
        assert inner | {target[1:] for target in page.targets if target.startswith("#")} <= set(page.ids)


def test_headings_descend_by_single_steps_from_one_title(results):
    for path in page_paths(results):
        headings = Page(path).headings
        assert headings.count(1) == 1
        assert headings[0] == 1
        assert all(below <= above + 1 for above, below in pairwise(headings))


def test_figures_of_a_page_follow_its_light_and_dark(results, study):
    page = (results / "report.html").read_text()
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert not [color for color in LIGHT.values() if color in drawings]
    assert len(re.findall(r'<svg[^>]* role="img" aria-label="[^"]+"', page)) == len(STUDY_FIGURES) + len(study.arms)


def test_page_answers_with_the_mean_auc_of_both_arms(results, study):
    arms = read_json(results / "evaluation/summary.json")["arms"]
    text = Page(results / "report.html").words
    for arm, patients in (("forward", 3), ("paper", 4)):
        before, after = (arms[arm]["rounds"][k]["auc"]["mean"] for k in (0, N_ROUNDS))
        assert f"“{arm}” arm" in text
        assert f"over {patients} patients went from {before:.3f} with the generic network to {after:.3f}" in text


def test_answer_names_the_forward_arm_first_and_a_missing_value_as_such(study):
    missing = {"patients": 0, "rounds": [{"auc": {"mean": None, "sd": None, "n": 0}}]}
    known = {"patients": 1, "rounds": [{"auc": {"mean": m, "sd": None, "n": 1}} for m in (0.5, 0.75)]}
    assert auc_change(study, {"arms": {"paper": known, "forward": missing}}) == (
        "No patient could be evaluated in the “forward” arm, in which every training draw precedes every test draw;"
        " in the “paper” arm, in which the test draws are chosen at random, the mean AUC over 1 patient went from"
        " 0.500 with the generic network to 0.750 after the last round."
    )


def test_page_prints_our_figures_beside_the_papers_with_its_doubts(results, study):
    last_arm = list(study.arms)[-1]
    rounds = read_json(results / "evaluation/summary.json")["arms"][last_arm]["rounds"]
    ours = " ".join(f"{of['specificity']['mean']:.3f} ({of['specificity']['sd']:.3f})" for of in rounds)
    page = Page(results / "report.html")
    assert "Specificity Chiu 2022 f not reported 0.628 (0.417) 0.907 (0.321)" in page.words
    assert re.search(rf"Specificity this study, {last_arm} \w draws {re.escape(ours)}", page.words)
    assert "610 (59.6%) a" in page.words
    assert "Hispanic, n (%) 2 (4.5%) 71 (4.6%) b" in page.words
    assert "7 (43.8%)" in page.words
    assert "mEq/L, mean (SD) 4.2 (0.41) 4.3 (0.40)" in page.words
    assert "sample SD of 16 values between 0 and 1 is 0.300 at most" in page.words
    assert "train, draws 70 35 0.886 (0.826 to 0.926) 0.724 0.951 (0.891 to 0.991) 0.861 (0.801 to 0.901)" in page.words


def test_every_published_figure_stands_above_ours(results, study):
    words = Page(results / "report.html").words
    for split, (patients, positive, negative) in paper.GENERIC_SPLITS.items():
        assert f"{split} Chiu 2022 {patients} {positive:,} {negative:,} {paper.GENERIC_ACCURACY[split]:.3f}" in words
    assert "Chiu 2022 41,291 5,385 16 5,369 1,439 1,341 721 1,325 718 this study b 61 c 51 4 47 40 20 20 20 20" in words
    means = read_json(results / "evaluation/summary.json")["arms"]["forward"]["rounds"]
    for unit, metric in (("draws", "auc"), ("beats", "beat_auc")):
        ours = " ".join(f"{of[metric]['mean']:.3f} ({of[metric]['sd']:.3f})" for of in means)
        assert f"AUC this study, forward g {unit} {ours}" in words
    assert "Accuracy Chiu 2022 f not reported 0.604 (0.211) 0.895 (0.189) e 0.942 (0.104)" in words
    for doubt in paper.DOUBTS:
        assert doubt in words


def test_page_says_which_rules_lose_more_positive_draws(results):
    words = Page(results / "report.html").words
    rows = read_table(results / "evaluation/losses.parquet", "losses").to_pylist()
    together, beats = rows[-1], next(row for row in rows if row["reason"] == "too few good beats")
    assert (beats["positive_lost"], beats["positive_entered"], beats["negative_lost"]) == (64, 348, 0)
    low, high = (100 * together[f"difference_{bound}"] for bound in ("low", "high"))
    assert f"a difference of {100 * together['difference']:+.1f} ({low:+.1f} to {high:+.1f}) percentage points" in words
    assert "Yes: they lose a larger share of the positive draws." in words
    assert "too few good beats 64 of 348 (18.4%) 6.5; 6.2-6.8 0 of 524 0 of 4 +18.4" in words
    assert "no lead 0 of 348 60 of 584 (10.3%) 4.4; 4.1-4.7" in words
    assert "comparator 0 of 348 0 of 584 60 of 364 (16.5%) \N{EN DASH}" in words


def test_page_says_how_evaluable_patients_differ(results):
    words = Page(results / "report.html").words
    assert "Evaluable, n = 4 Others, n = 60 Difference (95% interval)" in words
    assert re.search(r"Men 50\.0% 66\.1% -16\.1 \(-\d", words)
    assert "Labeled draws of a person 23.0 (0.0) 14.0 (0.0) +9.0" in words


def test_page_tells_which_draws_the_review_kept(results):
    words = Page(results / "report.html").words
    kept = "the review kept 2 draws: 2 positive (7.1; 6.2-8.0), 1 of them by beats that the checks had rejected."
    assert f"{kept} It left out 1 draw: 1 unlabeled (5.2)." in words


def test_what_was_obtained_in_another_way_has_a_note(results):
    words = Page(results / "report.html").words
    assert "has the patient\N{RIGHT SINGLE QUOTATION MARK}s own map a" in words
    assert "a Kalemia's mean beats are those of all labeled draws of the patient, including training draws" in words
    assert "Grad-CAM on the mean beat of all labeled draws, including training draws" in words
    assert "c Subjects with a value measured; the paper's number is that of the patients in its database." in words


def test_the_papers_means_beside_each_patients_improvement_keep_their_doubts(results):
    words = Page(results / "report.html").words
    dash = "\N{EN DASH}"
    auc, specificity = (words.split(f"{name} over the patient")[1] for name in ("AUC", "Specificity"))
    assert f"25% held out 0.729 (0.240) 0.918 (0.149) 0.945 (0.094) {dash} {dash} about 0.945 p0" in auc
    assert re.search(rf"25% held out 0\.628 \(0\.417\) 0\.907 \(0\.321\) \w \w {dash} ", specificity)
    assert in_words(paper.ROUNDS["auc"][5]) == "about 0.945"


def test_the_method_says_what_of_the_paper_is_a_reading(results):
    words = Page(results / "report.html").words
    assert "Adam, batches of 1024, 50 epochs Adam" in words
    assert "Beats per draw about 200, estimated from its counts" in words
    assert "Generic split 6:2:2 at random; by patient, judging from its counts" in words
    assert "25% of the draws; how they are chosen is not reported; assumed random" in words
    assert "published for a random split" not in words
    assert "16 patients, random split" not in words


def test_page_folds_the_items_of_tripod_ai_into_its_cards(results):
    text = (results / "report.html").read_text()
    (folded,) = re.findall(r"<details>\s*<summary>Where each item.*?</details>", text, flags=re.DOTALL)
    assert 'id="table-generic-card-reporting"' in folded
    assert folded.count("<tr>") == len(reporting_items()) + 1


def test_each_patients_improvement_after_every_round_is_listed(results):
    words = Page(results / "report.html").words
    rounds = read_table(results / "evaluation/rounds.parquet", "rounds").sort_by("round").to_pylist()
    mine = [row for row in rounds if (row["arm"], row["subject_id"]) == ("paper", PERSONAL[-1])]
    for metric in METRIC_NAMES:
        assert f"p{PERSONAL[-1]:06d} paper " + " ".join(f"{row[metric]:.3f}" for row in mine) in words


def test_page_tells_recalibration_from_personalization(results):
    """Of each patient's eight test draws the fixture's threshold gets one of four negative ones wrong."""
    words = Page(results / "report.html").words
    after = read_json(results / "evaluation/summary.json")["arms"]["paper"]["rounds"][N_ROUNDS]
    means = {metric: after[metric]["mean"] for metric in METRIC_NAMES}
    three = " ".join(f"{means[metric]:.3f}" for metric in ("accuracy", "sensitivity", "specificity"))
    assert "threshold 0.875 1.000 0.750 4" in words
    assert f"last round {three} 4 paper: recalibration alone reaches a mean accuracy of" in words
    assert f"and the last round {means['accuracy']:.3f}, a difference of" in words


def test_page_warns_of_a_test_that_a_clock_passes(results):
    words = Page(results / "report.html").words
    assert "Warning. paper: time since admission alone has a mean AUC of 1.00." in words


def test_the_table_of_baselines_is_a_csv_too(results):
    write_csv_tables(results)
    with (results / "tables/baseline_averages.csv").open(newline="") as file:
        rows = {(row["arm"], row["model"]): row for row in csv.DictReader(file)}
    assert {arm: int(rows[arm, "last_round"]["patients"]) for arm, _ in rows} == {"forward": 3, "paper": 4}
    threshold = [float(rows["paper", "threshold"][metric]) for metric in METRIC_NAMES]
    assert threshold == [0.875, 0.875, 1.0, 0.75]  # accuracy, AUC, sensitivity, specificity


def test_page_says_who_is_not_evaluable_and_why(results):
    words = Page(results / "report.html").words
    assert f"Not evaluable: {NO_FORWARD}." in words
    assert "3 of 4 personal patients could be evaluated" in words
    assert "3: surplus of the class" in words
    assert "before it are shown. Registered at " in words


def test_draws_between_the_classes_count_at_real_prevalence(results):
    words = Page(results / "report.html").words
    assert "beyond the negative class (4 over all arms)" in words  # one of each patient in the arm divided at random


def test_page_links_every_personal_patient(results):
    linked = [target for target in Page(results / "report.html").targets if target.startswith("patients/")]
    assert list(dict.fromkeys(target.removesuffix("#card") for target in linked)) == [
        f"patients/p{subject:06d}/report.html" for subject in PERSONAL
    ]


def test_page_tells_what_was_run(results, study):
    words = Page(results / "report.html").words
    for part in (study.digest("generic"), study.arm_digest("forward"), "positive: {above: 5.5}", f"seed: {study.seed}"):
        assert part in words


def test_page_tells_how_long_each_rule_took(results):
    words = Page(results / "report.html").words
    assert "Time by rule: 3 jobs, 1.3 minutes in total" in words
    assert "generic 1 75.2 75.2 410" in words  # the one that took most first
    assert "nulls 2 3.8 2.2 210" in words


def test_page_names_the_hash_of_every_table_it_rests_on(results):
    words = Page(results / "report.html").words
    for name in ("cohort/populations.parquet", "generic/predictions.parquet", "evaluation/rounds.parquet"):
        assert f"{name} {hashlib.sha256((results / name).read_bytes()).hexdigest()}" in words


def test_page_rests_on_what_its_rule_declares_and_on_nothing_beside_it(results, study, tmp_path):
    rule = (ROOT / "rules/report.smk").read_text().split("rule study_report:")[1].split("output:")[0]
    assert "result_path(file.path) for file in EVALUATION if file.on_page" in rule
    declared = {*re.findall(r'result_path\("([^"]+)"\)', rule), *(file.path for file in EVALUATION if file.on_page)}
    assert {*STUDY_FILES, REVIEW, TRUTH} == declared
    again = tmp_path / "again"
    shutil.copytree(results, again)
    for folder in ("cohort", "evaluation"):
        (again / folder / "notes.txt").write_text("of no concern")
    write_page(tmp_path / "report.html", study, again)
    assert (tmp_path / "report.html").read_bytes() == (results / "report.html").read_bytes()


def test_a_study_name_cannot_become_markup(results, study, tmp_path):
    named = dataclasses.replace(study, study="<script>alert(1)</script>")
    write_page(tmp_path / "report.html", named, results)
    text = (tmp_path / "report.html").read_text()
    assert len(re.findall("<script", text)) == 1
    assert "&lt;script&gt;" in text


def test_with_nobody_evaluable_the_pages_say_so(nobody):
    page, patient = (Page(path) for path in reversed(page_paths(nobody)))
    assert "No patient could be evaluated in the “forward” arm" in page.words
    assert "0 of 1 personal patients could be evaluated" in page.words
    assert "nan" not in page.words.lower().split()
    assert "None" not in page.words
    assert patient.words.count(f"Not evaluable: {NO_FORWARD}.") == 2


def test_every_protocol_of_the_configuration_is_explained(schema):
    assert set(schema["properties"]["arms"]["additionalProperties"]["properties"]["protocol"]["enum"]) == set(PROTOCOLS)


def test_without_personal_patients_the_page_is_about_the_generic_network(without_personal):
    page = Page(without_personal / "report.html")
    for found in read_json(without_personal / "evaluation/between_patients.json")["claims"].values():
        assert f"{found['claim']}: {found['state']}." in page.words
    assert "it takes 8 usable draws of each class. The nearest, by draws with a recording: p010354" in page.words
    assert "p010019" not in page.words  # who has draws of one class alone
    assert {"claims", "generic", "patients"} <= set(page.ids)
    assert not {"rounds", "leakage", "statistics", "negative_controls", "paper_comparison"} & set(page.ids)
    assert {target for target in page.targets if target.startswith("#")} <= {f"#{name}" for name in page.ids}
