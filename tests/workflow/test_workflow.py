"""The tiniest study through Snakemake, and what happens to it afterwards."""

import hashlib
import html
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from kalemia.cli import main
from kalemia.core.config import Study
from kalemia.core.config_files import merge_config, read_settings
from kalemia.core.paths import SUBJECTS_PER_BATCH
from kalemia.core.result_digests import key_tables
from kalemia.core.runs.digests import expected_digest
from kalemia.core.seeds import rng
from kalemia.core.tables import read_json, read_table, table_digest, write_json, write_table
from kalemia.evaluation.claims.rule import in_order
from kalemia.personal.baselines import BASELINES
from kalemia.report.outputs import PATIENT_FIGURES, SECTIONS
from kalemia.stats.discrimination import discrimination
from kalemia.status import status_lines
from private_values import private_values, text_of_page, those_on
from run_workflow import ROOT, contents_of, one_line, run_snakemake, without_times

pytestmark = pytest.mark.workflow
TINY = ("tests/studies/tiny.yaml",)


def _run(folder: Path, *arguments: str, config: dict | None = None):
    return run_snakemake(folder, *arguments, studies=TINY, config=config)


def _study(**changes) -> Study:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    return Study.from_config(merge_config(merge_config(config, yaml.safe_load((ROOT / TINY[0]).read_text())), changes))


def _planned(run) -> dict[str, int]:
    """Of a dry run: rule -> jobs."""
    assert run.returncode == 0, run.stdout + run.stderr
    rows = re.findall(r"^(\w+) +(\d+)$", run.stdout + run.stderr, flags=re.MULTILINE)
    return {rule: int(n) for rule, n in rows}


def _hashes(folder: Path, *patterns: str) -> dict[str, str]:
    files = sorted(path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    run = _run(folder, "--verbose")
    assert run.returncode == 0, run.stdout + run.stderr
    (folder / "said.txt").write_text(run.stdout + run.stderr)
    return folder


@pytest.fixture
def copy_of_finished(finished, tmp_path):
    """The finished study, to be changed; modification times are kept, Snakemake's records too."""
    shutil.copytree(finished, tmp_path / "study")
    return tmp_path / "study"


def test_the_study_ends_in_its_report(finished):
    page = (finished / "results/report.html").read_text()
    assert "Simulated patients" in page
    personal = read_table(finished / "results/personal/arms.parquet", "arms").to_pylist()
    subjects = {row["subject_id"] for row in personal}
    assert len(subjects) == 2
    assert sum(row["reason"] is not None for row in personal) == 1  # the single-episode patient has no forward split
    for subject in subjects:
        assert (finished / f"results/patients/p{subject:06d}/report.html").exists()


def test_every_file_is_in_the_list_of_files(finished):
    listed = re.findall(r"`results/([^`]+)`", (ROOT / "docs/reference/files.md").read_text())
    placeholders = {"{subject}": r"p\d{6}", "{k}": r"\d+", "**/": "(.+/)?"}
    escaped = "|".join(re.escape(path) for path in listed)
    for name, pattern in placeholders.items():
        escaped = escaped.replace(re.escape(name), pattern)
    known = re.compile(re.sub(r"\\{\w+\\}", "[^/]+", escaped))
    files = [path.relative_to(finished / "results") for path in (finished / "results").rglob("*") if path.is_file()]
    assert [str(path) for path in files if not known.fullmatch(str(path))] == []


def test_jobs_are_chosen_when_one_has_ended_and_not_by_the_clock(finished):
    said = (finished / "said.txt").read_text()
    assert said.count("Finished jobid: ") > 50
    assert said.count("Resources before job selection: ") <= said.count("Finished jobid: ")


def test_personal_patients_are_never_inputs_of_the_generic_network(finished):
    populations = read_table(finished / "results/cohort/populations.parquet", "populations").to_pylist()
    generic = read_table(finished / "results/generic/predictions.parquet", "predictions")["subject_id"].to_pylist()
    personal = {row["subject_id"] for row in populations if row["population"] == "personal"}
    assert personal
    assert not personal & set(generic)


def test_every_draw_and_subject_that_enters_leaves_somewhere(finished):
    flow = read_json(finished / "results/cohort/flow.json")
    draws = read_table(finished / "results/cohort/draws.parquet", "draws").to_pylist()
    ledger = read_table(finished / "results/cohort/ledger.parquet", "ledger").to_pylist()
    first, last = flow["steps"][0], flow["steps"][-1]
    assert (first["draws"], first["subjects"]) == (len(draws), len({draw["subject_id"] for draw in draws}))
    for name in ("draws", "subjects"):
        assert sum(end[name] for end in flow["ends"].values()) == last[name]
        assert first[name] - sum(step[f"lost_{name}"] for step in flow["steps"]) == last[name]
    assert flow["steps"][3]["rule"].startswith("5 of the 10 minutes before")
    populations = read_table(finished / "results/cohort/populations.parquet", "populations").to_pylist()
    of_population = [row["population"] for row in populations]
    assert {name: end["subjects"] for name, end in flow["ends"].items()} == {
        name: of_population.count(name) for name in ("generic", "personal")
    }
    used = {
        row["draw_id"]
        for kind in ("generic", "personal")
        for row in read_table(finished / f"results/cohort/{kind}.parquet", kind).to_pylist()
    }
    assert len(used) == last["draws"]
    assert not used & {row["draw_id"] for row in ledger}


def test_the_context_of_every_draw_is_known_to_the_baselines(finished):
    draws = read_table(finished / "results/cohort/draws.parquet", "draws")
    context = read_table(finished / "results/cohort/context.parquet", "context")
    assert context["draw_id"].equals(draws["draw_id"])
    for name in ("last_value", "hours_since_admission", "heart_rate_bpm"):
        assert context[name].null_count < len(context)
    assert {True, False} == set(context["insulin"].drop_null().to_pylist())


def test_heights_and_weights_reach_the_table_of_characteristics(finished):
    generic = read_json(finished / "results/cohort/characteristics.json")["generic"]
    assert 150 < generic["height_cm_median_iqr"][0] < 190
    assert 0 < generic["missing"]["height"] < generic["n"]


def test_every_stage_s_key_table_carries_the_digest_of_the_study(finished):
    study = replace(_study(), results=str(finished / "results"))
    assert len(list(key_tables(study, finished / "results"))) == 12
    expected = {path: expected_digest(study, path) for path in (finished / "results").rglob("*.parquet")}
    assert sum(digest is not None for digest in expected.values()) > 100
    assert [path for path, digest in expected.items() if digest not in (None, table_digest(path))] == []


def test_nothing_is_left_to_do(finished):
    run = _run(finished, "--dry-run")
    assert run.returncode == 0
    assert "Nothing to be done" in run.stdout + run.stderr


def test_status_of_a_finished_study_has_no_missing_files(finished, monkeypatch):
    monkeypatch.chdir(finished)
    _, stages, patients, others, last = "\n".join(status_lines(_study())).split("\n\n")
    assert [line[19:].split() == [line.split()[-1]] for line in stages.splitlines()[1:]] == [True] * 11
    assert all(line.endswith("  yes") for line in patients.splitlines()[1:])
    assert "generic" in others
    assert "snakemake -n" in last


def _reject(draw: dict) -> None:
    line = f"{draw['subject_id']},{draw['draw_id']},reject,somebody,"
    Path("decisions.csv").write_text(f"subject_id,draw_id,decision,reviewer,note\n{line}\n")


def _delete_the_evaluation() -> None:
    shutil.rmtree("results/evaluation")


def _delete_the_evaluation_and_change_a_null() -> None:
    _delete_the_evaluation()
    path = next(Path("results/personal/paper").glob("*/nulls/first.parquet"))
    table, digest = pq.read_table(path), pq.read_metadata(path).metadata[b"kalemia.digest"].decode()
    write_table(path, "nulls", table.slice(1), digest)


_PAGES = {"study_report", "public_report"}
_AFTER_ROUNDS = {"explanation", "patient_report", "evaluation", *_PAGES}


@pytest.mark.parametrize(
    ("change", "prepare", "rules"),
    [
        pytest.param(
            {"arms": {"paper": {"epochs": 2}}},
            None,
            {"count_rounds", "finetune", "nulls", "strangers", *_AFTER_ROUNDS},
            id="an arm",
        ),
        pytest.param(
            {"controls": ["sodium", "creatinine"]},
            None,
            {"control_values", "controls", "evaluation", *_PAGES},
            id="another analyte",
        ),
        pytest.param({"arms": {"paper": None}}, None, {"count_rounds", *_AFTER_ROUNDS}, id="an arm less"),
        pytest.param({"source": {"max_connections": 5}}, None, {"study_report"}, id="connections"),
        pytest.param({}, _delete_the_evaluation, set(), id="deleted"),
        pytest.param(
            {},
            _delete_the_evaluation_and_change_a_null,
            {"evaluation", *_PAGES},
            id="deleted, before it changed",
        ),
    ],
)
def test_a_change_makes_again_what_depends_on_it(copy_of_finished, monkeypatch, change, prepare, rules):
    monkeypatch.chdir(copy_of_finished)
    if prepare:
        prepare()
    planned = _planned(_run(copy_of_finished, "--dry-run", config=change))
    assert planned.keys() - {"all", "total"} == rules


def test_the_same_seed_gives_the_same_bytes_on_one_core_without_a_job_server(finished, tmp_path, monkeypatch):
    monkeypatch.setenv("KALEMIA_JOB_SERVER", "off")
    run = _run(tmp_path, "--cores", "1")
    assert run.returncode == 0, run.stdout + run.stderr
    first, again = contents_of(finished / "results"), contents_of(tmp_path / "results")
    assert len(first) > 100
    assert set(first) == set(again)
    assert [name for name in first if first[name] != again[name]] == []


def test_the_report_is_made_again_from_a_folder_without_ecg(finished, tmp_path):
    bare, ecg = tmp_path / "results", ("source", "excerpts", "beats", "features", "*.safetensors", "logs")
    made_again = ("evaluation/*", "figures/*", "tables/*", "patients/*/*", "generic/model-card.md")
    lost = ("evaluation", "figures", "tables", "patients", "report.html", "model-card.md")
    shutil.copytree(finished / "results", bare, ignore=shutil.ignore_patterns(*ecg, *lost))
    (bare / "source").mkdir()
    shutil.copy(finished / "results/source/truth.json", bare / "source")  # what was planted, of simulated patients
    assert not _hashes(bare, *made_again)
    assert main(["report", "--from", str(bare)]) == 0
    expected = _hashes(finished / "results", *made_again)
    assert len(expected) > 45
    assert len([name for name in expected if name.startswith("patients/")]) == 2 * (2 + 2 * len(PATIENT_FIGURES))
    assert _hashes(bare, *made_again) == expected
    pages = [folder / "report.html" for folder in (bare, finished / "results")]
    assert len({without_times(page.read_bytes()) for page in pages}) == 1


def test_the_page_to_be_shared_names_nobody_and_no_day(finished):
    private = set(private_values(finished / "results"))
    assert len(private) > 100
    page = text_of_page(finished / "results/public/report.html")
    assert "Smallest cell: 5." in page
    assert those_on(page, private) == []


def test_what_is_said_of_generic_draws_follows_from_their_predictions(finished):
    seed = read_settings(finished / "results").seed
    predictions = read_table(finished / "results/generic/predictions.parquet", "predictions")
    metrics = read_json(finished / "results/generic/metrics.json")
    for split in ("train", "validation", "test"):
        mine = predictions.filter(pc.equal(predictions["role"], split))
        columns = (mine[name].to_numpy() for name in ("label", "logit", "decision", "subject_id"))
        found = discrimination(*columns, rng(seed, "bootstrap", split, "draws"))
        assert json.loads(json.dumps(found).replace("NaN", "null")) == metrics[split]["draws"]


def test_a_deleted_round_is_redone_with_what_follows_and_nothing_else(copy_of_finished):
    results = copy_of_finished / "results"
    personal = read_table(results / "personal/arms.parquet", "arms").to_pylist()
    subject = next(row["subject_id"] for row in personal if row["arm"] == "forward" and row["rounds"] == 2)
    before = _hashes(results, "personal/**/*", "generic/*")
    times = {path: path.stat().st_mtime_ns for path in results.glob("**/*.safetensors")}
    shutil.rmtree(results / f"personal/forward/p{subject:06d}/round-1")
    run = _run(copy_of_finished)
    assert run.returncode == 0, run.stdout + run.stderr
    redone = {str(path.relative_to(results)) for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert redone == {f"personal/forward/p{subject:06d}/round-{k}/model.safetensors" for k in (1, 2)}
    assert _hashes(results, "personal/**/*", "generic/*") == before


def test_one_target_reads_every_recording_and_no_more(copy_of_finished):
    excerpts = sorted((copy_of_finished / "results/excerpts").glob("*.parquet"))
    shutil.rmtree(copy_of_finished / "results/beats")
    excerpts[0].unlink()
    plan = _planned(_run(copy_of_finished, "--dry-run", "all_excerpts"))
    assert plan == {"all_excerpts": 1, "excerpts_of_batch": 1, "excerpts": SUBJECTS_PER_BATCH, "total": 12}


def test_a_decision_on_a_personal_patient_changes_no_neighbor_and_trains_no_generic_network(
    copy_of_finished, monkeypatch
):
    monkeypatch.chdir(copy_of_finished)
    results = copy_of_finished / "results"
    draw = read_table(results / "cohort/personal.parquet", "personal").to_pylist()[0]
    _reject(draw)
    others = sorted(path.name for path in results.glob("beats/p*") if f"p{draw['subject_id']:06d}" not in path.name)
    before = _hashes(results, *(f"beats/{name}" for name in others), "generic/*")
    trained = (results / "generic/model.safetensors").stat().st_mtime_ns
    run = _run(copy_of_finished, config={"review": {"decisions": "decisions.csv"}})
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(others) > SUBJECTS_PER_BATCH
    assert _hashes(results, *(f"beats/{name}" for name in others), "generic/*") == before
    assert (results / "generic/model.safetensors").stat().st_mtime_ns == trained
    left = read_table(results / "cohort/personal.parquet", "personal")["draw_id"].to_pylist()
    assert draw["draw_id"] not in left
    assert list(results.glob("*/batch-*")) == []


def test_after_an_interruption_rounds_follow_the_new_generic_network(copy_of_finished):
    config = {"generic": {"epochs": 1}}
    before = _planned(_run(copy_of_finished, "--dry-run", config=config))
    run = _run(copy_of_finished, "results/generic/model.safetensors", config=config)
    assert run.returncode == 0, run.stdout + run.stderr
    after = _planned(_run(copy_of_finished, "--dry-run", config=config))
    assert before["finetune"] == 6
    assert after == {rule: n for rule, n in before.items() if rule != "generic"} | {"total": before["total"] - 1}


def test_a_subject_without_draws_to_read_is_not_a_target(finished):
    run = _run(finished, "results/beats/p999999.parquet")
    assert run.returncode != 0
    assert "p999999: none of its draws is read" in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_a_mistyped_arm_is_not_a_target(finished):
    run = _run(finished, "results/personal/forwrd/p200015/split.json")
    assert run.returncode != 0
    assert "No rule to produce results/personal/forwrd/p200015/split.json" in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_another_arm_trains_no_generic_network(copy_of_finished):
    arm = {"protocol": "paper", "purge_hours": 0.2, "train": "head", "batch_norm": "frozen", "replay": True}
    config = {
        "arms": {
            "head": arm
            | {"epochs": 1, "batch_size": 64, "learning_rate": 0.01, "precision": "auto", "negative_controls": {}}
        }
    }
    run = _run(copy_of_finished, "--dry-run", config=config)
    assert run.returncode == 0
    plan = run.stdout + run.stderr
    assert "finetune" in plan
    assert "generic" not in {line.split()[0] for line in plan.splitlines() if line.strip()}


def test_a_rolling_arm_predicts_each_draw_once_and_has_its_evidence(copy_of_finished):
    arm = {"protocol": "rolling", "purge_hours": 1.0, "train": "last_stages", "batch_norm": "adapt", "replay": False}
    arm |= {"epochs": 1, "batch_size": 64, "learning_rate": 0.01, "precision": "auto"}
    config = {"arms": {"rolling": arm | {"negative_controls": {"shifted": 1}}}}
    run = _run(copy_of_finished, config=config)
    assert run.returncode == 0, run.stdout + run.stderr
    results = copy_of_finished / "results"
    rows = read_table(results / "evaluation/evidence.parquet", "evidence").to_pylist()
    rows = [row for row in rows if row["arm"] == "rolling"]
    assert rows
    for row in rows:
        split = read_json(results / f"personal/rolling/p{row['subject_id']}/split.json")
        tested = [draw["label"] for draw in split["draws"] if draw["draw_id"] in split["test"]]
        assert (row["n_positive"], row["n_negative"]) == (tested.count(1), tested.count(0))
        assert row["rolling"]
        assert len(split["rounds"]) > 2  # the limit of the tiny study holds for other protocols


def test_more_repeats_of_a_null_retrain_no_round(copy_of_finished):
    config = {"arms": {"paper": {"negative_controls": {"shuffled": 2}}}}
    run = _run(copy_of_finished, "--dry-run", config=config)
    assert run.returncode == 0
    planned = {line.split()[0] for line in (run.stdout + run.stderr).splitlines() if line.strip()}
    assert "nulls" in planned
    assert "finetune" not in planned


def test_more_repeats_of_a_null_train_only_the_new_chunks(copy_of_finished):
    def runs(n):
        return {"arms": {"paper": {"negative_controls": {"shuffled": n, "shifted": 3, "between_beats": 3}}}}

    personal = read_table(copy_of_finished / "results/personal/arms.parquet", "arms").to_pylist()
    folders = [f"results/personal/paper/p{row['subject_id']:06d}/nulls" for row in personal if row["arm"] == "paper"]
    chunks = [f"{folder}/{chunk}.parquet" for folder in folders for chunk in ("first", "shuffled-3")]
    run = _run(copy_of_finished, *chunks, config=runs(10))
    assert run.returncode == 0, run.stdout + run.stderr
    assert _planned(_run(copy_of_finished, "--dry-run", *chunks, config=runs(20))) == {}
    planned = _planned(_run(copy_of_finished, "--dry-run", config=runs(20)))
    assert planned["nulls"] == len(folders)
    assert "finetune" not in planned


def test_a_chunk_of_negative_controls_that_the_arm_does_not_have_is_refused_in_one_line(copy_of_finished):
    (subject, *_) = sorted(path.name for path in (copy_of_finished / "results/patients").iterdir())
    run = _run(copy_of_finished, f"results/personal/paper/{subject}/nulls/shuffled-10.parquet")
    one_line(run, "shuffled-10.parquet: the arm has no such runs")


def test_negative_controls_ask_for_a_gpu_only_if_the_profile_says_so(copy_of_finished):
    (subject, *_) = sorted(path.name for path in (copy_of_finished / "results/patients").iterdir())
    target = f"results/personal/paper/{subject}/nulls/first.parquet"
    for options, asked in (((), "gpu=0"), (("--set-resources", "nulls:gpu=1"), "gpu=1")):
        run = _run(copy_of_finished, "--dry-run", "--force", target, *options)
        assert run.returncode == 0, run.stdout + run.stderr
        assert re.search(rf"resources: .*\b{asked}\b", run.stdout + run.stderr), run.stdout + run.stderr


def test_every_negative_control_and_baseline_is_reported(finished):
    results = finished / "results"
    nulls = read_table(results / "evaluation/nulls.parquet", "nulls").to_pylist()
    assert {row["kind"] for row in nulls} == {"shuffled", "shifted", "stranger", "between_beats"}
    baselines = read_table(results / "evaluation/baseline_metrics.parquet", "baseline_metrics").to_pylist()
    assert {row["baseline"] for row in baselines} == set(BASELINES)


def test_another_analyte_is_learned_and_judged_beside_the_study_s_own(finished):
    results = finished / "results"
    values = read_table(results / "cohort/control-sodium.parquet", "control_values")
    personal = read_table(results / "cohort/personal.parquet", "personal")
    assert set(personal["draw_id"].to_pylist()) <= set(values["draw_id"].to_pylist())
    runs = read_table(results / "evaluation/control_runs.parquet", "control_runs").to_pylist()
    assert [(row["arm"], row["kind"], row["reason"]) for row in runs] == [
        ("forward", "own", None),
        ("forward", "shifted", None),
    ]
    judged = read_json(results / "evaluation/controls.json")
    assert (judged["arm"], judged["runs"], list(judged["controls"])) == ("forward", 2, ["sodium"])
    assert "Is it potassium?" in (results / "report.html").read_text()


def test_the_claims_are_registered_before_training_and_stand_first_on_the_page(finished):
    results = finished / "results"
    (registered,) = read_json(results / "cohort/claims.json")["registrations"]
    assert registered["after_training"] is False
    claims = read_json(results / "evaluation/claims.json")
    assert claims["arm"] == registered["settings"]["arm"] == "forward"
    page = html.unescape((results / "report.html").read_text())
    assert f"Registered at {registered['time']}, before any network was trained" in page
    for _, claim in in_order(claims["arms"]["forward"]):
        assert f"<strong>{claim['claim']}: {claim['state']}.</strong>" in page
        assert claim["reason"][1:] in page


def test_leakage_stops_the_build_with_one_line(copy_of_finished):
    results = copy_of_finished / "results"
    split = next(path for path in results.glob("personal/forward/*/split.json") if read_json(path)["rounds"])
    content = read_json(split)
    write_json(split, content | {"rounds": content["rounds"][:1], "test": content["test"], "protocol": "admission"})
    (split.parent / "round-1/predictions.parquet").unlink()
    one_line(_run(copy_of_finished), "violates the protocol 'admission'")


def test_one_patient_by_target_name(copy_of_finished, finished):
    (subject, *_) = sorted(path.name for path in (finished / "results/patients").iterdir())
    target = f"results/personal/paper/{subject}/round-1/model.safetensors"
    for name in ("generic", "personal", "features"):
        shutil.rmtree(copy_of_finished / "results" / name)
    run = _run(copy_of_finished, target)
    assert run.returncode == 0, run.stdout + run.stderr
    made = [*copy_of_finished.glob("results/personal/**/*.safetensors"), *copy_of_finished.glob("results/features/*")]
    assert [str(path.relative_to(copy_of_finished)) for path in made] == [
        target, f"results/features/{subject}.safetensors",
    ]  # fmt: skip
    assert _hashes(copy_of_finished, target) == _hashes(finished, target)


def test_a_split_without_a_class_is_one_line_and_leaves_nothing_half_written(copy_of_finished):
    config = {"populations": {"generic_split": {"train": 1.0, "validation": 0.0, "test": 0.0}}}
    one_line(_run(copy_of_finished, config=config), "split has no")
    assert sorted(path.name for path in copy_of_finished.glob("results/cohort/*")) == [
        "characteristics.json",
        "claims.json",
        "context.parquet",
        "control-sodium.parquet",
        "draws.parquet",
        "height_weight.parquet",
        "ledger.csv",
        "ledger.parquet",
        "people.parquet",
        "subject_names.parquet",
        "subjects.parquet",
        "unreadable.parquet",
    ]


def test_snakemake_s_own_report_holds_figures_tables_and_cards_with_captions(copy_of_finished):
    run = _run(copy_of_finished, "--report", "snakemake-report.html")
    assert run.returncode == 0, run.stdout + run.stderr
    page = (copy_of_finished / "snakemake-report.html").read_text()
    for section in SECTIONS.values():
        for figure in section.figures:
            assert f'"{section.title}": {{' in page
            assert f"results/figures/{figure.name}.svg" in page
            assert figure.caption.split("'")[0].strip() in page
    for category in ("Patients", "Tables", "Model cards"):
        assert f'"{category}": {{' in page
    for path in ("results/tables/rounds.csv", "results/generic/model-card.md"):
        assert f'"{path}": {{' in page
