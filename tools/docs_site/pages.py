"""The pages that the site is built from: docs/, notebooks as pages, and the files of the project that they link to."""

import base64
import json
import os
import re
import shutil
from pathlib import Path

_LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)")  # the target of a link, without its anchor
_FILES = Path("files")  # where files outside docs/ are put


def write_pages(project: Path, folder: Path) -> None:
    """Write every page of docs/ of the project and the files they link to into `folder`, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    docs = project / "docs"
    for path in sorted(docs.rglob("*")):
        copied = folder / path.relative_to(docs)
        copied.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".ipynb":
            shutil.copy(path, copied)
            page = notebook_page(json.loads(path.read_text("utf-8")))
            title, text = _with_own_links(page, path, project, folder).split("\n", 1)
            download = f"[Download this notebook]({path.name})"
            copied.with_suffix(".md").write_text(f"{title}\n\n{download}\n{text}", "utf-8")
        elif path.suffix == ".md":
            copied.write_text(_with_own_links(path.read_text("utf-8"), path, project, folder), "utf-8")
        elif path.is_file():
            shutil.copy(path, copied)


def notebook_page(notebook: dict) -> str:
    """A notebook (format 4) with its stored outputs as Markdown; figures are in the page itself."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        parts += [_output_text(output) for output in cell.get("outputs", [])]
    return "\n\n".join(parts) + "\n"


def _output_text(output: dict) -> str:
    if output["output_type"] == "stream":
        return f"```text\n{''.join(output['text']).rstrip()}\n```"
    data = output["data"]
    if "image/png" in data:
        png = base64.b64encode(base64.b64decode(data["image/png"])).decode()  # without line breaks
        return f"![Figure of the cell above](data:image/png;base64,{png})"
    return f"```text\n{''.join(data['text/plain'])}\n```"


def _with_own_links(text: str, page: Path, project: Path, folder: Path) -> str:
    """The text of a page with links to notebooks' pages, and to copies of the project's files outside docs/."""

    def own_target(match: re.Match) -> str:
        target = (page.parent / match[1]).resolve()
        if match[1].startswith("data:") or not target.is_file():
            return match[1]
        if target.suffix == ".ipynb":
            target = target.with_suffix(".md")
        elif not target.is_relative_to(project / "docs"):
            _copy_file(target, project, folder)
        here = _place(page, project, folder).parent
        return Path(os.path.relpath(_place(target, project, folder), here)).as_posix()

    return _LINK.sub(own_target, text)


def _place(path: Path, project: Path, folder: Path) -> Path:
    """Where a file of the project is among the pages of the site."""
    docs = project / "docs"
    return folder / (path.relative_to(docs) if path.is_relative_to(docs) else _FILES / path.relative_to(project))


def _copy_file(path: Path, project: Path, folder: Path) -> None:
    """Copy a file outside docs/, a Markdown file with its own links, unless it is there already."""
    copied = _place(path, project, folder)
    if copied.exists():
        return
    copied.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, copied)
    if path.suffix == ".md":
        copied.write_text(_with_own_links(path.read_text("utf-8"), path, project, folder), "utf-8")
