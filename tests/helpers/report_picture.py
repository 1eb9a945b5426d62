"""The README's picture of a report: `python tests/helpers/report_picture.py` writes docs/report.png from the demo."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from ctl.cli import main

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "report.png"


def write(path: Path) -> None:
    """Fill a simulated workspace, make its report, and take what a desk's screen shows first of it."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        page = Path(folder) / "report.html"
        if main(["demo", f"{folder}/demo"]) or main(["report", "-w", f"{folder}/demo", "--out", str(page)]):
            raise SystemExit("no report")
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 960, "height": 770}, color_scheme="light")
        shown.goto(page.as_uri())
        shown.screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    write(PICTURE)
