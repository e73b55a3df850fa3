"""Write a study whose answer is known on real ECG: recordings of BIDMC under potassium values drawn by lot.

python tools/real_null.py BIDMC own
snakemake --cores 2 --configfile studies/own.yaml studies/real-ecg.yaml

BIDMC (physionet.org/content/bidmc, open) has eight minutes of each person. They are cut into pieces of 20 seconds,
which are dated 11 hours apart; labels come in runs, as they do in people. Nothing in the ECG knows of them, but
neighboring pieces are alike.
"""

import argparse
import csv
import gzip
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

SEED = 2031  # as of the other studies with a known answer, fixed before the first run
UNFIT = (1, 13, 17, 24, 25)  # clipped at the ends of the recorder's range; 17 also fibrillating
PERSONAL = 13  # of the 21 others, by lot
PIECE_S, RATE_HZ, N_PIECES = 20, 125, 24
GENERIC_PIECES = 4
HOURS_APART = 11
RUN = (2, 3, 4)  # draws of one label in a row
RANGES = {1: (5.6, 6.8), 0: (3.6, 4.9)}  # mEq/L


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bidmc", type=Path, help="folder with bidmc_01_Signals.csv.gz and the others")
    parser.add_argument("folder", type=Path, help="where recordings.csv, potassium.csv and the recordings go")
    options = parser.parse_args()
    write_study(options.bidmc, options.folder)


def write_study(bidmc: Path, folder: Path) -> None:
    """Write the two tables and one CSV recording a piece."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    people = rng.permutation([number for number in range(1, 27) if number not in UNFIT])
    recordings, values = [], []
    for place, person in enumerate(people.tolist()):
        lead_mv = read_lead(bidmc / f"bidmc_{person:02d}_Signals.csv.gz")
        n_pieces = N_PIECES if place < PERSONAL else GENERIC_PIECES
        for piece, label in enumerate(labels_in_runs(n_pieces, rng)):
            start = datetime(2150, 1, 1) + timedelta(hours=HOURS_APART * piece)
            name = f"person-{person:02d}-{piece:02d}.csv"
            span = slice(piece * PIECE_S * RATE_HZ, (piece + 1) * PIECE_S * RATE_HZ)
            (folder / name).write_text("II\n" + "".join(f"{value}\n" for value in lead_mv[span]))
            recordings.append((person, start, name, "II", RATE_HZ, "mV"))
            values.append((person, start + timedelta(seconds=PIECE_S), round(rng.uniform(*RANGES[label]), 1)))
    write_rows(folder / "recordings.csv", ("subject", "start", "path", "lead", "rate", "unit"), recordings)
    write_rows(folder / "potassium.csv", ("subject", "time", "potassium"), values)


def read_lead(path: Path) -> list[str]:
    """Lead II of a recording, the cells as they are written."""
    with gzip.open(path, "rt") as file:
        rows = csv.reader(file)
        lead = [name.strip() for name in next(rows)].index("II")
        return [row[lead].strip() for row in rows]


def labels_in_runs(n: int, rng: np.random.Generator) -> list[int]:
    """Labels (n) in runs of both kinds in turn, the first by lot."""
    labels, label = [], int(rng.integers(2))
    while len(labels) < n:
        labels += [label] * int(rng.choice(RUN))
        label = 1 - label
    return labels[:n]


def write_rows(path: Path, header: tuple[str, ...], rows: list[tuple]) -> None:
    """Write a CSV table."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    main()
