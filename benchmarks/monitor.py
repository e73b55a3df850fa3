"""Time and memory of `kalemia monitor` on 6 and 24 hours of one lead at 125 Hz, with the small network.

python benchmarks/monitor.py. The recordings are simulated, the weights are random. Memory is that of the whole command:
its processes' proportional set sizes, which count shared pages once, looked at ten times a second (Linux).
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from kalemia.core.config import Network
from kalemia.core.seeds import rng
from kalemia.simulate.physiology import random_heart
from model_folders import write_model
from simulated_course import course_mv, write_record

PROGRAM = "import sys; from kalemia.cli import main; sys.exit(main())"
HOURS = (6, 24)


def monitor(folder: Path, hours: int) -> tuple[float, float, float]:
    """Seconds, processor seconds and the largest memory in MB of the command on so many hours."""
    heart = random_heart(rng(1, "heart"), 1.0, False)
    record = write_record(folder, f"record-{hours}", course_mv(heart, lambda _: 4.3, hours, seed=1))
    arguments = ["monitor", "--model", folder / "model", "--record", record, "--out", folder / f"out-{hours}"]
    started, peak_mb, cpu_s = time.perf_counter(), 0.0, {}
    with subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, arguments)]) as process:
        while process.poll() is None:
            peak_mb = max(peak_mb, _look_at(psutil.Process(process.pid), cpu_s))
            time.sleep(0.1)
    return time.perf_counter() - started, sum(cpu_s.values()), peak_mb


def _look_at(process: psutil.Process, cpu_s: dict[int, float]) -> float:
    """The memory of a process and its children now, in MB; notes the processor time of each by its id."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_full_info().pss
            cpu_s[one.pid] = sum(one.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


def main() -> None:
    """Print the table and the ratio."""
    seconds = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_model(folder / "model", network=Network(), wave=None)
        print("| hours | s | processor s | memory, MB |\n|---|---|---|---|")
        for hours in HOURS:
            seconds[hours], cpu_s, memory_mb = monitor(folder, hours)
            print(f"| {hours} | {seconds[hours]:.1f} | {cpu_s:.1f} | {memory_mb:.0f} |", flush=True)
    print(f"\n24 h to 6 h: {seconds[24] / seconds[6]:.2f}")


if __name__ == "__main__":
    main()
