"""docs/workspace.md, profile.md, formats.md: current, complete, and their examples are valid."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from ctl import ingest, operating_profile, store
from ctl.cli import reference, schemas
from ctl.ingest.mapping import PACKAGED
from ctl.model.csv_mapping import MappingKeys
from ctl.store.workspace import parse

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("name", ["workspace.md", "profile.md", "formats.md", "instruments.md", "glossary.md"])
def test_the_page_is_what_the_models_say(name: str) -> None:
    assert (DOCS / name).read_bytes() == reference.pages()[name], f"docs/{name} is stale: make schemas"


@pytest.mark.parametrize("name", ["workspace.md", "profile.md", "formats.md", "instruments.md"])
def test_every_key_has_a_type_a_default_and_an_example(name: str) -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.*) \| (.*) \| (.*) \| (.*) \|$", reference.pages()[name].decode(), re.MULTILINE
    )
    if name == "formats.md":
        rows = [row for row in rows if row[0] not in PACKAGED]
    assert len(rows) >= (15 if name == "instruments.md" else 25)
    assert [row[0] for row in rows if not all(cell.strip() for cell in row)] == []


def test_the_examples_are_accepted_by_what_reads_such_files(tmp_path: Path) -> None:
    workspace = parse(reference.example("workspace.toml").encode(), tmp_path)
    assert workspace.symbol("HG").references == ("tradestation",)
    assert set(workspace.vendors) == {"databento", "tradestation"}
    profile = operating_profile.load(reference.example("profile.yaml").encode(), "profile_v1.yaml")
    assert profile.gating_universe == ("ES", "CL")
    assert workspace.instruments == tmp_path / "instruments.toml"
    workspace.instruments.write_text(reference.example("instruments.toml"))
    instruments = ingest.load_instruments(workspace.instruments)
    assert (instruments["DAX"].point_value, len(instruments.term_rules("FDAX"))) == (25.0, 2)
    mapping = MappingKeys.model_validate(tomllib.loads(reference.example("mapping.toml")))
    assert mapping.separator == ";"


def test_formats_page_names_every_format_and_mapping() -> None:
    page = reference.pages()["formats.md"].decode()
    assert [name for name in (*ingest.formats(), *PACKAGED) if f"| `{name}` |" not in page] == []


def test_check_names_a_stale_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert schemas.write(tmp_path / "schemas", tmp_path, check_only=False) == 0
    assert schemas.write(tmp_path / "schemas", tmp_path, check_only=True) == 0
    store.write_atomic(tmp_path / "profile.md", b"old")
    assert schemas.write(tmp_path / "schemas", tmp_path, check_only=True) == 1
    assert "profile.md" in capsys.readouterr().err
