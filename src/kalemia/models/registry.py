"""A registry: one folder of model folders, by patient, arm and round, each checked when it comes and whenever asked."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from kalemia.core.errors import UserError
from kalemia.core.files.atomic import atomic_folder, is_part
from kalemia.models.model_config import ModelConfig
from kalemia.models.model_folder import ALL_FILES, CARD, files_of, folder_faults, folder_hash, read_model_config

_NAME = re.compile(r"generic/[0-9a-f]{16}|p\d{6,10}/[a-z][a-z0-9_]*/round-[1-9]\d{0,3}", re.ASCII)


class Registry:
    """A folder with one model folder per name: ``p010059/forward/round-5``, or ``generic/`` and half of its SHA-256.

    What is in the folder is all there is: no list beside it could say something else.
    """

    def __init__(self, folder: str | Path):
        self._folder = Path(folder).resolve()

    def add(self, model: str | Path) -> str:
        """Copy a model folder into the registry and return its name there; the same model again changes nothing.

        Raises `UserError` if the model folder is not whole, or if the registry has another model of that name.
        """
        name = _name_of(read_model_config(model), folder_hash(model))
        place = self._folder / name
        if place.exists():
            if folder_hash(place) != folder_hash(model):
                raise UserError(f"{place}: is another model of this patient and round; use another registry")
            return name
        with atomic_folder(place) as part:
            for file in files_of(model):
                shutil.copyfile(Path(model) / file, part / file)
            for fault in folder_faults(part):
                raise fault
        return name

    def names(self) -> list[str]:
        """The names of all models, patients before generic networks, rounds in their order.

        Raises `UserError` for a folder without any: it is no registry.
        """
        folder = self._existing_folder()
        found = [path.relative_to(folder).as_posix() for path in folder.glob("*/**/")]
        names = sorted(filter(_NAME.fullmatch, found), key=_place_in_list)
        if not names:
            list(folder.iterdir())  # which says so if the folder may not be read
            raise UserError(f"{folder}: holds no model; name the folder that `kalemia registry add` was given")
        return names

    def rows(self) -> Iterator[tuple[str, ...]]:
        """For a person: a head, then each model with its study, its draws, the time of the latest, and its SHA-256."""
        yield "model", "study", "draws", "until", "SHA-256"
        for name in self.names():
            place = self.path(name)
            try:
                config = read_model_config(place)
            except UserError:
                yield name, "", "", "", "damaged; `verify` says where"
            else:
                yield name, config.origin.study, f"{len(config.draws):,}", str(config.cut_off), folder_hash(place)[:16]

    def card(self, name: str) -> str:
        """The card of a model after its files are checked; raises `UserError` as `path` and `read_model_config`."""
        read_model_config(self.path(name))
        return (self.path(name) / CARD).read_text("utf-8")

    def path(self, name: str) -> Path:
        """The folder of a model, by its name.

        Raises `UserError` for what is no name of a model, such as one with "..", and for a model that is not there.
        """
        if not _NAME.fullmatch(name):
            raise UserError(
                f"{name!r}: is not the name of a model, such as p010059/forward/round-5; `list` has the names"
            )
        place = self._existing_folder() / name
        if not place.is_dir() or not place.resolve().is_relative_to(self._folder.resolve()):
            raise UserError(f"{place}: is not in the registry; `list` has the names")
        return place

    def faults(self) -> Iterator[str]:
        """One line for each file that is not as it was written, is missing or does not belong there."""
        names = self.names()
        for name in names:
            place = self._folder / name
            found = [str(fault) for fault in folder_faults(place)]
            yield from found
            if not found and _name_of(read_model_config(place), folder_hash(place)) != name:
                yield f"{place}: holds the model {_name_of(read_model_config(place), folder_hash(place))}"
        known = {self._folder / name / file for name in names for file in ALL_FILES}
        for path in sorted(self._folder.rglob("*")):
            is_left_over = any(map(is_part, path.relative_to(self._folder).parts))
            if path.is_symlink() or not (path in known or path.is_dir() or is_left_over):
                yield f"{path}: does not belong to a model"

    def _existing_folder(self) -> Path:
        if self._folder.exists() and not self._folder.is_dir():
            raise UserError(f"{self._folder}: is a file; a registry is a folder")
        if not self._folder.is_dir():
            raise UserError(f"{self._folder}: does not exist; `kalemia registry add` makes it")
        return self._folder


def _name_of(config: ModelConfig, sha256: str) -> str:
    return f"generic/{sha256[:16]}" if config.subject is None else f"{config.subject}/{config.arm}/round-{config.round}"


def _place_in_list(name: str) -> tuple[bool, str]:
    return name.startswith("generic/"), re.sub(r"\d+$", lambda number: number[0].zfill(4), name)
