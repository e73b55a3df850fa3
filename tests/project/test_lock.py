"""requirements.lock: a hash for all that `make setup` installs, at the versions of constraints.txt."""

import re
from importlib.metadata import requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from conftest import ROOT

BY_VERSION_ALONE = r"torch|triton|cuda-.*|nvidia-.*"  # the build of torch is the user's choice


def _locked() -> dict[str, str]:
    """Of requirements.lock: a package -> its version."""
    entries = re.findall(
        r"^(\S+)==(\S+)( ; .+)? \\\n    --hash=sha256:", (ROOT / "requirements.lock").read_text(), re.M
    )
    return {canonicalize_name(name): version for name, version, _ in entries}


def _needed(name: str, extra: str = "", seen: set[str] | None = None) -> set[str]:
    """What a package needs, with what that needs, on this machine."""
    seen = set() if seen is None else seen
    for requirement in map(Requirement, requires(name) or ()):
        needed = canonicalize_name(requirement.name)
        if needed in seen or not (requirement.marker is None or requirement.marker.evaluate({"extra": extra})):
            continue
        seen.add(needed)
        _needed(needed, seen=seen)
    return seen


def test_every_version_is_that_of_the_constraints():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    locked = _locked()
    assert len(locked) > 90
    only_windows = {"colorama", "pyreadline3"}
    assert {name: pinned.get(name) for name in locked if name not in only_windows} == {
        name: version for name, version in locked.items() if name not in only_windows
    }


def test_every_package_that_make_setup_installs_has_a_hash():
    needed = {name for name in _needed("kalemia", "dev") if not re.fullmatch(BY_VERSION_ALONE, name)}
    assert len(needed) > 90
    assert needed - _locked().keys() == set()
