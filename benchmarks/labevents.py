"""Filter LABEVENTS for potassium: Kalemia compared with pandas, polars and duckdb on a synthetic table of full size.

    python benchmarks/labevents.py [ROWS]

Each contender runs in a process of its own and must find the same rows. Those that are not installed are left out
(`make bench` installs them; they are no dependency of Kalemia).
"""

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROWS = 27_854_055  # of MIMIC-III 1.4
ITEMS = (50971, 50822)
COLUMNS = ("ROW_ID", "SUBJECT_ID", "HADM_ID", "ITEMID", "CHARTTIME", "VALUE", "VALUENUM")
HEADER = '"ROW_ID","SUBJECT_ID","HADM_ID","ITEMID","CHARTTIME","VALUE","VALUENUM","VALUEUOM","FLAG"\n'
REPEATS = 3


def write_table(path: Path, rows: int, subjects: np.ndarray | None = None) -> None:
    """Rows in the form of the real ones, one in 33 potassium, the rest of 700 other items; of 99,998 subjects, or of
    those given.
    """
    subjects = np.arange(1, 99_999) if subjects is None else subjects
    others = np.setdiff1d(np.arange(50800, 51555), ITEMS)[:700]
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write(HEADER.encode())
        for first in range(0, rows, 200_000):
            rng, n = np.random.default_rng(first), min(200_000, rows - first)
            item = np.where(rng.random(n) < 0.03, rng.choice(ITEMS, n), rng.choice(others, n))
            subject, admission = np.sort(rng.choice(subjects, n)), rng.integers(100_000, 199_999, n)
            value = np.where(np.isin(item, ITEMS), rng.normal(4.4, 0.8, n), rng.random(n) * 20).round(1)
            flag = np.where(rng.random(n) < 0.3, '"abnormal"', "")
            hour, minute, day = rng.integers(0, 24, n), rng.integers(0, 60, n), rng.integers(1, 28, n)
            lines = (
                f"{first + i},{subject[i]},{admission[i]},{item[i]},21{subject[i] % 90 + 10}-{subject[i] % 12 + 1:02d}-"
                f'{day[i]:02d} {hour[i]:02d}:{minute[i]:02d}:00,"{value[i]}",{value[i]},"mEq/L",{flag[i]}\n'
                for i in range(n)
            )
            file.write("".join(lines).encode())


def kalemia(path: Path) -> int:
    from kalemia.sources.mimic_tables import analyte_rows

    return len(analyte_rows(path.parent, ITEMS))


def pandas(path: Path) -> int:
    import pandas as pd

    chunks = pd.read_csv(path, usecols=COLUMNS, parse_dates=["CHARTTIME"], chunksize=1_000_000)
    return len(pd.concat([chunk[chunk.ITEMID.isin(ITEMS)] for chunk in chunks]))


def polars(path: Path) -> int:
    import polars as pl

    rows = pl.scan_csv(path, try_parse_dates=True).filter(pl.col("ITEMID").is_in(ITEMS)).select(COLUMNS)
    return len(rows.collect(engine="streaming"))


def duckdb(path: Path) -> int:
    import duckdb

    rows = duckdb.sql(f"select {', '.join(COLUMNS)} from read_csv('{path}') where ITEMID in {ITEMS}")
    return len(rows.to_arrow_table())


CONTENDERS = {function.__name__: function for function in (kalemia, pandas, polars, duckdb)}


def measured(name: str, path: Path) -> dict | None:
    """Rows found, seconds and peak memory (MB) of one contender in a fresh process; None if it is not installed."""
    run = subprocess.run([sys.executable, __file__, "--one", name, path], capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in run.stderr:
        return None
    if run.returncode:
        sys.exit(run.stderr)
    return json.loads(run.stdout)


def run_one(name: str, path: Path) -> None:
    import resource
    import time

    began = time.perf_counter()
    found = CONTENDERS[name](path)
    seconds = time.perf_counter() - began
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"found": found, "seconds": seconds, "peak_mb": peak_mb}))


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "LABEVENTS.csv.gz"
        write_table(path, rows)
        print(f"{rows:,} rows, {path.stat().st_size / 1e6:.0f} MB gzipped; imports included; best of {REPEATS} in turn")
        runs: dict[str, list[dict]] = {}
        for _ in range(REPEATS):
            for name in CONTENDERS:
                result = measured(name, path)
                if result is None:
                    print(f"{name}: not installed") if name not in runs else None
                    continue
                runs.setdefault(name, []).append(result)
    if len({run["found"] for mine in runs.values() for run in mine}) != 1:
        sys.exit(f"the contenders found different rows: {runs}")
    ours = min(run["seconds"] for run in runs["kalemia"])
    print(f"{'':10}{'seconds':>9}{'rows/s':>13}{'peak MB':>9}{'time, kalemia = 1':>19}")
    for name, mine in runs.items():
        seconds, peak_mb = min(run["seconds"] for run in mine), max(run["peak_mb"] for run in mine)
        print(f"{name:10}{seconds:9.2f}{rows / seconds:13,.0f}{peak_mb:9,.0f}{seconds / ours:19.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run_one(sys.argv[2], Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
