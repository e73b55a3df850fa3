"""How far mean beats drift without a cause, and with one: what the threshold of the monitor's drift alarm rests on.

python benchmarks/drift.py [path/to/data]. A person's beat is learned from the first draws or the first part of a
recording, and compared with later ones of the same lead and of another. Without the folder, no real one.
"""

import csv
import gzip
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import wfdb
import yaml
from scipy.signal import resample_poly
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from annotated_ecg import DS1, WINDOW
from kalemia.beats.segment_beats import BeatSettings, assess_with_marks
from kalemia.core.config import Study
from kalemia.core.seeds import rng, seed_of
from kalemia.ecg.fiducial import FiducialTemplate
from kalemia.monitor.drift import DRIFT_ABOVE, drift_of
from kalemia.simulate.physiology import WAVES, random_heart
from simulated_course import course_mv

ROOT = Path(__file__).parent.parent
SETTINGS = BeatSettings.from_study(Study.from_config(yaml.safe_load((ROOT / "config.yaml").read_text())))
SEED, PEOPLE = 5, 40
LEARNED, LATER, SEVERE = (4.2, 4.8, 6.0, 6.8), (3.8, 4.2, 5.2, 6.4), 7.5  # mEq/L
Drift = tuple[str, str, float]  # data, what differs, drift


def mean_beat(ecg_mv: np.ndarray, wave: FiducialTemplate | None) -> tuple[np.ndarray | None, FiducialTemplate | None]:
    """The mean of the good beats of an excerpt, None if it cannot be used, and its wave."""
    assessment, reason = assess_with_marks(ecg_mv.astype(np.float32), SETTINGS, None, wave)
    good = assessment.beats_mv[assessment.beat_labels.is_good]
    return (None if reason else good.mean(axis=0, dtype=np.float64)), assessment.fiducials.own


def simulated() -> Iterator[Drift]:
    """Draws of simulated people: of the same lead, of one as if electrodes were moved, of lead V, and upside down."""
    for person in range(PEOPLE):
        heart = random_heart(rng(SEED, person), 1.0, False)

        def draw_mv(number: int, potassium: float, factors: np.ndarray, heart=heart, person=person) -> np.ndarray:
            pieces = course_mv(heart, lambda _: potassium, 1 / 6, seed_of(SEED, person, number), factors)
            return np.concatenate(list(pieces))

        same, wave, learned = np.ones(len(WAVES)), None, []
        for number, potassium in enumerate(LEARNED):
            beat_mv, own = mean_beat(draw_mv(number, potassium, same), wave)
            wave = wave or own
            learned += [beat_mv] if beat_mv is not None else []
        moved = np.exp(0.5 * rng(SEED, person, "electrodes").standard_normal(len(WAVES)))
        leads = {"nothing": same, "electrodes moved": moved, "lead V": heart.chest_factor, "electrodes swapped": -same}
        for number, potassium in enumerate((*LATER, SEVERE), start=len(LEARNED)):
            for what, factors in leads.items():
                beat_mv, _ = mean_beat(draw_mv(number, potassium, factors), wave)
                if beat_mv is not None and learned:
                    severe = f", at {SEVERE:g} mEq/L" if potassium == SEVERE else ""
                    yield "simulated", f"{what}{severe}", drift_of(beat_mv, np.mean(learned, axis=0))


def mit_bih(data: Path) -> Iterator[Drift]:
    """The second and third ten minutes against the first, of the same and of the other lead."""
    for name in DS1:
        record = wfdb.rdrecord(str(data / "mitdb" / name))
        leads = [resample_poly(lead, 25, 72) for lead in record.p_signal.T]
        yield from _against_the_start("MIT-BIH", leads, WINDOW)


def bidmc(data: Path) -> Iterator[Drift]:
    """The second four minutes against the first, of lead II and of the others."""
    for path in sorted((data / "bidmc").glob("*_Signals.csv.gz")):
        with gzip.open(path, "rt") as file:
            names = [name.strip() for name in next(csv.reader(file))]
            columns = dict(zip(names, np.genfromtxt(file, delimiter=",").T, strict=True))
        leads = [columns[name] for name in ("II", "V", "AVR") if name in columns]
        yield from _against_the_start("BIDMC", leads, len(leads[0]) // 2)


def _against_the_start(data: str, leads: list[np.ndarray], length: int) -> Iterator[Drift]:
    learned_mv, wave = mean_beat(leads[0][:length], None)
    for start in range(length, len(leads[0]) - length + 1, length):
        for what, lead in zip(("nothing", *["another lead"] * (len(leads) - 1)), leads, strict=True):
            beat_mv, _ = mean_beat(lead[start : start + length], wave)
            if learned_mv is not None and beat_mv is not None:
                yield data, what, drift_of(beat_mv, learned_mv)


def main(data: Path) -> None:
    """Print the table."""
    threadpool_limits(1)
    drifts = defaultdict(list)
    for source in (simulated(), *((mit_bih(data), bidmc(data)) if data.is_dir() else ())):
        for name, what, drift in source:
            drifts[name, what].append(drift)
    print(f"| data | what differs | windows | median | 95% | largest | above {DRIFT_ABOVE} |")
    print("|---|---|---|---|---|---|---|")
    for (name, what), values in drifts.items():
        figures = " | ".join(f"{value:.2f}" for value in np.quantile(values, (0.5, 0.95, 1)))
        above = np.mean(np.array(values) > DRIFT_ABOVE)
        print(f"| {name} | {what} | {len(values)} | {figures} | {above:.0%} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared/data")
