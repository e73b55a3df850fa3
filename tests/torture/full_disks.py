"""Full disks, folders that cannot be written, and limits of a process: one line, nothing half, and a rerun that ends.

Commands and a whole study write into a small file system in memory, which needs root to be mounted.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from campaign import Tally

from model_folders import write_model
from run_workflow import ROOT, contents_of, run_snakemake, snakemake_command

RECORD = ROOT / "tests/own/ward-3"
TINY = ("tests/studies/tiny.yaml",)
POPULATIONS = "results/cohort/populations.parquet"
HANG_S = 300
SAID_OF_A_DISK = ("No space left", "Read-only file system", " are free; set")
LIMITS = {
    "file size of 4 KB": (resource.RLIMIT_FSIZE, 4096),
    "5 open files": (resource.RLIMIT_NOFILE, 5),
    "300 MB of memory": (resource.RLIMIT_AS, 300 << 20),
    "600 MB of memory": (resource.RLIMIT_AS, 600 << 20),
    "1,200 MB of memory": (resource.RLIMIT_AS, 1200 << 20),
}


def run(folder: Path, seed: int, is_short: bool) -> list[Tally]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    commands = Tally(
        "commands without space", "one line; no file that is not whole; the same bytes once there is space"
    )
    studies = Tally("studies without space", "a study that met a full or a read-only disk goes on when there is space")
    if not _can_mount(folder / "try"):
        commands.not_run = studies.not_run = "file systems can only be mounted by root"
        return [commands, studies]
    if is_short:
        studies.not_run = "in the short form"
        _try_commands(folder, commands, {"beats": _beats})
        return [commands, studies]
    undisturbed = folder / "undisturbed"
    undisturbed.mkdir()
    run_snakemake(undisturbed, studies=TINY)
    _try_commands(folder, commands, dict(_commands(folder, undisturbed / "results")))
    _try_studies(folder, studies, undisturbed)
    return [commands, studies]


def _try_commands(folder: Path, tally: Tally, commands: dict[str, Callable[[Path], list[str]]]) -> None:
    whole = folder / "whole"
    for name, command in commands.items():
        expected = _made_by(command, whole / name)
        for case, obstacle in _obstacles().items():
            out = folder / "small" / name
            with obstacle(out) as (place, limit):
                ended = _ended(command, place, limit)
                fault = _fault_of(ended, place, expected)
                if ended.returncode == 0 and not fault:
                    tally.count(f"{name}, {case}", "had enough")
                    continue
            if not fault:
                with _file_system(out, "64m"):
                    fault = "" if _made_by(command, out) == expected else "other bytes when there is space"
            tally.count(f"{name}, {case}", fault or "one line, then the same bytes", fails=bool(fault))


def _commands(folder: Path, results: Path) -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
    """Commands that write, each as a function of the folder to write into; results: of a finished study."""
    model = write_model(folder / "model")
    of_record = ["--model", str(model), "--record", str(RECORD), "--lead", "MLII"]
    yield "beats", _beats
    yield "predict", lambda out: ["predict", *of_record, "--out", f"{out}/windows.csv", "--plot", f"{out}/windows.svg"]
    yield "monitor", lambda out: ["monitor", *of_record, "--out", f"{out}/monitor"]
    yield "registry add", lambda out: ["registry", "add", f"{out}/registry", str(model)]
    yield "export", lambda out: ["export", f"{results}/generic", "--to", f"{out}/model"]
    yield "report", lambda out: ["report", "--from", str(results), "--to", f"{out}/report"]


def _beats(out: Path) -> list[str]:
    return ["beats", str(RECORD), "--lead", "MLII", "--out", f"{out}/beats.parquet"]


def _obstacles() -> dict[str, Callable]:
    """Context managers that give the folder to write into, and the limit of the process."""

    @contextmanager
    def full(out: Path):
        with _file_system(out, "64m"):
            _fill(out / "filler")
            yield out, None

    @contextmanager
    def read_only(out: Path):
        with _file_system(out, "64m"):
            _mount("-o", "remount,ro", str(out))
            yield out, None

    def limited(limit):
        @contextmanager
        def with_limit(out: Path):
            with _file_system(out, "64m"):
                yield out, limit

        return with_limit

    return {"a full disk": full, "a read-only folder": read_only} | {
        name: limited(limit) for name, limit in LIMITS.items()
    }


def _fault_of(ended: subprocess.CompletedProcess, place: Path, expected: dict[str, bytes]) -> str:
    """What is wrong with how a command ended, and with the files that it left."""
    said = ended.stdout + ended.stderr
    left = {name: content for name, content in _files_of(place).items() if name != "filler"}
    if "Traceback" in said:
        return f"traceback: {said.strip().splitlines()[-1][:200]}"
    if ended.returncode == 0:
        return "" if left == expected else "ended well, with other files"
    if ended.returncode < 0:
        return f"ended by signal {-ended.returncode}: {said.strip()[-200:]!r}"
    if not any(line.startswith(("kalemia: ", "OpenBLAS error: ")) for line in ended.stderr.splitlines()):
        return f"no message: {said.strip()[-200:]!r}"
    half = [name for name in left if name in expected and left[name] != expected[name] and not _is_growing(name)]
    return f"left other bytes in {half[0]}" if half else ""


def _is_growing(name: str) -> bool:
    """Whether a file is one that the monitor appends to while it goes through a record."""
    return name.startswith("monitor/")


def _ended(command: Callable[[Path], list[str]], out: Path, limit: tuple[int, int] | None):
    def set_limit() -> None:
        if limit:
            resource.setrlimit(limit[0], (limit[1], limit[1]))

    start = "import sys; from kalemia.cli import main; sys.exit(main())"
    program = [sys.executable, "-c", start, *command(out)]
    environment = os.environ | {"MPLCONFIGDIR": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(
            program, capture_output=True, text=True, preexec_fn=set_limit, env=environment, timeout=HANG_S, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(program, -signal.SIGKILL, "", f"hangs for {HANG_S} s")


def _made_by(command: Callable[[Path], list[str]], out: Path) -> dict[str, bytes]:
    out.mkdir(parents=True, exist_ok=True)
    ended = _ended(command, out, None)
    if ended.returncode:
        return {"": f"{ended.stdout}{ended.stderr}".encode()}
    return _files_of(out)


def _files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _try_studies(folder: Path, tally: Tally, undisturbed: Path) -> None:
    """A whole study on disks that fill up at some fractions of its size, too small, and one that becomes read-only."""
    expected = contents_of(undisturbed / "results")
    size = sum(path.stat().st_size for path in undisturbed.rglob("*") if path.is_file())
    for fraction in (0.4, 0.8):
        out = folder / f"study-{fraction}"
        with _file_system(out, "2g"):
            ended = _run_until_full(out, int(fraction * size))
            _mount("-o", "remount,size=2g", str(out))
            _count_study(tally, f"a disk that is full at {fraction:.0%} of the size", ended, out, expected)
    out = folder / "study-small"
    with _file_system(out, str(size // 4)):
        ended = run_snakemake(out, studies=TINY)
        _mount("-o", "remount,size=2g", str(out))
        _count_study(tally, "a disk that is too small from the start", ended, out, expected)
    out = folder / "study-read-only"
    with _file_system(out, "2g"):
        run_snakemake(out, POPULATIONS, studies=TINY)
        _mount("-o", "remount,ro", str(out))
        ended = run_snakemake(out, studies=TINY)
        _mount("-o", "remount,rw", str(out))
        _count_study(tally, "a disk that became read-only", ended, out, expected)


def _run_until_full(out: Path, n_bytes: int) -> subprocess.CompletedProcess:
    """Run the study while its disk, large at first, gets no larger than `n_bytes`."""
    command = snakemake_command(out, studies=TINY)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and shutil.disk_usage(out).used < n_bytes:
        time.sleep(0.05)
    is_small = False
    while process.poll() is None and not is_small:
        try:
            _mount("-o", f"remount,size={shutil.disk_usage(out).used + 8192}", str(out))
            is_small = True
        except subprocess.CalledProcessError:  # more was written meanwhile
            continue
    said = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, *said)


def _count_study(tally: Tally, case: str, ended, out: Path, expected: dict[str, bytes]) -> None:
    """Count how a study ended: a message, no traceback, and the expected bytes once there is space."""
    said, fault = ended.stdout + ended.stderr, ""
    if "Traceback" in said:
        fault = f"traceback: {said[said.index('Traceback') :].strip()[:600]!r}"
    elif ended.returncode and not any(
        words in said for words in ("No space left", "Read-only file system", " are free; set")
    ):
        fault = f"no message: {said.strip()[-200:]!r}"
    again = run_snakemake(out, studies=TINY)
    found = contents_of(out / "results") if again.returncode == 0 else {}
    unlike = [name for name in expected if "/batch-" not in name and found.get(name) != expected[name]]
    if unlike:
        fault += f" {len(unlike)} files are missing or differ in the end, {unlike[0]}: {again.stderr[-300:]!r}"
    allowed = "a message, then the same bytes" if ended.returncode else "had enough"
    tally.count(case, fault.strip() or allowed, fails=bool(fault))


def _fill(path: Path) -> None:
    """Write until the disk is full, less one page."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


@contextmanager
def _file_system(path: Path, size: str) -> Iterator[None]:
    path.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _can_mount(path: Path) -> bool:
    try:
        with _file_system(path, "1m"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
