"""Measured rates of the stages, from the times and files of finished studies, for `kalemia plan`.

    python benchmarks/rates.py results results/textbook >src/kalemia/data/stage_rates.csv

A stage (with a network, a stage and network) takes its rate from the first of the studies that has run it. The seconds
are processor time, start-up included.
"""

import argparse
import csv
import dataclasses
import sys
from pathlib import Path

from stages import bytes_of, jobs_of

from kalemia.core.config import Study
from kalemia.core.config_files import read_config, read_settings
from kalemia.run_plan import Rate, amounts
from kalemia.study_size import StudySize, size_of_results

ROOT = Path(__file__).parents[1]
LARGE = "depth 50, width 64"
# What was measured without a study: docs/performance.md, and the jobs of one patient with 5,200 beats.
BENCHMARKED = [
    Rate(
        "generic",
        LARGE,
        "generic beat and epoch",
        2 / 250 + 0.32 * 0.0026,  # two cores learn 250 beats a second; a third as many are validated
        73.6 / (50 * 324_710),  # an H200, validation included
        1350,
        "network",
        64_010,
        "benchmarks/training.py, float32; GPU: an H200",
    ),
    Rate("features", LARGE, "beat of a patient", 0.00264, None, 1310, "beat of a patient", 40.9, "one patient"),
    Rate("rounds", LARGE, "beat learned in a round", 0.00678, None, 971, "round", 41_070, "one patient, float32"),
    Rate("controls", LARGE, "beat learned in a control", 0.00478, None, 971, "", 0, "benchmarks/personal.py, float32"),
    Rate("explanation", LARGE, "patient", 118, None, 1310, "patient", 77, "not measured: the small network, times 42"),
]


@dataclasses.dataclass(frozen=True)
class Stage:
    """The rules of a stage, what their time grows with, what their files grow with and in which folders those are."""

    rules: tuple[str, ...]
    unit: str
    disk_unit: str = ""
    folders: tuple[str, ...] = ()
    has_network: bool = False


STAGES = {
    "source": Stage(("simulate",), "value", "value", ("source",)),
    "cohort": Stage(("cohort",), "value"),
    "excerpts": Stage(("excerpts_of_batch",), "draw", "draw", ("excerpts",)),
    "beats": Stage(("beats_of_batch",), "draw", "beat", ("beats",)),
    "tables": Stage(("populations", "context", "characteristics", "ledger", "height_weight"), "person", "", ()),
    "generic": Stage(
        ("generic_beats", "generic", "comparators", "mixed_model"),
        "generic beat and epoch",
        "network",
        ("generic",),
        True,
    ),
    "features": Stage(("features",), "beat of a patient", "beat of a patient", ("features",), True),
    "rounds": Stage(("split", "score_generic", "finetune"), "beat learned in a round", "round", ("personal",), True),
    "controls": Stage(("nulls", "controls", "strangers"), "beat learned in a control", has_network=True),
    "explanation": Stage(("explanation",), "patient", "patient", ("explanation",), True),
    "pages": Stage(
        ("patient_report", "evaluation", "study_report", "review_page"),
        "patient",
        "patient",
        ("patients", "figures", "mean_beats", "quality"),
    ),
}


def rates_of(name: str, study: Study, size: StudySize) -> list[Rate]:
    """The rate of each stage that a study has run."""
    units, results = amounts(study, size), Path(study.results)
    network = f"depth {study.network.depth}, width {study.network.width}"
    rates = []
    for stage, of in STAGES.items():
        jobs = [job for rule in of.rules for job in jobs_of(results, rule)]
        if not jobs or not units[of.unit]:
            continue
        disk = sum(bytes_of(results / folder) for folder in of.folders) / 1000
        rates.append(
            Rate(
                stage,
                network if of.has_network else "",
                of.unit,
                sum(float(job["cpu_s"]) for job in jobs) / units[of.unit],
                None,
                max(float(job["max_rss_mb"]) for job in jobs),
                of.disk_unit,
                disk / units[of.disk_unit] if of.disk_unit else 0.0,
                f"{name}, {units[of.unit]:,.0f} of them" + (f", {network}" if of.has_network else ""),
            )
        )
    return rates


def settings_of(results: Path) -> Study:
    """Of a finished study, or of one that ended with the populations, whose overlay is studies/<name>.yaml."""
    if (results / "config.yaml").exists():
        study = read_settings(results)
    else:
        study = Study.from_config(read_config(ROOT / "config.yaml", [ROOT / f"studies/{results.name}.yaml"]))
    return dataclasses.replace(study, results=str(results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", type=Path, help="results folders")
    rates = {(rate.stage, rate.network): rate for rate in BENCHMARKED}
    for results in parser.parse_args().results:
        study = settings_of(results)
        for rate in rates_of(f"study {study.study}", study, size_of_results(study)):
            rates.setdefault((rate.stage, rate.network), rate)
    order = {stage: number for number, stage in enumerate(STAGES)}
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(field.name for field in dataclasses.fields(Rate))
    for rate in sorted(rates.values(), key=lambda rate: (order[rate.stage], rate.network)):
        cells = ("" if value is None else value for value in dataclasses.astuple(rate))
        writer.writerow(f"{cell:.4g}" if isinstance(cell, float) else cell for cell in cells)


if __name__ == "__main__":
    main()
