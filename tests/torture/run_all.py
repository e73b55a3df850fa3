"""Run the campaigns of `make torture` and write their counts: torture.json and torture.md.

    python tests/torture/run_all.py --out FOLDER [--seed 1] [--short] [--only NAME ...]

A campaign is a module beside this one with `run(folder, seed, is_short)`, which returns tallies. Two run at a time. The
exit status is the number of cases that broke a promise.
"""

import argparse
import importlib
import json
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from campaign import Tally  # noqa: E402, found by the line before

# two at a time, one of each lane
LANES = (
    ("kill_study", "full_disks"),
    ("fuzz_readers", "bad_files", "bad_settings", "arithmetic", "hostile_text", "races"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder, new or to be written over")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="a tenth of the cases, for a look")
    parser.add_argument("--only", nargs="+", choices=[name for lane in LANES for name in lane])
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    lanes = [[name for name in lane if not given.only or name in given.only] for lane in LANES]
    with ProcessPoolExecutor(len(lanes), mp_context=get_context("spawn")) as pool:
        arguments = [(lane, str(given.out.resolve()), given.seed, given.short) for lane in lanes]
        tallies = [tally for of_lane in pool.map(run_lane, arguments) for tally in of_lane]
    (given.out / "torture.json").write_text(json.dumps([tally.as_json() for tally in tallies], indent=1) + "\n")
    (given.out / "torture.md").write_text(table(tallies))
    print(table(tallies))
    for tally in tallies:
        print(*(f"{tally.name}: {failure}" for failure in tally.failures), sep="\n", end="\n" if tally.failures else "")
    return min(100, sum(len(tally.failures) for tally in tallies))


def run_lane(arguments: tuple[list[str], str, int, bool]) -> list[Tally]:
    """The campaigns of a lane one after the other; one that ends by an exception is a failure of its own."""
    names, out, seed, is_short = arguments
    tallies = []
    for name in names:
        started = time.monotonic()
        try:
            found = importlib.import_module(name).run(Path(out) / name, seed, is_short)
        except Exception:  # whatever it is: the other campaigns go on, and this one is counted as failed
            found = Tally(name, "the campaign itself ends")
            found.count(name, traceback.format_exc(), fails=True)
        of_campaign = found if isinstance(found, list) else [found]
        for tally in of_campaign:
            tally.seconds = (time.monotonic() - started) / len(of_campaign)
            print(f"{tally.name}: {tally.tried} tried, {len(tally.failures)} failed, {tally.seconds:.0f} s", flush=True)
        tallies += of_campaign
    return tallies


def table(tallies: list[Tally]) -> str:
    """The counts as a table in Markdown."""
    lines = ["| campaign | promise | tried | survived | failed |", "|---|---|---|---|---|"]
    for of in tallies:
        counts = [f"not run: {of.not_run}", "", ""] if of.not_run else [of.tried, of.survived, len(of.failures)]
        lines.append("| " + " | ".join(map(str, (of.name, of.promise, *counts))) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
