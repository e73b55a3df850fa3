"""Run a notebook's code cells in order, in one namespace, and store what they print and draw.

`python tools/notebook.py docs/notebooks/first-beats.ipynb` rewrites the outputs, in the folder where it is started. A
notebook server does the same, but its packages weigh more than everything that Kalemia needs. It executes what the
notebook says, so only the project's own notebooks are run with it.
"""

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot


def run_cells(notebook: dict) -> list[list[dict]]:
    """The outputs of each code cell of a notebook (format 4): text, and figures as PNG."""
    namespace: dict = {"__name__": "__main__"}
    return [_run_cell("".join(cell["source"]), namespace) for cell in code_cells(notebook)]


def code_cells(notebook: dict) -> list[dict]:
    """The cells of a notebook that hold code."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _run_cell(source: str, namespace: dict) -> list[dict]:
    tree, printed, last = ast.parse(source), io.StringIO(), None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), namespace)
        value = eval(compile(last, "cell", "eval"), namespace) if last else None
    outputs = []
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)})
    if value is not None:
        outputs.append(_data("execute_result", "text/plain", repr(value).splitlines(keepends=True)))
    for number in pyplot.get_fignums():
        png = io.BytesIO()
        pyplot.figure(number).savefig(png, format="png", dpi=70, metadata={"Software": None})
        outputs.append(_data("display_data", "image/png", base64.b64encode(png.getvalue()).decode()))
    pyplot.close("all")
    return outputs


def _data(kind: str, mime_type: str, content: list[str] | str) -> dict:
    return {"output_type": kind, "metadata": {}, "data": {mime_type: content}}


def main(paths: list[str]) -> None:
    """Run each notebook and write it with its outputs."""
    for path in map(Path, paths):
        notebook = json.loads(path.read_text("utf-8"))
        for number, (cell, outputs) in enumerate(zip(code_cells(notebook), run_cells(notebook), strict=True), start=1):
            numbered = [
                one | {"execution_count": number} if one["output_type"] == "execute_result" else one for one in outputs
            ]
            cell.update(execution_count=number, outputs=numbered)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
