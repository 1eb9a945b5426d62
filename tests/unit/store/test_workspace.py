"""ctl.toml is read strictly; paths stay where they belong."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from ctl import store
from ctl.errors import BusyError, WorkspaceError

TOML = """\
schema_version = 1
cycle_id = "cutover_v1"
profile = "configs/cutover/operating_profile_v1.yaml"
simulated = true

[paths]
raw = "data/raw"
processed = "data/processed"

[vendors.databento]
format = "databento"
path = "data/raw/databento"

[vendors.tradestation]
format = "tradestation"
path = "/srv/tradestation"

[symbols.ES]
asset_class = "future"
root = "ES"
calendar = "CMES"
tick = 0.25
point_value = 50
currency = "USD"
quote_unit = "index points"
canonical = "databento"
reference = "tradestation"
"""


def workspace(folder: Path, text: str = TOML) -> store.Workspace:
    (folder / "ctl.toml").write_text(text)
    return store.Workspace.load(folder)


def test_a_workspace_and_its_paths(tmp_path: Path) -> None:
    found = workspace(tmp_path)
    assert found.profile_path == tmp_path / "configs/cutover/operating_profile_v1.yaml"
    assert found.simulated is True
    assert found.run_summaries == tmp_path / "data/processed/cutover_v1/run_summaries"
    assert found.ops_logs == tmp_path / "data/processed/cutover_v1/ops_logs"
    assert found.certificate_path("ES") == (tmp_path / "data/processed/cutover_v1/certificates/ES/ES_certificate.json")
    assert found.manifest_path("ES") == tmp_path / "data/processed/cutover_v1/continuous/ES_roll_manifest.json"
    assert (
        found.locked_bars("ES", "contracts")
        == tmp_path / "data/processed/cutover_v1/locked/operating_profile_v1/ES_contracts.parquet"
    )
    assert found.vendor_folder("databento", "ES") == tmp_path / "data/raw/databento/ES"
    assert found.vendors["tradestation"].path == Path("/srv/tradestation")
    assert found.relative(found.ops_logs / "x.json") == "data/processed/cutover_v1/ops_logs/x.json"
    config = found.symbol("ES")
    assert (config.tick, config.point_value, config.calendar) == (0.25, 50.0, "CMES")


def test_it_is_found_from_below(tmp_path: Path) -> None:
    workspace(tmp_path)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert store.Workspace.find(below).root == tmp_path
    assert store.Workspace.load(tmp_path / "ctl.toml").root == tmp_path


def test_none_found_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"no workspace here or above; expected a folder with ctl\.toml"):
        store.Workspace.find(tmp_path)
    with pytest.raises(WorkspaceError, match=r"cannot be read; found No such file"):
        store.Workspace.load(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema_version = 1", "schema_version = 2", "schema_version: found 2; expected 1"),
        ("schema_version = 1", "", "schema_version: found nothing; expected 1"),
        ("simulated = true", "simulated = 1", "simulated: found 1; expected true or false"),
        ("simulated = true", "simulate = true", "simulate: found an unknown key; expected one of schema_version"),
        ('"cutover_v1"', '"../x"', "cycle_id: found '../x'; expected a name"),
        ('"data/processed"', '"/tmp/x"', "paths.processed: found '/tmp/x'; expected a path inside the workspace"),
        ('"data/processed"', '"../x"', "paths.processed: found '../x'; expected a path inside the workspace"),
        ('"data/raw"', '"a/../../x"', "paths.raw: found 'a/../../x'; expected a path"),
        ("tick = 0.25", "tick = 0", "symbols.ES.tick: found 0; expected a number above 0"),
        ("tick = 0.25", "tick = true", "symbols.ES.tick: found true; expected a number above 0"),
        ("tick = 0.25", "tick = inf", "symbols.ES.tick: found inf; expected a number above 0"),
        ("tick = 0.25", "tick = nan", "symbols.ES.tick: found nan; expected a number above 0"),
        ('asset_class = "future"', 'asset_class = "bond"', "symbols.ES.asset_class: found 'bond'; expected fut"),
        ('canonical = "databento"', 'canonical = "norgate"', "symbols.ES.canonical: found 'norgate'; expected one"),
        ("[symbols.ES]", '[symbols."../ES"]', "18: symbols.../ES: found '../ES'; expected a name"),
        ("[symbols.ES]", "[symbols]", "expected a table"),
        ('currency = "USD"\n', "", "symbols.ES.currency: found nothing; expected a currency code"),
        ("[paths]", "[paths", "is not TOML"),
    ],
)  # fmt: skip
def test_every_mistake_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert TOML.count(old) == 1
    with pytest.raises(WorkspaceError) as caught:
        workspace(tmp_path, TOML.replace(old, new))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_mistakes_are_named_together(tmp_path: Path) -> None:
    text = TOML.replace("tick = 0.25", "tick = -1").replace("simulated = true", "simulated = 3")
    with pytest.raises(WorkspaceError) as caught:
        workspace(tmp_path, text)
    places = [problem.removeprefix(f"{tmp_path}/").partition(": found")[0] for problem in caught.value.problems]
    assert places == ["ctl.toml:4: simulated", "ctl.toml:22: symbols.ES.tick"]


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "x\x00y"])
def test_no_path_is_made_of_an_unsafe_name(tmp_path: Path, name: str) -> None:
    found = workspace(tmp_path)
    for make in (found.certificate_path, found.manifest_path, partial(found.locked_bars, series="contracts")):
        with pytest.raises(WorkspaceError, match="not a usable name"):
            make(name)


def test_unknown_symbols_and_vendors_are_named(tmp_path: Path) -> None:
    found = workspace(tmp_path)
    with pytest.raises(WorkspaceError, match="symbol NQ is not configured"):
        found.symbol("NQ")
    with pytest.raises(WorkspaceError, match="unknown vendor; found norgate"):
        found.vendor_folder("norgate", "ES")


def test_the_lock_is_exclusive_and_says_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / ".ctl" / "run.lock"
    since = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
    with store.RunLock(path, instant=since, purpose="ctl ops"):
        with pytest.raises(BusyError, match=r"ctl ops, process \d+ on .*, since 2026-03-02T05:00:00") as caught:
            store.RunLock(path, instant=since, purpose="ctl run").acquire()
        assert caught.value.exit_code == 1
    with store.RunLock(path, instant=since, purpose="ctl run"):
        pass


@pytest.mark.parametrize("content", [b"", b"not json", b"[1]", b'{"pid": "x", "host": 3}'])
def test_an_unreadable_holder_is_still_a_holder(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.lock"
    with store.RunLock(path, instant=datetime(2026, 3, 2, tzinfo=UTC), purpose="x"):
        path.write_bytes(content)
        with pytest.raises(BusyError, match="an unknown process, since an unknown time"):
            store.RunLock(path, instant=datetime(2026, 3, 2, tzinfo=UTC), purpose="x").acquire()


def test_a_leftover_lock_file_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    path.write_text('{"pid": 1, "host": "h", "since": "2020", "purpose": "ctl ops"}')
    with store.RunLock(path, instant=datetime(2026, 3, 2, tzinfo=UTC), purpose="the next run"):
        assert "the next run" in path.read_text()
        with pytest.raises(BusyError, match="the next run"):
            store.RunLock(path, instant=datetime(2026, 3, 2, tzinfo=UTC), purpose="x").acquire()


def test_the_lock_file_is_not_followed_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "run.lock").symlink_to(tmp_path / "target")
    with pytest.raises(WorkspaceError, match="run lock cannot be opened"):
        store.RunLock(tmp_path / "run.lock", instant=datetime(2026, 3, 2, tzinfo=UTC), purpose="x").acquire()


def test_folders_beside_a_vendors_bars(tmp_path: Path) -> None:
    found = workspace(tmp_path)
    assert (found.vendors["databento"].statistics, found.vendors["databento"].intraday) == (None, None)
    text = TOML.replace(
        'path = "data/raw/databento"', 'path = "data/raw/databento"\nstatistics = "data/st"\nintraday = "/srv/hours"'
    ).replace('path = "/srv/tradestation"', 'path = "/srv/tradestation"\ncontracts = "data/contracts"')
    found = workspace(tmp_path, text)
    vendor = found.vendors["databento"]
    assert (vendor.statistics, vendor.intraday) == (tmp_path / "data/st", Path("/srv/hours"))
    assert found.vendor_folder("databento", "ES", vendor.statistics) == tmp_path / "data/st/ES"
    assert found.vendors["tradestation"].contracts == tmp_path / "data/contracts"


@pytest.mark.parametrize("pattern", ["data/x/../{symbol}.csv", "data/**/{symbol}.csv", "data/{sym}.csv", "data/x.csv"])
def test_a_pattern_names_a_symbol_and_leads_nowhere_upwards(tmp_path: Path, pattern: str) -> None:
    text = TOML.replace('path = "/srv/tradestation"', f'adjusted = "{pattern}"')
    with pytest.raises(WorkspaceError, match=r"vendors\.tradestation\.adjusted: found"):
        workspace(tmp_path, text)


def test_a_vendor_has_a_path_or_patterns(tmp_path: Path) -> None:
    text = TOML.replace('path = "/srv/tradestation"\n', "")
    with pytest.raises(WorkspaceError, match=r"vendors\.tradestation: found no path of its files"):
        workspace(tmp_path, text)
    found = workspace(tmp_path, TOML.replace('path = "/srv/tradestation"', 'adjusted = "data/{symbol}_adj.csv"'))
    assert found.vendors["tradestation"].adjusted == tmp_path / "data/{symbol}_adj.csv"
    with pytest.raises(WorkspaceError, match="no folder of its files"):
        found.vendor_folder("tradestation", "ES")


NORGATE = '[vendors.norgate]\nformat = "norgate"\npath = "data/ng"\n'


@pytest.mark.parametrize(
    ("line", "references"),
    [
        ('reference = "tradestation"', ("tradestation",)),
        ('references = ["norgate", "tradestation"]', ("norgate", "tradestation")),
        ("references = []", ()),
        ("", ()),
    ],
)
def test_references_in_their_order_and_the_first_decides(tmp_path: Path, line: str, references: tuple[str]) -> None:
    config = workspace(tmp_path, TOML.replace('reference = "tradestation"', line) + NORGATE).symbol("ES")
    assert config.references == references
    assert config.reference == (references[0] if references else None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('references = ["barchart"]', "symbols.ES.references: found 'barchart'; expected one of databento"),
        ('references = ["norgate", "norgate"]', "symbols.ES.references: found 'norgate' a second time"),
        ('reference = "norgate"\nreferences = ["tradestation"]', "symbols.ES.references: found reference beside it"),
        ("references = [{}]", "symbols.ES.references"),
    ],
)
def test_references_that_cannot_be_meant(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(WorkspaceError) as caught:
        workspace(tmp_path, TOML.replace('reference = "tradestation"', line) + NORGATE)
    assert message in str(caught.value)
