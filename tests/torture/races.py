"""Two runs in one folder, two workers on one cache, and a source that changes while it is read."""

import random
import shutil
import subprocess
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from campaign import Tally

from kalemia.core.errors import UserError
from kalemia.core.files.unchanged import unchanged_files
from kalemia.sources.remote.http_files import Web
from kalemia.sources.storage import HttpStorage
from run_workflow import contents_of, run_snakemake, snakemake_command
from web_server import serving

TINY = ("tests/studies/tiny.yaml",)
POPULATIONS = "results/cohort/populations.parquet"
FILE = "record_list.csv"


def run(folder: Path, seed: int, is_short: bool) -> list[Tally]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    runs = Tally("two runs in one folder", "one is refused in one line, and the other ends with the same bytes")
    workers = Tally("two workers on one cache", "both read the whole file that the server has")
    changes = Tally("a source that changes", "a job that read two versions of its source says so")
    if not is_short:
        _start_two_runs(folder, random.Random(seed), runs)
    else:
        runs.not_run = "in the short form"
    _share_a_cache(folder, 3 if is_short else 30, workers)
    _change_a_source(folder, 5 if is_short else 50, changes)
    return [runs, workers, changes]


def _start_two_runs(folder: Path, generator: random.Random, tally: Tally) -> None:
    undisturbed = folder / "undisturbed"
    undisturbed.mkdir()
    run_snakemake(undisturbed, POPULATIONS, studies=TINY)
    expected = contents_of(undisturbed / "results")
    for number in range(4):
        out = folder / f"two-{number}"
        out.mkdir()
        command, said = snakemake_command(out, POPULATIONS, studies=TINY), []
        for _ in range(2):
            said.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
            time.sleep(generator.choice([0, 0.5, 3, 8]))
        texts = [process.communicate()[0] for process in said]
        ended = [process.returncode for process in said]
        if any(ended):  # one run is refused; if both are, the third goes on
            run_snakemake(out, POPULATIONS, studies=TINY)
        found = contents_of(out / "results")
        unlike = [name for name in expected if "/batch-" not in name and found.get(name) != expected[name]]
        fault = f"{len(unlike)} files differ, {unlike[0]}" if unlike else ""
        for code, text in zip(ended, texts, strict=True):
            if code and not ("cannot be locked" in text or "kalemia: " in text):
                fault = f"no message: {text[-300:]!r}"
        tally.count(f"pair {number}, exits {ended}", fault or "one is refused", fails=bool(fault))


def _share_a_cache(folder: Path, rounds: int, tally: Tally) -> None:
    """Two processes fetch one file into one cache at the same moment."""
    site_folder = folder / "site"
    site_folder.mkdir()
    content = np.random.default_rng(1).bytes(20 << 20)
    (site_folder / FILE).write_bytes(content)
    with serving(site_folder) as site, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for number in range(rounds):
            cache = folder / f"cache-{number}"
            asked = [pool.submit(fetch, site.url, str(cache)) for _ in range(2)]
            found = [future.exception() or future.result() == content for future in asked]
            fails = found != [True, True]
            tally.count(f"round {number}", f"{found}" if fails else "the same bytes", fails=fails)
            shutil.rmtree(cache)


def fetch(url: str, cache: str) -> bytes:
    """A file through the cache of a worker."""
    web = Web(url, attempts=3, timeout_s=5.0, pause_s=0.01)
    return HttpStorage(web, Path(cache)).local_copy(FILE).read_bytes()


def _change_a_source(folder: Path, rounds: int, tally: Tally) -> None:
    """A file is rewritten by another thread while it is read in pieces."""
    path, generator = folder / "labs.csv", random.Random(1)
    for number in range(rounds):
        path.write_bytes(bytes(1000))
        is_changed = generator.random() < 0.7
        writer = threading.Timer(generator.uniform(0, 0.02), lambda: path.write_bytes(b"1" * 1000))
        try:
            with unchanged_files([str(path)]):
                if is_changed:
                    writer.start()
                pieces = _read_slowly(path)
                if is_changed:
                    writer.join()
        except UserError:
            tally.count(f"round {number}", "one line" if is_changed else "refused unchanged", fails=not is_changed)
            continue
        is_whole = len(set(pieces)) == 1
        tally.count(f"round {number}", "read whole" if is_whole else "two versions", fails=is_changed or not is_whole)


def _read_slowly(path: Path) -> bytes:
    pieces = b""
    with path.open("rb") as file:
        while piece := file.read(100):
            pieces += piece
            time.sleep(0.002)
    return pieces
