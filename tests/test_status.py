import base64
import json
import os

import pytest

from kalemia.cli import main
from kalemia.status import states_of, status_lines
from kalemia.steps import Step, people_of, steps_of
from kalemia.tables import empty_table, file_hash, table_from_rows, write_json, write_table


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _write(path, at_s, digest="now"):
    write_table(path, "generic", empty_table("generic"), digest)
    os.utime(path, (at_s, at_s))


def _record(output, **fields):
    name = base64.urlsafe_b64encode(output.encode()).decode()
    os.makedirs(".snakemake/metadata", exist_ok=True)
    with open(f".snakemake/metadata/{name}", "w") as file:
        json.dump(fields, file)


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


def test_a_missing_step_does_not_make_the_next_stale():
    _write("b.parquet", 1)
    assert _states(A, B) == ["missing", "done"]


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


def test_a_wrong_configuration_is_one_line(tmp_path, capsys):
    (tmp_path / "overlay.yaml").write_text("cohort: 3\n")
    assert main(["status", "--configfile", "overlay.yaml"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["status", "--configfile", "none.yaml"]) == 1
    assert "none.yaml: cannot be read" in capsys.readouterr().err
