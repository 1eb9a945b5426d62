"""What must stay true of the repository itself."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import ctl as package

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text()


def commands() -> list[str]:
    from typer.main import get_command

    from ctl.cli.app import app

    return [name for name, command in get_command(app).commands.items() if not command.hidden]


def test_every_command_is_on_its_page_and_every_command_that_is_named_exists():
    known, page = commands(), (REPOSITORY / "docs/commands.md").read_text()
    named = set(re.findall(r"\bctl ([a-z]+)\b", page))
    assert set(known) <= named, f"docs/commands.md lacks {set(known) - named}"
    code = {word for line in f"{README}{page}".splitlines() for word in re.findall(r"`ctl ([a-z]+)", line)}
    assert code <= set(known), f"README or docs/commands.md names {code - set(known)}, which do not exist"


def test_every_link_of_the_documents_leads_somewhere():
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), *(REPOSITORY / "examples").rglob("*.md")]
    assert len(pages) > 20
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(REPOSITORY)} links to {target}"


def test_changelog_version_and_package_agree():
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    (newest, *_) = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert declared == newest == package.__version__


def test_no_file_names_a_registry():
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    names = listed.stdout.split() or [str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("*.t*")]
    words = ("index" + "-url", "find" + "-links", "pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org")
    for name in names:
        path = REPOSITORY / name
        if path.suffix in {".toml", ".txt", ".cfg", ".yaml", ".yml", ".json", ".lock", ""} and path.is_file():
            text = path.read_text(errors="replace")
            assert not [word for word in words if word in text], f"{name} names a package registry"


def test_the_root_is_the_simulated_workspace(filled_workspace):
    for name in ("ctl.toml", "configs/cutover/operating_profile_v1.yaml"):
        assert (REPOSITORY / name).read_bytes() == (filled_workspace / name).read_bytes(), (
            f"{name} is not what `ctl demo .` writes: delete it and run `ctl demo .` again"
        )


def test_unit_tests_mirror_the_source():
    """tests/unit/<room>/test_<module>.py, or test_<module>_<what>.py; at the root also what has no module."""
    source, unit = REPOSITORY / "src/ctl", REPOSITORY / "tests/unit"
    astray = []
    for path in sorted(unit.rglob("test_*.py")):
        folder = path.relative_to(unit).parent
        modules = {found.stem for found in (source / folder).iterdir()} if (source / folder).is_dir() else set()
        if path.parent == unit:
            modules |= {"repository", "public_api", *(found.stem for found in (REPOSITORY / "scripts").glob("*.py"))}
        name = path.stem.removeprefix("test_")
        if not any(name == module or name.startswith(f"{module}_") for module in modules):
            astray.append(str(path.relative_to(REPOSITORY)))
    assert astray == []


def test_importing_the_package_is_light():
    heavy = ("polars", "numpy", "numba", "pandas", "pydantic", "httpx")
    code = f"import sys, ctl; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "[]"
