"""Import the generic network of a study from a model folder, in place of training it."""

import dataclasses
from pathlib import Path

from kalemia.core.config import Study
from kalemia.core.config_files import plain
from kalemia.core.errors import UserError
from kalemia.core.tables import empty_table, file_hash, write_json, write_table
from kalemia.models.model_config import ModelConfig
from kalemia.models.model_folder import WEIGHTS, folder_hash, read_model_config
from kalemia.network.checkpoints import load_checkpoint, save_checkpoint
from kalemia.network.resnet import build_resnet

# what determines a beat, the input of the network, and what its label means
_MUST_AGREE = (
    "network",
    "ecg",
    "beats.mask_next_beat",
    "cohort.lead",
    "cohort.offset_hours",
    "analyte.name",
    "analyte.unit",
    "analyte.positive",
    "analyte.negative",
)
_OF_COHORT = ("lead", "window_minutes", "offset_hours", "min_recorded_minutes")


def import_generic(
    study: Study,
    shares_draw_ids: bool,
    model_path: str | Path,
    history_path: str | Path,
    predictions_path: str | Path,
    metrics_path: str | Path,
    comparators_path: str | Path,
) -> None:
    """Write the generic network of `study.generic.model` as a checkpoint of this study, and what training would write.

    Tables are empty; the metrics have the SHA-256 of the model folder, whether its patients were simulated, and the
    number of parameters. shares_draw_ids: whether the draws that the network has learned from could
    be draws of this study; without it they are left out of the lineage, because their ids would be taken for others.
    Raises `UserError` as `check_import`.
    """
    model = check_import(study)
    folder, digest = Path(study.generic.model), study.digest("import_generic")
    tensors, lineage = load_checkpoint(folder / WEIGHTS)
    draws = lineage.draws if shares_draw_ids else ()
    lineage = dataclasses.replace(lineage, digest=digest, draws=draws, parent=file_hash(folder / WEIGHTS))
    save_checkpoint(model_path, tensors, lineage)
    empty = {"history": history_path, "predictions": predictions_path, "comparators": comparators_path}
    for kind, path in empty.items():
        write_table(path, kind, empty_table(kind), digest)
    n_parameters = sum(weight.numel() for weight in build_resnet(study.network).parameters())
    metrics = {"imported": folder_hash(folder), "simulated": model.origin.is_simulated, "n_parameters": n_parameters}
    write_json(metrics_path, metrics)


def check_import(study: Study) -> ModelConfig:
    """What the folder of `study.generic.model` says, if it has a generic network that fits the study.

    The architecture, what determines a beat, and what the label means must be as they were in the study that trained
    the network. Raises `UserError` where they are not.
    """
    folder = study.generic.model
    model = read_model_config(folder)
    check_is_generic(folder, model)
    fitting = fitting_study(model, study)
    for key in _MUST_AGREE:
        mine, theirs = study.part(key), fitting.part(key)
        if mine != theirs:
            raise UserError(
                f"config: {key}: is {_shown(mine)}, but the network of {folder} was trained with {_shown(theirs)}; set"
                " it to that, or use another model folder"
            )
    return model


def check_is_generic(folder: str | Path, model: ModelConfig) -> None:
    """Raise `UserError` if a model folder does not have a generic network."""
    if model.kind != "generic":
        raise UserError(f"{folder}: has a network of one patient ({model.name}); name the folder of a generic network")


def fitting_study(model: ModelConfig, study: Study) -> Study:
    """A study with every setting that a model folder has, more than `check_import` compares."""
    return dataclasses.replace(
        study,
        analyte=model.analyte,
        cohort=dataclasses.replace(study.cohort, **{name: getattr(model, name) for name in _OF_COHORT}),
        ecg=model.ecg,
        quality=model.quality,
        rhythm=model.rhythm,
        beats=model.beats,
        network=model.network,
        evaluation=dataclasses.replace(study.evaluation, decision=model.decision),
    )


def _shown(value) -> str:
    """A value as a configuration has it, in one line."""
    return str(plain(dataclasses.asdict(value)) if dataclasses.is_dataclass(value) else value)
