"""Model folders: a network that stands alone, written whole or not at all, and checked whenever it is read."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType

from kalemia.core.config import Fields
from kalemia.core.errors import UserError, as_user_error
from kalemia.core.files.atomic import atomic_file, atomic_folder
from kalemia.core.tables import file_hash, write_text
from kalemia.models.model_config import FORMAT, ModelConfig
from kalemia.network.checkpoints import Lineage, Tensors, load_checkpoint, save_checkpoint
from kalemia.network.resnet import ResNet, build_resnet

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
OTHER_FORMATS = {"onnx": "model.onnx", "torch": "model.pt2"}  # files that a folder may have, by format
_NEEDED = (WEIGHTS, CARD)
_MAX_CONFIG_BYTES = 16 << 20  # that of a network which learned from a million draws
ALL_FILES = (CONFIG, WEIGHTS, CARD, *OTHER_FORMATS.values())  # that a folder may have


def write_model_folder(
    folder: str | Path,
    config: ModelConfig,
    tensors: Tensors,
    lineage: Lineage,
    card: str,
    others: dict[str, Callable[[Path], None]] = MappingProxyType({}),
) -> None:
    """Write a model folder: config.json, the complete weights, and the card.

    others: by format, one of `OTHER_FORMATS`, what writes the network in it to a path. Raises `UserError` if the folder
    exists and is not empty, or if its name has a part "..".
    """
    folder = _checked_name(folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"{folder}: exists and is not an empty folder; choose another name")
    with atomic_folder(folder) as part:
        save_checkpoint(part / WEIGHTS, tensors, lineage)
        write_text(part / CARD, card)
        for name, write in others.items():
            with atomic_file(part / OTHER_FORMATS[name]) as file:
                write(file)
        hashes = {path.name: file_hash(path) for path in sorted(part.iterdir())}
        fields = {"format": FORMAT, "model": config.as_json(), "files": hashes}
        fields["sha256"] = _folder_hash(fields)
        write_text(part / CONFIG, json.dumps(fields, indent=1, sort_keys=True) + "\n")


def read_model_folder(folder: str | Path) -> tuple[ModelConfig, ResNet]:
    """Read a model folder: what it says about its network, and the network on the CPU in evaluation mode.

    Raises `UserError` if the folder is not one, or if a file in it is missing, is truncated, or was changed after it
    was written.
    """
    folder = _checked_name(folder)
    config = read_model_config(folder)
    tensors, lineage = load_checkpoint(folder / WEIGHTS)
    network = build_resnet(config.network)
    try:
        network.load_state_dict(tensors)
    except RuntimeError:
        raise _folder_error(folder / WEIGHTS, f"its tensors are not those of a network with {_shape(config)}") from None
    if lineage.architecture != config.network:
        raise _folder_error(folder / WEIGHTS, f"was trained as another network than one with {_shape(config)}")
    return config, network.eval()


def read_model_config(folder: str | Path) -> ModelConfig:
    """What a model folder says about its network, after every file in it was checked; raises as `read_model_folder`."""
    folder = _checked_name(folder)
    for fault in folder_faults(folder):
        raise fault
    fields = _read_fields(folder / CONFIG)
    try:
        return ModelConfig.from_json(fields["model"])
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _folder_error(folder / CONFIG, f"is not what this version of Kalemia writes ({error})") from None


def folder_faults(folder: str | Path) -> Iterator[UserError]:
    """An error for each file of a model folder that is missing or is not as it was written."""
    folder = Path(folder)
    try:
        hashes = _read_fields(folder / CONFIG)["files"]
    except UserError as error:
        yield error
        return
    for name in dict.fromkeys((*_NEEDED, *hashes)):
        path = folder / name
        if not path.is_file():
            yield _folder_error(path, "does not exist")
        elif file_hash(path) != hashes.get(name):
            yield _folder_error(path, "was changed or cut off after it was written")


def folder_hash(folder: str | Path) -> str:
    """The SHA-256 that names a model folder: of its configuration and the hashes of its files."""
    return _read_fields(_checked_name(folder) / CONFIG)["sha256"]


def files_of(folder: str | Path) -> list[str]:
    """The names of all files of a model folder."""
    return [CONFIG, *sorted(_read_fields(_checked_name(folder) / CONFIG)["files"])]


def _read_fields(path: Path) -> Fields:
    """config.json, if it is as it was written."""
    if not path.is_file():
        raise UserError(f"{path}: does not exist; name a folder that `kalemia export` made")
    if path.stat().st_size > _MAX_CONFIG_BYTES:
        raise _folder_error(path, "is too large to be the configuration of a model")
    try:
        fields = json.loads(path.read_text("utf-8"))
        hash_ = fields.pop("sha256")
        version, names = fields["format"], set(fields["files"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        what = "is not the configuration of a model, or was cut off"
        raise as_user_error(error) or _folder_error(path, what) from None
    if version != FORMAT:
        raise UserError(f"{path}: has format {version}, and this version of Kalemia reads {FORMAT}; export it again")
    if hash_ != _folder_hash(fields):
        raise _folder_error(path, "was changed after it was written")
    if unknown := sorted(names - set(ALL_FILES)):
        raise _folder_error(path, f"names a file {unknown[0]!r} that no model folder has")
    return fields | {"sha256": hash_}


def _folder_hash(fields: Fields) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _checked_name(folder: str | Path) -> Path:
    folder = Path(folder)
    if ".." in folder.parts:
        raise UserError(f"{folder}: a model folder is named without '..'; write the folder that is meant")
    return folder


def _shape(config: ModelConfig) -> str:
    return f"depth {config.network.depth} and width {config.network.width}"


def _folder_error(path: Path, reason: str) -> UserError:
    return UserError(f"{path}: {reason}; export or copy the model folder again")
