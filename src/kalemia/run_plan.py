"""What running a study takes: jobs, hours, memory, disk and requests of each stage, by rates that were measured."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kalemia.core.config import Study
from kalemia.core.errors import UserError
from kalemia.core.negative_controls import TRAINED
from kalemia.core.paths import SUBJECTS_PER_BATCH
from kalemia.core.wording import align_columns, plural
from kalemia.sources.registry import describe_source
from kalemia.study_size import StudySize, study_size

RATES = Path(__file__).parent / "data/stage_rates.csv"  # written by benchmarks/rates.py
CORES = (2, 8, 16)
_REQUESTS_A_DRAW = 5  # a layout header, and header and samples of one or two segments
_MB_A_DRAW = 0.35  # of a fetched draw; as the time of a request an estimate, not a measurement
_REQUEST_S = 0.1


@dataclass(frozen=True)
class Rate:
    """What a stage takes for each unit: seconds of one core, kB of disk; and MB of memory for its largest job.

    network: the network that was measured; empty if the stage has none. gpu_seconds: on a GPU, None if not measured.
    measured: where and on what.
    """

    stage: str
    network: str
    unit: str
    seconds: float
    gpu_seconds: float | None
    memory_mb: float
    disk_unit: str
    disk_kb: float
    measured: str


@dataclass(frozen=True)
class StagePlan:
    """A stage of a study: its jobs, of which at most `parallel` cores are used, and what they take together.

    seconds: of one core. requests: to the server, `connections` at a time.
    """

    rate: Rate
    jobs: int
    parallel: int
    seconds: float
    gpu_seconds: float | None
    disk_mb: float
    requests: int = 0
    connections: int = 1

    def hours(self, cores: int) -> float:
        """On a machine with so many cores; requests wait for the server meanwhile."""
        waiting_s = self.requests * _REQUEST_S / self.connections
        return max(self.seconds / min(cores, self.parallel), waiting_s) / 3600


def read_rates() -> list[Rate]:
    """The measured rates."""
    with RATES.open(newline="") as file:
        return [
            Rate(
                row["stage"],
                row["network"],
                row["unit"],
                float(row["seconds"]),
                float(row["gpu_seconds"]) if row["gpu_seconds"] else None,
                float(row["memory_mb"]),
                row["disk_unit"],
                float(row["disk_kb"]),
                row["measured"],
            )
            for row in csv.DictReader(file)
        ]


def amounts(study: Study, size: StudySize) -> dict[str, float]:
    """How many of each unit a study has."""
    per_draw = study.beats.max_per_draw
    counts = {row: _beats_of_rounds(study, row.arm, row.n_rounds) for row in size.rounds}
    controls = {
        row: n * sum(study.arms[row.arm].negative_controls.get(kind, 0) for kind in TRAINED)
        for row, n in counts.items()
    }
    of_controls = sum(n for row, n in counts.items() if row.arm == study.deciding_arm)
    of_controls *= len(study.controls) * (1 + study.n_shifted_controls)
    return {
        "value": size.n_values,
        "person": size.n_subjects,
        "draw": size.n_draws,
        "beat": size.n_draws * per_draw,
        "generic beat and epoch": size.n_generic_draws
        * per_draw
        * study.populations.generic_split.train
        * (0 if study.generic.model else study.generic.epochs),
        "network": 1,
        "beat of a patient": size.n_personal_draws * per_draw,
        "round": sum(row.n_rounds for row in size.rounds),
        "beat learned in a round": sum(counts.values()),
        "beat learned in a control": sum(controls.values()) + of_controls,
        "patient": size.n_patients,
        "": 0,
    }


def plan_stages(study: Study, size: StudySize) -> list[StagePlan]:
    """The stages of a study, in their order."""
    source = describe_source(study)
    units = amounts(study, size)
    rate_of = {}
    for rate in sorted(read_rates(), key=lambda rate: -_distance(rate, study)):
        rate_of[rate.stage] = rate
    batches = math.ceil(size.n_subjects / SUBJECTS_PER_BATCH)
    evaluable = [row for row in size.rounds if row.n_rounds]
    chunks = sum(len(study.arms[row.arm].null_chunks) for row in evaluable)
    chunks += len(study.controls) * sum(row.arm == study.deciding_arm for row in evaluable)
    patients = size.n_patients
    jobs_and_cores = {
        "source": (1, 2) if source.is_simulated else None,
        "cohort": (1, 1),
        "excerpts": (batches, batches),
        "beats": (batches, batches),
        "tables": (5, 2),
        "generic": None if study.generic.model else (1, study.generic.threads),
        "features": (patients, patients),
        "rounds": (sum(row.n_rounds + 2 for row in evaluable), len(evaluable)),
        "controls": (chunks, chunks),
        "explanation": (patients, patients),
        "pages": (patients + 3, max(patients, 1)),
    }
    requests = {}
    if source.downloads_recordings:
        requests["cohort"] = size.n_recordings, study.source.max_connections
        requests["excerpts"] = size.n_draws * _REQUESTS_A_DRAW, study.source.max_connections
    return [
        _plan(rate_of[stage], *jobs, units, *requests.get(stage, (0, 1)))
        for stage, jobs in jobs_and_cores.items()
        if jobs and jobs[0]
    ]


def run_plan_lines(study: Study) -> Iterator[str]:
    """What running a study takes, as lines for a terminal; raises `UserError` if its size is not known yet."""
    size = study_size(study)
    if size is None:
        raise UserError(
            f"plan: how much {study.study} reads is known when its populations are; make"
            f" {study.results}/cohort/populations.parquet first (docs/running.md)"
        )
    stages = plan_stages(study, size)
    yield f"{study.study}: {size.origin}"
    yield (
        f"{plural(size.n_draws, 'draw')} to read of {plural(size.n_subjects, 'person')};"
        f" generic network: {plural(size.n_generic_draws, 'draw')};"
        f" {plural(size.n_patients, 'personal patient')}, {plural(sum(row.n_rounds for row in size.rounds), 'round')}"
    )
    yield ""
    on_cores = [f"{n} cores" for n in CORES]
    yield from align_columns(
        [
            ("stage", "jobs", *on_cores, "GPU", "memory", "disk", "requests"),
            *(_cells(stage) for stage in stages),
            _total_cells(stages),
        ]
    )
    yield ""
    yield "Measured, as seconds of one core:"
    yield from align_columns(
        (f"  {stage.rate.stage}", f"{_short(stage.rate.seconds)} a {stage.rate.unit}", stage.rate.measured)
        for stage in stages
    )
    yield "That more cores help as much as two do is assumed. A SLURM job takes 3 to 5 s more, and waits in its queue."
    if any(stage.requests for stage in stages):
        yield (
            f"Requests: {_REQUESTS_A_DRAW} and {_MB_A_DRAW} MB a draw, {_REQUEST_S} s each: estimates; nothing was"
            " run against the real server."
        )


def disk_mb(study: Study) -> float:
    """What the results of a study will take on the disk, in MB; 0 if only the stage cohort will tell."""
    size = study_size(study, reads_tables=False)
    return sum(stage.disk_mb for stage in plan_stages(study, size)) if size else 0.0


def _plan(rate: Rate, jobs: int, parallel: int, units: dict[str, float], requests: int, connections: int) -> StagePlan:
    n = units[rate.unit]
    gpu_s = None if rate.gpu_seconds is None else n * rate.gpu_seconds
    disk = units[rate.disk_unit] * rate.disk_kb / 1000
    return StagePlan(rate, jobs, parallel, n * rate.seconds, gpu_s, disk, requests, connections)


def _beats_of_rounds(study: Study, arm: str, n_rounds: int) -> int:
    """How many beats the rounds of one patient learn from, each counted once an epoch."""
    settings = study.arms[arm]
    n_pairs = n_rounds * (n_rounds + 1) // 2 if settings.replay else n_rounds
    return n_pairs * study.personal.pairs_per_round * 2 * study.beats.max_per_draw * settings.epochs


def _distance(rate: Rate, study: Study) -> float:
    """How far the measured network is from that of the study, by its width."""
    return abs(math.log(int(rate.network.split()[-1]) / study.network.width)) if rate.network else 0


def _cells(stage: StagePlan) -> tuple[str, ...]:
    return (
        stage.rate.stage,
        f"{stage.jobs:,}",
        *(_duration(stage.hours(n)) for n in CORES),
        "" if stage.gpu_seconds is None else _duration(stage.gpu_seconds / 3600),
        f"{stage.rate.memory_mb:,.0f} MB",
        size_text(stage.disk_mb),
        f"{stage.requests:,}" if stage.requests else "",
    )


def _total_cells(stages: list[StagePlan]) -> tuple[str, ...]:
    """Stages one after the other; the column of the GPU with the other stages on the fewest cores."""
    on_gpu = sum(one.hours(CORES[0]) if one.gpu_seconds is None else one.gpu_seconds / 3600 for one in stages)
    return (
        "all",
        f"{sum(stage.jobs for stage in stages):,}",
        *(_duration(sum(stage.hours(n) for stage in stages)) for n in CORES),
        f"{_duration(on_gpu)}, others on {CORES[0]} cores",
        f"{max(stage.rate.memory_mb for stage in stages):,.0f} MB",
        size_text(sum(stage.disk_mb for stage in stages)),
        f"{sum(stage.requests for stage in stages):,}" if any(stage.requests for stage in stages) else "",
    )


def _duration(hours: float) -> str:
    """For example ``40 s``, ``12 min``, ``3.4 h`` or ``5.2 days``."""
    seconds = hours * 3600
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def _short(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def size_text(megabytes: float) -> str:
    """For example ``3 MB`` or ``12.3 GB``."""
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{math.ceil(megabytes)} MB"
