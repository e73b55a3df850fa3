"""A study on a real SLURM of one node: interrupted, killed, with a failing patient and too little memory, at last done.

`make slurm-test` starts that SLURM; without it these tests are skipped.
"""

import os
import signal
from types import SimpleNamespace

import pytest

from kalemia.core.paths import SUBJECTS_PER_BATCH
from run_workflow import ROOT, contents_of, run_snakemake
from slurm_study import ACCOUNT, GPU_PARTITION, PARTITION, SlurmStudy, slurm, wait_until

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif("KALEMIA_SLURM" not in os.environ, reason="make slurm-test starts the SLURM that this needs"),
]
STUDY = "tests/studies/slurm.yaml"


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The same study run by Snakemake alone, and by one job at a time."""
    folder = tmp_path_factory.mktemp("local")
    run = run_snakemake(folder, "--cores", "1", studies=(STUDY,))
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "results"


@pytest.fixture(scope="module")
def story(tmp_path_factory, local):
    """What happens to the study, in turn; each chapter keeps what its tests ask about."""
    study = SlurmStudy(tmp_path_factory.mktemp("slurm"), str(ROOT / STUDY))
    told = SimpleNamespace(study=study, results=study.folder / "results")
    told.failing, told.other = sorted(path.name for path in (local / "patients").iterdir())
    log, state = told.results / "logs/generic.log", told.results / "generic/model.safetensors.state"

    def generic_goes_on():
        return log.exists() and "resuming after epoch" in log.read_text()

    too_little = {"generic": {"gpu": 1, "slurm_partition": GPU_PARTITION}, "strangers": {"mem_mb": "220 * attempt"}}
    study.configure(**{"group-components": {"subjects": 2 * SUBJECTS_PER_BATCH}, "set-resources": too_little})

    process = study.start()  # 1: Ctrl-C while beats are made
    # not sooner: Ctrl-C in the very moment of a submission ends Snakemake 9.27 with a traceback, and the jobs go on
    wait_until(lambda: study.queue("beats-", "RUNNING"))
    process.send_signal(signal.SIGINT)
    told.interrupted = process.wait(timeout=120)
    wait_until(lambda: not study.queue(), seconds=20)
    told.submissions = {stage: study.records_of(f"{stage}-") for stage in ("excerpts", "beats")}

    process = study.start()  # 2: Snakemake is killed while the generic network trains, then the job that it left behind
    wait_until(state.exists)
    process.kill()
    process.wait()
    told.left_behind = study.queue()
    study.cancel()
    assert study.run("--unlock")[0] == 0

    shard = told.results / f"beats/{told.failing}.parquet"
    whole, times = shard.read_bytes(), (shard.stat().st_atime, shard.stat().st_mtime)
    shard.write_bytes(b"damaged")  # so that one patient's jobs fail, whatever they are given
    os.utime(shard, times)
    process = study.start()  # 3: the training is cancelled by somebody else, and one patient fails
    wait_until(generic_goes_on)
    slurm("scancel", *study.queue("generic"))
    told.with_failure = process.wait(timeout=900)
    told.generic_log = log.read_text()
    told.after_failure = contents_of(told.results)

    shard.write_bytes(whole)
    os.utime(shard, times)
    told.mended, told.said = study.run()  # 4: to the end
    told.again, told.said_again = study.run("--dry-run")
    return told


def test_jobs_run_on_slurm_under_the_account_and_partitions_of_the_profile(story):
    records = story.study.records()
    # a job that a killed Snakemake left behind may have written its outputs before it was cancelled
    counted = [row for row in records if row["State"] == "COMPLETED" or row["JobIDRaw"] in story.left_behind]
    completed = {row["Comment"].split("_wildcards_")[0] for row in counted}
    single = {
        "simulate",
        "cohort",
        "height_weight",
        "populations",
        "context",
        "ledger",
        "review_page",
        "characteristics",
    }
    single |= {"generic_beats", "generic", "nulls", "strangers", "report_evaluation_study_report"}
    assert {f"rule_{name}" for name in single} <= completed
    for group in ("excerpts-0", "beats-0", f"rounds_{story.other}", f"page_{story.other}"):
        assert any(comment.startswith(f"rule_{group}") for comment in completed), group
    assert {row["Account"] for row in records} == {ACCOUNT}
    for row in records:
        on_gpu = row["Comment"] == "rule_generic"
        assert row["Partition"] == (GPU_PARTITION if on_gpu else PARTITION)
        assert ("gres/gpu=1" in row["ReqTRES"]) == on_gpu


def test_tiny_rules_never_leave_the_login_node(story):
    for rule, made in {"count_rounds": "personal/arms.parquet", "excerpts": "excerpts/p200001.parquet"}.items():
        assert not story.study.records_of(rule)
        assert made in story.after_failure


def test_many_subjects_share_a_submission_that_asks_for_one_job_at_a_time(story):
    excerpts = story.submissions["excerpts"]
    groups = {f"rule_excerpts-{group}_excerpts_of_batch" for group in range(2)}
    assert sorted(row["Comment"] for row in excerpts) == sorted(groups)
    for row in excerpts:
        assert "cpu=1," in row["ReqTRES"]
        assert row["ReqMem"] == "600M"


def test_an_interrupt_cancels_every_job(story):
    assert story.interrupted != 0
    assert any(row["State"].startswith("CANCELLED") for row in story.submissions["beats"])


def test_jobs_done_before_an_interruption_are_not_done_again(story):
    for rule in ("simulate", "cohort", "height_weight", "populations", "excerpts-0"):
        assert [row["State"] for row in story.study.records_of(rule)] == ["COMPLETED"], rule


def test_a_killed_training_resumes(story):
    assert story.left_behind  # a killed Snakemake cancels nothing
    states = [row["State"].split()[0] for row in story.study.records_of("generic")]
    assert states == ["CANCELLED", "CANCELLED", "COMPLETED"]
    assert "resuming after epoch" in story.generic_log


def test_a_job_killed_for_its_memory_is_submitted_again_with_more(story):
    killed, *_, last = story.study.records_of("strangers")
    # SLURM calls such a step OUT_OF_MEMORY or CANCELLED, as its own look at memory or the kernel was the first
    steps = slurm(
        "sacct", "-n", "-P", "--units=K", "-j", killed["JobIDRaw"], "-o", "JobID,ExitCode,MaxRSS"
    ).splitlines()
    exit_code, used = next(step.split("|")[1:] for step in steps if step.startswith(f"{killed['JobIDRaw']}.0|"))
    assert exit_code == "0:9"
    assert float(used.rstrip("K")) > 1024 * float(killed["ReqMem"].rstrip("M"))
    assert killed["State"] == "FAILED"
    assert last["State"] == "COMPLETED"
    assert int(killed["ReqMem"].rstrip("M")) < int(last["ReqMem"].rstrip("M"))


def test_every_attempt_asks_for_more_memory_and_time(story):
    failed = [row for row in story.study.records_of(f"rounds_{story.failing}") if row["State"] == "FAILED"]
    assert len(failed) == 3
    for field in ("ReqMem", "TimelimitRaw"):
        first, second, third = (int(row[field].rstrip("M")) for row in failed)
        assert (second, third) == (2 * first, 3 * first)


def test_a_failing_patient_does_not_stop_the_others(story):
    assert story.with_failure != 0
    assert f"patients/{story.other}/report.html" in story.after_failure
    assert f"patients/{story.failing}/report.html" not in story.after_failure
    assert "report.html" not in story.after_failure


def test_logs_of_failed_submissions_are_found_by_the_patient(story):
    logs = [path.read_text() for path in story.results.glob(f"logs/slurm/group_rounds_{story.failing}_*/*.log")]
    assert any(f"{story.failing}.parquet" in text for text in logs)


def test_a_repaired_patient_runs_alone(story):
    assert story.mended == 0, story.said
    for start in (f"rounds_{story.other}_features", f"page_{story.other}"):
        assert [row["State"] for row in story.study.records_of(start)] == ["COMPLETED"]
    assert story.again == 0
    assert "Nothing to be done" in story.said_again


def test_results_equal_a_local_run_byte_for_byte(story, local):
    here, there = contents_of(local), contents_of(story.results)
    # Snakemake deletes what is temporary once no checkpoint is to come, and after the interruption forgets it
    there = {name: content for name, content in there.items() if "/batch-" not in name}
    assert set(here) == set(there)
    assert [name for name in here if here[name] != there[name]] == []


def test_nothing_waits_or_runs_at_the_end(story):
    assert not story.study.queue()
