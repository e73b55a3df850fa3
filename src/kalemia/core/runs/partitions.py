"""SLURM's partitions: how long a job may run in each and whether it has GPUs, to check requests before any job."""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from kalemia.core.errors import UserError
from kalemia.core.wording import plural

DEFAULT = ""  # the name of the partition that jobs get which name none
_FORMAT = "%P|%l|%G"  # name, time limit, generic resources
_TIME = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)")
_NO_LIMIT = 10_000_000


@dataclass(frozen=True)
class Partition:
    """A partition of the cluster; `minutes` are the longest time of a job."""

    minutes: int
    has_gpu: bool


@dataclass(frozen=True)
class Request:
    """What a rule asks of SLURM for its first attempt."""

    rule: str
    partition: str
    minutes: int
    gpu: int


def read_partitions() -> dict[str, Partition]:
    """Name -> partition, by `sinfo`; raises `UserError` if SLURM does not answer."""
    try:
        told = subprocess.run(
            ["sinfo", "--noheader", f"--format={_FORMAT}"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise UserError(f"SLURM does not answer: {said[0]}; is this a login node of the cluster?") from None
    partitions: dict[str, Partition] = {}
    for line in told.splitlines():
        name, time, gres = line.strip().split("|")
        before = partitions.get(name.rstrip("*"))  # a line per kind of node
        partition = Partition(parse_minutes(time), "gpu" in gres or bool(before and before.has_gpu))
        partitions[name.rstrip("*")] = partition
        if name.endswith("*"):
            partitions[DEFAULT] = partition
    return partitions


def parse_minutes(time: str) -> int:
    """Minutes of a time limit as SLURM prints it, for example ``1-00:00:00``, ``30:00`` or ``infinite``."""
    match = _TIME.fullmatch(time)
    if match is None:
        return _NO_LIMIT
    days, hours, minutes, _ = (int(part or 0) for part in match.groups())
    return (24 * days + hours) * 60 + minutes


def check_requests(requests: Iterable[Request], partitions: dict[str, Partition]) -> dict[str, int]:
    """Rule -> the longest time that its partition gives a job, in minutes; raises `UserError` if a request is refused.

    One line says which line of the profile to change.
    """
    longest = {}
    for request in requests:
        partition = partitions.get(request.partition)
        if partition is None:
            name, known = request.partition or "by default", ", ".join(sorted(partitions.keys() - {DEFAULT}))
            raise UserError(f"profile: slurm_partition: there is no partition {name}; there are {known}")
        where = f"the partition {request.partition}" if request.partition else "the default partition"
        if request.gpu and not partition.has_gpu:
            raise UserError(
                f"profile: {request.rule} asks for a GPU and {where} has none; name one that has"
                f" (set-resources: {request.rule}: slurm_partition), or set its gpu to 0"
            )
        if request.minutes > partition.minutes:
            raise UserError(
                f"profile: {request.rule} asks for {plural(request.minutes, 'minute')} and {where} ends jobs after"
                f" {partition.minutes}; name another (set-resources: {request.rule}: slurm_partition), or set its"
                " runtime (docs/cluster.md)"
            )
        longest[request.rule] = partition.minutes
    return longest
