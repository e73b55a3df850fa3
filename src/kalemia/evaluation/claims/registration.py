"""Register what decides about the claims before any network is trained, and find out whether it changed later."""

import dataclasses
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from kalemia.core.config import Study
from kalemia.core.tables import read_json, write_json
from kalemia.evaluation.between_patients.claims import BETWEEN_RULE_VERSION, MIN_PEOPLE
from kalemia.evaluation.claims.rule import MIN_PATIENTS, MIN_SHIFTED_RUNS, RULE_VERSION
from kalemia.personal.splits import MIN_TEST_RUNS

REGISTRATION = "cohort/claims.json"


def registered_settings(study: Study) -> dict:
    """Everything that decides about the claims of a study, beside its data."""
    return {
        "rule": RULE_VERSION,
        "between_patients": {"rule": BETWEEN_RULE_VERSION, "people": MIN_PEOPLE},
        "least": {"patients": MIN_PATIENTS, "shifted_runs": MIN_SHIFTED_RUNS, "test_runs": MIN_TEST_RUNS},
        "arm": study.verdict.deciding_arm(study.arms),
        "comparator": study.verdict.comparator,
        "smallest_gain": study.verdict.smallest_gain,
        "controls": list(study.controls),
        "arms": {name: dataclasses.asdict(arm) for name, arm in study.arms.items()},
        "personal": dataclasses.asdict(study.personal),
        "seed": study.seed,
    }


def claims_digest(study: Study) -> str:
    """Identifies `registered_settings`."""
    text = json.dumps(registered_settings(study), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def register_claims(study: Study, results: str | Path) -> None:
    """Add a registration, with the time, to ``cohort/claims.json``, if the last one differs; earlier ones stay.

    It notes whether the generic network had been trained by then.
    """
    path = Path(results) / REGISTRATION
    earlier = read_json(path)["registrations"] if path.exists() else []
    if earlier and earlier[-1]["digest"] == claims_digest(study):
        return
    now = {
        "digest": claims_digest(study),
        "time": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "after_training": (Path(results) / "generic/model.safetensors").exists(),
        "settings": registered_settings(study),
    }
    write_json(path, {"registrations": [*earlier, now]})


def describe_registration(registrations: list[dict], digest: str) -> str:
    """In one sentence for the page, when the rule was registered, and whether it was changed after training."""
    first, last = registrations[0], registrations[-1]
    if last["digest"] != digest:
        return "What decides was changed since it was registered; run snakemake to register the change."
    beforehand = [one for one in registrations if not one["after_training"]]
    if not beforehand:
        return (
            f"What decides was registered at {last['time']}, after a network had been trained: it may have been chosen."
        )
    if last["after_training"] and last["digest"] != beforehand[-1]["digest"]:
        changed = ", ".join(_changes(beforehand[-1]["settings"], last["settings"]))
        return (
            f"Registered at {beforehand[-1]['time']}, before any network was trained, and changed at {last['time']},"
            f" after training: {changed}."
        )
    return f"Registered at {first['time']}, before any network was trained (digest {digest})."


def _changes(before: dict, after: dict) -> list[str]:
    return [name for name in after if before.get(name) != after[name]]
