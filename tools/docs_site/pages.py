"""The pages that the site is built from: docs/, notebooks as pages, and the files of the project that they link to."""

import base64
import json
import re
import shutil
from pathlib import Path

_LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)")  # the target of a link, without its anchor
_FILES = "files"  # where files outside docs/ are put


def write_pages(project: Path, folder: Path) -> None:
    """Write every page of docs/ of the project into `folder`, which is made anew, with what the pages link to."""
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
        if target.suffix == ".ipynb":
            return match[1].removesuffix(".ipynb") + ".md"
        if match[1].startswith("data:") or target.is_relative_to(project / "docs") or not target.is_file():
            return match[1]
        copied = folder / _FILES / target.relative_to(project)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(target, copied)
        to_root = "../" * (len(page.relative_to(project / "docs").parts) - 1)
        return f"{to_root}{_FILES}/{target.relative_to(project).as_posix()}"

    return _LINK.sub(own_target, text)
