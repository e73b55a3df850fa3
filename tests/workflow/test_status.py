import base64
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from kalemia.beats.review_decisions import read_review_decisions
from kalemia.cli import main
from kalemia.core.tables import empty_table, file_hash, table_from_rows, write_json, write_table
from kalemia.status import states_of, status_lines
from kalemia.steps import Step, people_of, steps_of


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _write(path, at_s, digest="now"):
    write_table(path, "generic", empty_table("generic"), digest)
    os.utime(path, (at_s, at_s))


def _record(output, **fields):
    name = base64.urlsafe_b64encode(output.encode()).decode()
    *folders, last = (name[at : at + 254] for at in range(0, len(name), 254))
    folder = Path(".snakemake/metadata", *(f"@{part}" for part in folders))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / last).write_text(json.dumps(fields))


def _states(*steps):
    return [state for _, state in states_of(steps)]


A = Step("a", ("a.parquet",), (), "now", "a.parquet")
B = Step("b", ("b.parquet",), ("a.parquet",), "now", "b.parquet")
C = Step("c", ("c.parquet",), ("b.parquet",), "now", "c.parquet")


def test_what_is_in_order_is_done_and_what_is_not_there_is_missing():
    _write("a.parquet", 1)
    _write("b.parquet", 2)
    assert _states(A, B, C) == ["done", "done", "missing"]


def test_one_of_several_outputs_is_enough_to_be_missing():
    _write("a.parquet", 1)
    assert _states(Step("a", ("a.parquet", "log"), (), "now", "a.parquet")) == ["missing"]


def test_another_recipe_makes_a_step_stale_and_all_that_follows():
    for at_s, name in enumerate("abc", start=1):
        _write(f"{name}.parquet", at_s, "before" if name == "b" else "now")
    assert _states(A, B, C) == ["done", "stale", "stale"]


def test_a_recipe_is_read_from_json_too():
    write_json("split.json", {"digest": "before"})
    assert _states(Step("split", ("split.json",), (), "now", "split.json")) == ["stale"]
    assert _states(Step("split", ("split.json",), (), "before", "split.json")) == ["done"]


def test_where_no_output_holds_a_digest_snakemake_s_record_does():
    _write("a.parquet", 1)
    step = Step("page", ("a.parquet",), (), "now")
    assert _states(step) == ["done"]
    _record("a.parquet", params=["'before'"])
    assert _states(step) == ["stale"]
    _record("a.parquet", params=["'now'"])
    assert _states(step) == ["done"]


def test_a_newer_input_makes_a_step_stale_unless_its_content_is_as_recorded():
    _write("a.parquet", 3)
    _write("b.parquet", 2)
    assert _states(A, B) == ["done", "stale"]
    _record("b.parquet", input_checksums={"a.parquet": f"sha256:{file_hash('a.parquet')}"})
    assert _states(A, B) == ["done", "done"]
    _record("b.parquet", input_checksums={"a.parquet": "sha256:of something else"})
    assert _states(A, B) == ["done", "stale"]


def test_inputs_other_than_the_recorded_ones_make_a_step_stale():
    _write("a.parquet", 1)
    _write("b.parquet", 2)
    _record("b.parquet", input=["a.parquet"])
    assert _states(A, B) == ["done", "done"]
    _record("b.parquet", input=["a.parquet", "of an arm that is no more"])
    assert _states(A, B) == ["done", "stale"]


def test_a_parameter_that_no_file_holds_is_compared_with_snakemake_s_record():
    _write("a.parquet", 1)
    step = replace(A, parameters=("{}", ["x"]))
    assert _states(step) == ["done"]
    _record("a.parquet", params=["'now'", "'{}'", "['x']"])
    assert _states(step) == ["done"]
    _record("a.parquet", params=["'now'", "'{7: reject}'", "['x']"])
    assert _states(step) == ["stale"]


def test_records_of_long_names_are_found():
    path = f"{'folder/' * 60}a.parquet"
    step = Step("page", (path,), (), "now")
    os.makedirs(os.path.dirname(path))
    _write(path, 1)
    _record(path, params=["'before'"])
    assert _states(step) == ["stale"]


def test_a_missing_step_that_nothing_asks_for_does_not_make_the_next_stale():
    _write("b.parquet", 1)
    assert _states(A, B) == ["missing", "done"]


def test_what_is_stale_reaches_through_what_is_missing():
    _write("a.parquet", 1, "before")
    _write("c.parquet", 3)
    assert _states(A, B, C) == ["stale", "missing", "stale"]


def test_what_is_newer_reaches_through_what_is_missing_unless_its_content_is_as_recorded():
    _write("a.parquet", 4)
    _write("c.parquet", 3)
    assert _states(A, B, C) == ["done", "missing", "stale"]
    _record("b.parquet", input_checksums={"a.parquet": f"sha256:{file_hash('a.parquet')}"})
    assert _states(A, B, C) == ["done", "missing", "done"]


def test_the_recipe_of_what_is_missing_is_told_by_snakemake_s_record():
    _write("a.parquet", 1)
    _write("c.parquet", 3)
    _record("b.parquet", params=["'now'"])
    assert _states(A, B, C) == ["done", "missing", "done"]
    _record("b.parquet", params=["'before'"])
    assert _states(A, B, C) == ["done", "missing", "stale"]


def test_what_is_missing_and_asked_for_makes_the_next_stale():
    _write("a.parquet", 1)
    _write("c.parquet", 3)
    asked = replace(B, asked=("b.parquet",))
    assert _states(A, asked, C) == ["done", "missing", "stale"]


def test_what_is_missing_is_made_for_one_and_then_stale_for_another():
    _write("b.parquet", 2, "before")
    _write("d.parquet", 3)
    d = Step("d", ("d.parquet",), ("a.parquet",), "now", "d.parquet")
    assert _states(A, B, d) == ["missing", "stale", "stale"]


def test_the_time_of_an_ancient_input_counts_for_nothing_until_it_must_be_made():
    reads = [Step(name, (f"{name}.parquet",), (), "now", f"{name}.parquet", ancient=("a.parquet",)) for name in "bc"]
    for at_s, name in ((3, "a"), (1, "b"), (2, "c")):
        _write(f"{name}.parquet", at_s)
    assert _states(A, *reads) == ["done", "done", "done"]
    assert _states(replace(A, digest="after"), *reads) == ["stale", "done", "done"]
    os.remove("a.parquet")
    assert _states(A, *reads) == ["missing", "done", "done"]
    assert _states(A, replace(reads[0], digest="after"), reads[1]) == ["missing", "stale", "stale"]


def test_a_folder_is_as_old_as_snakemake_says():
    os.makedirs("a/below")
    Path("a/.snakemake_timestamp").touch()
    os.utime("a/.snakemake_timestamp", (1, 1))
    _write("b.parquet", 2)
    step = Step("b", ("b.parquet",), ("a",), "now", "b.parquet")
    assert _states(step) == ["done"]
    os.utime("a/.snakemake_timestamp", (3, 3))
    assert _states(step) == ["stale"]


def test_an_unreadable_output_is_stale():
    _write("a.parquet", 1)
    with open("a.parquet", "w") as file:
        file.write("no table")
    assert _states(A) == ["stale"]


def _cohort(study):
    rows = [{"subject_id": 7, "candidate": "personal"}, {"subject_id": 9, "candidate": "generic"}]
    write_table("results/cohort/subjects.parquet", "subjects", table_from_rows("subjects", rows))
    return people_of(study)


def test_nobody_is_known_before_the_cohort(study):
    assert people_of(study).populations == {}
    text = "\n".join(status_lines(study))
    assert "known once the cohort is made" in text


def test_candidates_are_known_before_the_populations(study):
    people = _cohort(study)
    assert people.populations == {"p000007": "personal", "p000009": "generic"}
    text = "\n".join(status_lines(study))
    assert "p000007  missing   missing  not known        not known      missing" in text
    assert "1 generic: excerpts missing, beats missing (p000009)" in text


def _steps(study, stage):
    return [step for step in steps_of(study, _cohort(study)) if step.stage == stage]


def test_a_change_of_the_simulation_is_one_of_its_step_and_follows_to_the_cohort(study):
    changed = replace(study, simulation=replace(study.simulation, noise=2.0))
    (before,), (after,), (cohort,) = _steps(study, "simulate"), _steps(changed, "simulate"), _steps(study, "cohort")
    assert before.digest != after.digest
    assert set(cohort.inputs) < set(before.outputs)
    own = replace(study, source=replace(study.source, kind="own", waveforms="mine", tables="mine"))
    Path("mine").mkdir()
    Path("mine/recordings.csv").write_text("subject,path\n7,a.csv\n7,b.csv\n8,c\n")
    for name in ("a.csv", "c.hea", "c.dat"):
        Path("mine", name).touch()
    assert _steps(own, "simulate") == []
    (cohort,) = _steps(own, "cohort")
    assert [*cohort.inputs] == [f"mine/{n}" for n in ("potassium.csv", "recordings.csv", "a.csv", "c.hea", "c.dat")]


def test_a_decision_of_the_review_is_one_of_its_batch_s_beats(study):
    Path("decisions.csv").write_text("subject_id,draw_id,decision,reviewer,note\n17,701,reject,me,\n")
    changed = replace(study, review=replace(study.review, decisions="decisions.csv"))
    everybody = replace(
        _cohort(study), populations=dict.fromkeys((f"p{subject:06d}" for subject in range(7, 22)), None)
    )
    first, second = (step for step in steps_of(changed, everybody) if step.stage == "beats_of_batch")
    assert (first.parameters[-1], first.ancient) == ("{}", ())
    assert (second.parameters[-1], second.ancient) == (str(read_review_decisions("decisions.csv")), ("decisions.csv",))
    assert "p000017" in second.parameters[0]


def test_a_setting_that_changes_no_result_is_one_of_the_study_s_report(study):
    changed = replace(study, source=replace(study.source, connections=9))
    for before, after in zip(steps_of(study, _cohort(study)), steps_of(changed, _cohort(study)), strict=True):
        assert before.digest == after.digest
        assert (before.parameters != after.parameters) == (before.stage == "study_report")


def test_each_step_comes_after_those_that_it_needs(study):
    made = set()
    everything = list(steps_of(study, _cohort(study)))
    of_all = {path for step in everything for path in step.outputs}
    for step in everything:
        assert made >= of_all & set(step.inputs), step
        made |= set(step.outputs)


def test_the_command_names_each_patient_and_starts_nothing(study, tmp_path, capsys):
    _cohort(study)
    before = sorted(tmp_path.rglob("*"))
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("study demo, in results\n")
    assert "p000007" in said
    assert sorted(tmp_path.rglob("*")) == before


def test_overlays_and_another_folder_are_heard(study, tmp_path, capsys):
    _cohort(study)
    (tmp_path / "results").rename(tmp_path / "elsewhere")
    (tmp_path / "overlay.yaml").write_text("study: mine\narms: {paper: null}\n")
    assert main(["status", "--configfile", "overlay.yaml", "--results", "elsewhere/"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("study mine, in elsewhere\n")
    assert "forward, rounds" in said
    assert "paper, rounds" not in said


def test_settings_of_the_command_line_are_heard(study, tmp_path, capsys):
    _cohort(study)
    (tmp_path / "results").rename(tmp_path / "elsewhere")
    assert main(["status", "--config", "study=mine", "results=elsewhere", 'source={"attempts": 2}']) == 0
    assert capsys.readouterr().out.startswith("study mine, in elsewhere\n")
    for wrong in ("study", "study={"):
        assert main(["status", "--config", wrong]) == 1
        assert capsys.readouterr().err == f"kalemia: --config {wrong}: is not KEY=VALUE\n"


@pytest.mark.parametrize("text", ["cohort: {window_minutes: ten}\n", b"\xff"])
def test_a_value_that_is_no_number_and_a_file_that_is_no_text_are_one_line(tmp_path, capsys, text):
    (tmp_path / "overlay.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["status", "--configfile", "overlay.yaml"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_wrong_configuration_is_one_line(tmp_path, capsys):
    (tmp_path / "overlay.yaml").write_text("cohort: 3\n")
    assert main(["status", "--configfile", "overlay.yaml"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["status", "--configfile", "none.yaml"]) == 1
    assert "none.yaml: cannot be read" in capsys.readouterr().err
