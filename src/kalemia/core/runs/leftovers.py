"""What a killed run left in its results folder."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from kalemia.core.files.atomic import is_part


def unfinished_paths(results: str, marked_of: Callable[[Iterable[str]], set[str]]) -> list[str]:
    """Parts of files and folders, and whatever `marked_of`, given all paths below `results`, returns."""
    paths = list(_paths_below(results))
    marked = marked_of(paths)
    return [path for path in paths if path in marked or is_part(os.path.basename(path))]


def delete(path: str) -> None:
    """Delete a file or a folder; one that is in a folder just deleted is not there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        Path(path).unlink(missing_ok=True)


def _paths_below(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        yield from (os.path.join(parent, name) for name in (*folders, *files))
