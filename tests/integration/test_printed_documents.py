"""What every command prints under `--json`, in a workspace that works and in broken ones, is one published document."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from ctl.cli.app import app
from ctl.errors import EXIT_ERROR

SCHEMAS: Final = {
    path.name: json.loads(path.read_bytes())
    for path in (Path(__file__).resolve().parents[2] / "docs/schemas").iterdir()
}
REGISTRY: Final = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items() if "$schema" in schema
)
PROFILE: Final = "configs/cutover/operating_profile_v1.yaml"
BARS: Final = "data/raw/norgate/NG_CL_1D_20180102_20260227.csv"
# Those that go on where a symbol's files are damaged, and end with 1 all the same.
NOT_READ: Final = {
    *("certify ES", "promote", "doctor", "data list", "data show", "research CL", "lookahead b1", "calibrate slippage"),
    "schedule show",
}
WITHOUT: Final = {"serve", "schemas"}  # one never ends, the other writes files of the repository

# Every command with what it needs; of several lines each is run in turn.
COMMANDS: Final[dict[str, list[str]]] = {
    "demo": ["demo other", "demo --causes", "demo other --inject gremlins:ES"],
    "init": ["init made --data data/raw --yes", "init nowhere"],
    "build": ["build CL", "build CL PL", "build NQ"],
    "contracts": ["contracts ES", "contracts NQ"],
    "certify": ["certify ES", "certify ES AAPL", "certify NQ"],
    "report": ["report", "report --symbol NQ"],
    "mapping": [f"mapping {BARS}", "mapping nowhere.csv"],
    "backtest": [f"backtest {BARS} --tick 0.01", f"backtest {BARS} --timeframe weekly", "backtest nowhere.csv"],
    "gate": ["gate", "gate --as-of 2026-01-30", "gate --as-of yesterday", f"gate --profile {BARS}"],
    "run": ["run --dry-run", "run", "run --include-non-gating"],
    "orders": ["orders", "orders --as-of 2025-07-14"],
    "paper": ["paper", "paper --bogus"],
    "ops": ["ops --dry-run", "ops --if-missed", "ops --notify sms"],
    "plan": ["plan", "plan --set ES.series.closes=settlement", "plan --set ES.nothing=1"],
    "promote": ["promote", "promote PL", "promote NQ"],
    "verify": ["verify"],
    "replay": ["replay --from 2026-02-16 --to 2026-02-27", "replay --from 2026-02-16"],
    "revisions": ["revisions ES", "revisions NQ"],
    "doctor": ["doctor", "doctor NQ"],
    "data list": ["data list"],
    "data show": ["data show ES", "data show NQ"],
    "data head": ["data head ES", "data head ES --vendor tradestation", "data head ES --vendor none"],
    "profile diff": [f"profile diff {PROFILE} {PROFILE}", f"profile diff {PROFILE} {BARS}"],
    "research": ["research CL --param slope_threshold=6", "research CL --strategy b2"],
    "lookahead": ["lookahead b1 CL", "lookahead b2"],
    "calibrate slippage": ["calibrate slippage", "calibrate slippage NQ"],
    "fetch": ["fetch", "fetch CL --from 2026-02-20 --to 2026-02-24 --estimate"],
    "glossary": ["glossary"],
    "status": ["status"],
    "runs list": ["runs list"],
    "runs show": ["runs show", "ops --dry-run", "runs show"],
    "runs compare": ["ops --dry-run", "runs compare last last", "runs compare a b"],
    "schedule install": ["schedule install", "schedule install --systemd --at Sat"],
    "schedule show": ["schedule show", "schedule install --systemd --tz UTC", "schedule show"],
    "schedule status": ["schedule status", "schedule install --systemd --tz UTC", "schedule status", "ops --if-missed"],
    "schedule remove": ["schedule install --systemd --tz UTC", "schedule remove"],
    "lock": ["lock --set ratchet=0.5 --reason closer", "lock --reason again", "lock"],
    "decide": ["decide --decision a --rationale b", "decide --decision a"],
    "closeout": ["closeout", "closeout --verify"],
}


def commands(group: Any = None, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its words."""
    for name, item in (group or typer.main.get_command(app)).commands.items():
        if hasattr(item, "commands"):
            yield from commands(item, f"{before}{name} ")
        else:
            yield f"{before}{name}", item


def _as_it_is(folder: Path) -> None:
    """A workspace in which everything works."""


def _without_data(folder: Path) -> None:
    """A workspace with a symbol whose files are gone, and one that is cut short."""
    shutil.rmtree(folder / "data/raw/databento/CL")
    path = next((folder / "data/raw/databento/ES").glob("*ohlcv-1d*"))
    path.write_bytes(path.read_bytes()[:1000])


def _damaged(folder: Path) -> None:
    """A workspace whose profile no longer reads, with a decision log that was rewritten."""
    path = folder / PROFILE
    path.write_text(path.read_text().replace("cycle_id:", "cycel_id:"))
    log = folder / "docs/governance/decision_log.jsonl"
    log.write_bytes(log.read_bytes().replace(b"WATCH", b"watch", 1))


def misfits(document: Any) -> list[str]:
    """Where a document leaves the published schema of its kind."""
    schema = next((item for item in SCHEMAS.values() if kind_of(item) == document.get("kind", "")), None)
    if schema is None:
        return [f"no schema of kind {document.get('kind')!r}"]
    validator = Draft202012Validator(schema, registry=REGISTRY)
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)]


def kind_of(schema: dict[str, Any]) -> str | None:
    """The kind of the documents that a schema is of; None of files without one."""
    kind: str | None = schema["properties"].get("kind", {}).get("const")
    return kind


@pytest.mark.parametrize("damage", [_as_it_is, _without_data, _damaged])
def test_a_command_prints_one_published_document(
    damage: Callable[[Path], None], workspace: Path, ctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(workspace)
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("HOME", str(workspace / "home"))
    monkeypatch.setenv("PATH", str(workspace))  # no scheduler's tool that could be switched on
    for key in ("DATABENTO_API_KEY", "CTL_OPS_PING_URL", "CTL_OPS_NOTIFY_URLS", "CTL_REGISTRY_URL"):
        monkeypatch.delenv(key, raising=False)
    wrong, failed = list[str](), set[str]()
    for line in (line for lines in COMMANDS.values() for line in lines):
        ran = ctl(*line.split(), "--json")
        try:
            found = misfits(ran.document)
        except ValueError:
            found = [f"no JSON document: {ran.out[:80]!r}"]
        if ran.code not in (0, 1, 2, 64) or (not found and ran.document["kind"] == "error" and ran.code == 0):
            found.append(f"exit {ran.code}")
        if ran.code == EXIT_ERROR:
            failed.add(" ".join(line.split()[:2]))
            found += [] if ran.err.strip() else ["exit 1, and stderr does not say why"]
        wrong += [f"{line}: {text}" for text in found]
    assert wrong == []
    if damage is _without_data:
        assert failed >= NOT_READ


def test_every_command_is_tried() -> None:
    found = dict(commands())
    assert set(COMMANDS) == set(found) - WITHOUT
    assert {name for name, item in found.items() if all("--json" not in each.opts for each in item.params)} == WITHOUT


def test_the_schemas_are_valid_and_their_kinds_their_own() -> None:
    kinds = [kind for kind in map(kind_of, SCHEMAS.values()) if kind is not None]
    assert len(kinds) == len(set(kinds))
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
    assert misfits({"kind": "error", "schema_version": 1}) != []
