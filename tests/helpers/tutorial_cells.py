"""Run the tutorial's cells without a notebook; `python tests/helpers/tutorial_cells.py` writes their outputs anew."""

from __future__ import annotations

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial.ipynb"
VOLATILE = "not-compared"  # tag of cells that show an instant, or a digest of what the package makes of the data


def read() -> dict[str, Any]:
    """The notebook as it stands in the repository."""
    return json.loads(TUTORIAL.read_text(encoding="utf-8"))


def source(cell: dict[str, Any]) -> str:
    """A cell's text."""
    return "".join(cell["source"])


def run(cells: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The outputs of every code cell, top to bottom, in one fresh namespace."""
    space: dict[str, Any] = {"__name__": "__main__"}
    return [_outputs(source(cell), space) for cell in cells if cell["cell_type"] == "code"]


def _outputs(code: str, space: dict[str, Any]) -> list[dict[str, Any]]:
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    value: Any = None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "tutorial", "exec"), space)  # noqa: S102 - the repository's own notebook
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "tutorial", "eval"), space)  # noqa: S307
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": _lines(printed.getvalue())})
    if value is not None:
        shown: dict[str, Any] = {}
        if hasattr(value, "_repr_html_"):
            shown["text/html"] = _lines(value._repr_html_())
        shown["text/plain"] = _lines(repr(value))
        outputs.append({"data": shown, "metadata": {}, "output_type": "execute_result"})
    return outputs


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def refresh() -> None:
    """Write the outputs of a run into the notebook."""
    notebook = read()
    cells = notebook["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    for number, (cell, outputs) in enumerate(zip(code, run(cells), strict=True), start=1):
        for item in outputs:
            if item["output_type"] == "execute_result":
                item["execution_count"] = number
        cell["execution_count"], cell["outputs"] = number, outputs
    TUTORIAL.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    refresh()
