"""Personalize a generic model for one patient: the workflow's rounds on the patient's own recordings and draws."""

import dataclasses
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from kalemia.cohort.labs import build_draws
from kalemia.core.config import Arm, Source, Study
from kalemia.core.config_files import SETTINGS_FILE, config_text, plain
from kalemia.core.config_validation import check_config
from kalemia.core.errors import UserError
from kalemia.core.paths import ResultPaths, subject_name
from kalemia.core.tables import read_json, read_table, write_text
from kalemia.core.wording import plural
from kalemia.models.export_model import export_model
from kalemia.models.import_generic import check_is_generic, fitting_study
from kalemia.models.model_folder import read_model_config
from kalemia.models.registry import Registry
from kalemia.sources.description import says_no_folder
from kalemia.sources.registry import describe_source

ARM = "forward"
CHECKOUT = Path(__file__).parents[2]  # that Kalemia is installed from
LOG = "snakemake.log"


def enroll(
    model: str | Path, recordings: str | Path, work: str | Path, registry: str | Path, min_draws: int | None = None
) -> Iterator[str]:
    """Train every round of one patient from a generic model, and add each round's model to a registry.

    Yields lines for a person. model: a model folder with a generic network. recordings: a folder with recordings.csv
    and potassium.csv of one patient (docs/own-recordings.md). work: the folder in which Snakemake runs; a later call
    with the same folder continues there, also after new draws. min_draws: draws of each class that are needed
    (default: populations.personal_min_draws). The arm is `forward` of the default study, without negative controls.

    Raises `UserError` before anything is written if the model is personal, if there is not exactly one patient, or if
    there are too few draws; and before the registry is changed if the workflow fails or no round is possible.
    """
    study = enrollment_study(model, recordings, min_draws)
    number, called = _only_patient(study)
    subject, work = subject_name(number), Path(work)
    yield f"{called} ({subject}): training in {work}; the log is {work / LOG}"
    paths = ResultPaths(work / study.results)
    for place in (work / "config.yaml", paths(SETTINGS_FILE)):  # for Snakemake, and for export
        write_text(place, config_text(study))
    _run_workflow(work)
    (row,) = (row for row in read_table(paths("personal/arms.parquet"), "arms").to_pylist() if row["arm"] == ARM)
    if row["reason"]:
        raise UserError(f"{called}: no network can be trained and tested: {row['reason']}")
    yield _test_line("generic network", read_json(paths.round_file(ARM, subject, 0, "metrics.json")))
    for k in range(1, row["rounds"] + 1):
        yield _test_line(f"round {k}", read_json(paths.round_file(ARM, subject, k, "metrics.json")))
    for k in range(1, row["rounds"] + 1):
        yield f"registered: {_register(registry, Path(paths.round_file(ARM, subject, k, '')))}"


def enrollment_study(model: str | Path, recordings: str | Path, min_draws: int | None = None) -> Study:
    """The study of one patient: the defaults, and every setting that the model folder has."""
    trained = read_model_config(model)
    check_is_generic(model, trained)
    place = str(Path(recordings).resolve())
    if not Path(place).is_dir():
        raise UserError(f"--recordings {recordings}: {says_no_folder(place)}")
    study = fitting_study(trained, Study())
    needed = study.populations.personal_min_draws if min_draws is None else min_draws
    study = dataclasses.replace(
        study,
        study="enrollment",
        source=Source(kind="local", waveforms=place, tables=place),
        cohort=dataclasses.replace(study.cohort, exclude_codes=False),
        populations=dataclasses.replace(study.populations, personal_min_draws=needed),
        generic=dataclasses.replace(study.generic, model=str(Path(model).resolve())),
        arms={ARM: Arm()},
    )
    check_config(plain(dataclasses.asdict(study)))
    return study


def _only_patient(study: Study) -> tuple[int, str]:
    """Number and name of the one patient of the files; raises `UserError` if there are others or too few draws."""
    description = describe_source(study)
    description.check()
    source = description.open()
    draws = build_draws(source.analyte_rows(study.analyte.items), study.analyte)
    subjects = sorted({*draws["subject_id"].to_pylist(), *source.recording_names()})
    if len(subjects) != 1:
        raise UserError(
            f"{description.waveforms}: has {plural(len(subjects), 'subject')}, and one is enrolled at a time; make a"
            " folder for each"
        )
    called = source.subject_names[subjects[0]]
    labels = Counter(row["label"] for row in draws.to_pylist() if row["reason"] is None)
    needed, where = study.populations.personal_min_draws, description.tables_folder
    if min(labels[1], labels[0]) < needed:
        raise UserError(
            f"{where}: {called} has {plural(labels[1], 'positive draw')} and {labels[0]:,} negative;"
            f" {needed} of each are needed (--min-draws)"
        )
    return subjects[0], called


def _run_workflow(work: Path) -> None:
    """Run Snakemake in `work` up to the last round; raises `UserError` with the line that it ended with."""
    if not (CHECKOUT / "Snakefile").is_file():
        raise UserError(f"{CHECKOUT}: has no Snakefile; enroll needs Kalemia installed from its checkout (make setup)")
    command = [sys.executable, "-m", "snakemake", "--snakefile", CHECKOUT / "Snakefile", "--directory", work]
    command += ["--workflow-profile", CHECKOUT / "profiles/default", "--cores", "2"]
    with (work / LOG).open("w") as log:
        ended = subprocess.run(
            [*map(str, command), "--", "personal_networks"], stdout=log, stderr=subprocess.STDOUT, check=False
        )
    if ended.returncode:
        lines = (work / LOG).read_text(errors="replace").splitlines()
        said = [line.removeprefix("kalemia: ") for line in lines if line.startswith("kalemia: ")]
        raise UserError(said[0] if said else f"{work / LOG}: Snakemake ended with: {lines[-1] if lines else 'nothing'}")


def _test_line(model: str, metrics: dict) -> str:
    auc = "not known" if metrics["auc"] is None else f"{metrics['auc']:.2f}"
    of = plural(metrics["n_test"], "test draw")
    return (
        f"{model}: accuracy {metrics['accuracy']:.2f} and AUC {auc} on {of}, {metrics['n_positive']} of them positive"
    )


def _register(registry: str | Path, network_folder: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "model"
        export_model(network_folder, exported)
        return Registry(registry).add(exported)
