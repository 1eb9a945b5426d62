"""`ctl init`, `ctl doctor`, `ctl data`: from a folder of files to a gate that passes, or to what must be mended."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fine_ticks
import pytest
from published_schemas import check

from ctl import clock, demo, store

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
SETTLES = SHARED / "contracts/bloomberg_settles/copper.csv"
needs_shared = pytest.mark.skipif(not SETTLES.is_file(), reason="real data are used in place only")

Ctl = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        yield


real_now = clock.now


@pytest.fixture(autouse=True)
def _soon_after_the_files_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated files end on Friday 2026-02-27; a real market's gate refuses them a week later."""
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 3, 2, 12, tzinfo=UTC))


@pytest.fixture
def folder(filled_workspace: Path, tmp_path: Path) -> Path:
    """The simulated vendors' files of ES and CL alone, without any configuration."""
    root = tmp_path / "files"
    for root_symbol in ("ES", "CL"):
        shutil.copytree(filled_workspace / "data/raw/databento" / root_symbol, root / "databento" / root_symbol)
        for file in (filled_workspace / "data/raw/tradestation").glob(f"TS_{root_symbol}_*"):
            (root / "ts").mkdir(exist_ok=True)
            shutil.copy(file, root / "ts")
    return root


def test_from_a_folder_of_files_to_a_gate_that_passes(ctl: Ctl, folder: Path) -> None:
    made = ctl("init", folder, "--json")
    assert made.code == 0, made.err
    check("init_v1.schema.json", made.document)
    derived = {each["symbol"]: (each["canonical"], each["derived"]) for each in made.document["symbols"]}
    assert derived == {"CL": ("databento", "ACCEPT"), "ES": ("databento", "WATCH")}
    assert made.document["recommendation"] == "CONDITIONAL GO"
    assert ctl("gate", "-w", folder).code == 0
    assert ctl("plan", "-w", folder).code == 0
    text = (folder / "ctl.toml").read_text()
    keys = [line for line in text.splitlines() if "=" in line and not line.startswith("#")]
    assert keys
    assert [line for line in keys if "  # " not in line] == [], "every key carries a comment"
    again = ctl("init", folder)
    assert (again.code, (folder / "ctl.toml").read_text()) == (64, text)


def test_a_gate_long_after_the_files_end_refuses_them_as_stale(
    ctl: Ctl, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ctl("init", folder, "--symbol", "ES").code == 0
    assert ctl("gate", "-w", folder).code == 0
    monkeypatch.setattr(clock, "now", real_now)
    gate = ctl("gate", "-w", folder, "--json")
    assert (gate.code, gate.document["recommendation"]) == (2, "NO-GO")
    (es,) = gate.document["symbol_results"]
    assert [reason["code"] for reason in es["reasons"] if reason["severity"] == "ERROR"] == ["STALE_INPUT"]


def _cl_as_es(folder: Path) -> None:
    """The reference's files of CL hold ES."""
    for file in (folder / "ts").glob("TS_CL_*"):
        shutil.copy(next((folder / "ts").glob(file.name.replace("CL", "ES", 1))), file)


def test_a_rejected_symbol_that_was_named_stops_before_the_profile_and_init_goes_on_from_ctl_toml(
    ctl: Ctl, folder: Path
) -> None:
    _cl_as_es(folder)
    stopped = ctl("init", folder, "--symbol", "ES", "--symbol", "CL", "--json")
    assert stopped.code == 2
    assert stopped.document["profile"] is None
    failed = {each["symbol"]: each["failed"] for each in stopped.document["symbols"]}
    assert failed["CL"]
    assert failed["ES"] == []
    workspace = store.Workspace.load(folder)
    assert not workspace.profile_path.exists()
    assert workspace.certificate_path("CL").is_file()
    doctor = ctl("doctor", "-w", folder, "--json")
    assert doctor.code == 1
    check("doctor_v1.schema.json", doctor.document)
    assert ("PROFILE_MISSING", "ctl init") in {(f["code"], f["command"]) for f in doctor.document["findings"]}
    assert ctl("init", folder, "--symbol", "ES").code == 0
    assert workspace.profile_path.is_file()
    assert ctl("gate", "-w", folder).code == 0


def test_a_mixed_folder_ends_in_a_workspace_that_runs(ctl: Ctl, folder: Path, filled_workspace: Path) -> None:
    """Futures of two vendors with hourly bars and settlements, a reference that is another commodity, shares with
    actions, a file of one vendor alone, a broken file.
    """
    _cl_as_es(folder)
    raw = filled_workspace / "data/raw"
    for part in ("databento/XLE", "databento/AAPL", "databento_statistics/ES", "databento_hourly/ES"):
        shutil.copytree(raw / part, folder / part)
    for file in (*raw.glob("tradestation/TS_XLE_*"), *raw.glob("tradestation/TS_AAPL_*")):
        shutil.copy(file, folder / "ts")
    (folder / "splits").mkdir()
    shutil.copy(raw / "actions/AAPL.csv", folder / "splits/AAPL_actions.csv")
    shutil.copy(raw / "actions/XLE.csv", folder / "splits/XLE-dividends.csv")
    shutil.copy(next(raw.glob("norgate/NG_PA_*")), folder)
    (folder / "broken.dbn.zst").write_bytes(b"\x28\xb5\x2f\xfd nothing")
    made = ctl("init", folder, "--equity", "250000", "--json")
    assert made.code == 0, made.err
    derived = {each["symbol"]: each["derived"] for each in made.document["symbols"]}
    assert derived == {"AAPL": "ACCEPT", "CL": "REJECT", "ES": "WATCH", "XLE": "ACCEPT"}
    assert [text.partition(":")[0] for text in made.document["unused"]] == ["broken.dbn.zst"]
    assert any(note.startswith("PA left out: a series of norgate alone") for note in made.document["notes"])
    workspace = store.Workspace.load(folder)
    # The reference's XLE is adjusted for dividends, which cannot be taken out again.
    assert (workspace.symbol("AAPL").common_basis, workspace.symbol("XLE").common_basis) == (
        "split_adjusted", "total_return",
    )  # fmt: skip
    assert workspace.risk is not None
    assert (workspace.risk.equity, workspace.risk.currency) == (250_000.0, "USD")
    gate = ctl("gate", "-w", folder, "--json")
    assert gate.code == 0, gate.err
    assert [each["symbol"] for each in gate.document["symbol_results"]] == ["AAPL", "ES", "XLE"]
    assert ctl("run", "-w", folder).code == 0
    build = ctl("build", "ES", "-w", folder, "--bars", "session", "--closes", "settlement", "--json")
    assert (build.code, build.document["close_basis"], build.document["session_basis"]) == (
        0, "settlement", "exchange_session",
    )  # fmt: skip


def test_the_risk_table_waits_for_an_equity(ctl: Ctl, folder: Path) -> None:
    assert ctl("init", folder, "--symbol", "CL").code == 0
    assert store.Workspace.load(folder).risk is None
    path = folder / "ctl.toml"
    path.write_text("\n".join(line.removeprefix("#") for line in path.read_text().splitlines() if line[:2] != "# "))
    risk = store.Workspace.load(folder).risk
    assert risk is not None
    assert risk.currency == "USD"


def test_settings_of_the_profile_are_taken_and_judged(ctl: Ctl, folder: Path) -> None:
    for wrong in ("ES.roll_policy.timing=never", "ZZ.roll_policy.timing=same_session", "ratchet"):
        assert ctl("init", folder, "--symbol", "ES", "--set", wrong).code == 64
    assert ctl("init", folder, "--symbol", "ES", "--set", "ES.roll_policy.consecutive_days=3").code == 0
    assert "consecutive_days: 3" in store.Workspace.load(folder).profile_path.read_text()
    built = ctl("build", "ES", "-w", folder, "--json")
    assert built.document["policy"]["consecutive_days"] == 3
    assert ctl("gate", "-w", folder).code == 0


def test_vendors_files_that_are_named_in_two_ways_become_two_tables(ctl: Ctl, folder: Path) -> None:
    for file in (folder / "ts").glob("TS_CL_*"):
        (folder / "new").mkdir(exist_ok=True)
        file.rename(folder / "new" / file.name)
    made = ctl("init", folder, "--json")
    assert made.code == 0, made.err
    assert {each["symbol"]: each["references"] for each in made.document["symbols"]} == {
        "CL": ["tradestation"], "ES": ["tradestation_2"],
    }  # fmt: skip
    assert ctl("gate", "-w", folder).code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--canonical", "nobody"),
        ("--reference", "nobody"),
        ("--symbol", "ZZ"),
        ("--canonical", "tradestation"),
        ("--reference", "databento", "--canonical", "databento"),
    ],
)
def test_answers_that_the_files_do_not_allow(ctl: Ctl, folder: Path, arguments: tuple[str, ...]) -> None:
    assert ctl("init", folder, *arguments).code == 64
    assert not (folder / "ctl.toml").exists()


def test_a_folder_without_two_vendors_or_without_data(ctl: Ctl, folder: Path, tmp_path: Path) -> None:
    shutil.rmtree(folder / "ts")
    one = ctl("init", folder)
    assert (one.code, "no symbol has files of two vendors" in one.err) == (1, True)
    (tmp_path / "empty").mkdir()
    assert ctl("init", tmp_path / "empty").code == 1
    assert not (folder / "ctl.toml").exists()


def test_data_that_lie_elsewhere_are_used_in_place(ctl: Ctl, folder: Path, tmp_path: Path) -> None:
    assert ctl("init", tmp_path / "w", "--data", folder, "--symbol", "ES").code == 0
    assert store.Workspace.load(tmp_path / "w").vendors["tradestation"].path == folder / "ts"
    assert not (folder / "ctl.toml").exists()
    assert ctl("gate", "-w", tmp_path / "w").code == 0


@needs_shared
@pytest.mark.parametrize(
    ("file", "root", "tick", "point_value", "unit", "decision"),
    [
        ("copper", "HG", 0.05, 250.0, "US cents per pound", "ACCEPT"),
        ("corn", "C", 0.25, 50.0, "US cents per bushel", "ACCEPT"),
        ("soybean", "S", 0.25, 50.0, "US cents per bushel", "WATCH"),
        ("heating_oil", "HO", 0.01, 420.0, "US cents per gallon", "ACCEPT"),
    ],
)
def test_a_root_of_two_vendors_that_roll_by_other_rules(
    ctl: Ctl, tmp_path: Path, file: str, root: str, tick: float, point_value: float, unit: str, decision: str
) -> None:
    for path in (SETTLES.with_stem(file), SHARED / f"continuous/quantiacs/F_{root}.txt"):
        (tmp_path / path.name).symlink_to(path.resolve())
    made = ctl("init", tmp_path, "--json")
    # The certificate says so, nothing can be locked on it, and what is printed follows the reference's rule.
    assert made.code == 2
    symbol = made.document["symbols"][0]
    assert (symbol["symbol"], symbol["canonical"], symbol["references"]) == (root, "bloomberg", ["quantiacs"])
    config = store.Workspace.load(tmp_path).symbol(root)
    assert (config.tick, config.point_value, config.quote_unit) == (tick, point_value, unit)
    shown = ctl("certify", root, "-w", tmp_path, "--json")
    assert shown.code == 0
    assert shown.document["decision"] == symbol["derived"] == "REJECT"
    follow = [word for key, value in symbol["follow"].items() for word in ("--set", f"{key}={value}")]
    rolled = ctl("init", tmp_path, *follow, "--json")
    assert (rolled.code, rolled.document["symbols"][0]["derived"]) == (0, decision)


def test_the_printed_lock_lets_a_symbol_gate_that_follows_the_reference(ctl: Ctl, folder: Path) -> None:
    late = demo.generate(inject=[("roll-rule", "CL")])
    for path, data in late.items():
        if "/TS_CL_CUSTOM" in path:
            (folder / "ts" / Path(path).name).write_bytes(data)
    made = ctl("init", folder)
    assert made.code == 0, made.err
    command = made.out.partition("to roll as tradestation does: ctl ")[2].partition("\n")[0]
    assert "CL.gating=true" in command
    locked = ctl(*shlex.split(command))
    assert locked.code == 0, locked.err
    gate = ctl("gate", "-w", folder, "--json")
    assert (gate.code, [each["symbol"] for each in gate.document["symbol_results"]]) == (0, ["ES", "CL"])


@needs_shared
def test_apple_of_two_vendors(ctl: Ctl, tmp_path: Path) -> None:
    for name in ("AAPL_tiingo.csv", "WIKI-AAPL.csv"):
        (tmp_path / name).symlink_to((SHARED / "equities" / name).resolve())
    made = ctl("init", tmp_path, "--canonical", "wiki", "--json")
    symbol = made.document["symbols"][0]
    assert (symbol["symbol"], symbol["canonical"], symbol["references"]) == ("AAPL", "wiki", ["tiingo"])
    # Splits of Apple: 1987-06-16 2:1, 2000-06-21 2:1, 2005-02-28 2:1, 2014-06-09 7:1.
    rows = [line.split(",") for line in (tmp_path / "data/raw/actions/AAPL.csv").read_text().splitlines()[1:]]
    splits = {day: float(ratio) for day, ratio, _ in rows if float(ratio) != 1.0}
    assert splits == {"1987-06-16": 2.0, "2000-06-21": 2.0, "2005-02-28": 2.0, "2014-06-09": 7.0}
    assert ctl("certify", "AAPL", "-w", tmp_path).code == 0


# ---------------------------------------------------------------- data, doctor


def test_data_says_what_is_there(ctl: Ctl, workspace: Path) -> None:
    listed = ctl("data", "list", "-w", workspace, "--json")
    assert listed.code == 0
    check("data_v1.schema.json", listed.document)
    parts = {(each["symbol"], part["vendor"], part["part"]): part for each in listed.document["symbols"]
             for part in each["parts"]}  # fmt: skip
    ours = parts["ES", "databento", "contracts"]
    assert (ours["first"], ours["last"], ours["behind"]) == ("2018-01-02", "2026-02-27", 0)
    assert (ours["session_basis"], ours["close_basis"]) == ("utc_day", "last_trade")
    assert parts["ES", "tradestation", "adjusted"]["close_basis"] == "settlement"
    shown = ctl("data", "show", "ES", "-w", workspace)
    assert "TS_ES_CUSTOM_ADJ_1D_20180102_20260227.csv" in shown.out
    head = ctl("data", "head", "ES", "-w", workspace, "--vendor", "tradestation", "--last", "-n", "2")
    assert [line.partition(",")[0] for line in head.out.splitlines()] == ["session", "2026-02-26", "2026-02-27"]
    assert ctl("data", "head", "ES", "-w", workspace, "--vendor", "norgate").code == 64


def test_doctor_names_what_is_missing_stale_and_unreadable(ctl: Ctl, workspace: Path) -> None:
    healthy = ctl("doctor", "-w", workspace, "--json")
    assert (healthy.code, healthy.document["findings"]) == (0, [])
    config = workspace / "ctl.toml"
    text = config.read_text()
    config.write_text(text.replace('currency = "USD"', 'currency = "EUR"', 1))
    unrated = ctl("doctor", "ES", "CL", "-w", workspace, "--json")
    assert {f["code"] for f in unrated.document["findings"] if f["level"] == "mend"} == {"CURRENCY_WITHOUT_RATE"}
    config.write_text(text)
    adjusted = next((workspace / "data/raw/tradestation").glob("TS_CL_CUSTOM_ADJ*"))
    adjusted.write_text("\n".join(adjusted.read_text().splitlines()[:-28]) + "\n")
    next((workspace / "data/raw/tradestation").glob("TS_ES_CUSTOM_ADJ*")).write_text("no,data\n1,2\n")
    shutil.rmtree(workspace / "data/raw/databento/PL")
    found = ctl("doctor", "-w", workspace, "--json")
    assert found.code == 1
    mend = {(f["subject"], f["code"]): f for f in found.document["findings"] if f["level"] == "mend"}
    assert set(mend) == {("CL", "STALE_INPUT"), ("ES", "INPUT_UNREADABLE"), ("PL", "INPUT_MISSING")}
    assert "28 sessions behind" in mend["CL", "STALE_INPUT"]["text"]
    assert mend["PL", "INPUT_MISSING"]["command"] == "ctl fetch PL"
    assert ctl("data", "list", "-w", workspace).code == 1


def test_a_certificate_against_another_reference_is_only_shown(ctl: Ctl, workspace: Path) -> None:
    def files() -> dict[Path, bytes]:
        folder = workspace / "data/processed"
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    text = (workspace / "ctl.toml").read_text()
    line = 'canonical = "databento"\nreference = "tradestation"'
    assert line in text
    several = 'canonical = "databento"\nreferences = ["tradestation", "norgate"]'
    (workspace / "ctl.toml").write_text(text.replace(line, several))
    before = files()
    other = ctl("certify", "CL", "--reference", "norgate", "-w", workspace, "--json")
    assert (other.code, files()) == (0, before)
    decisive = ctl("certify", "CL", "--reference", "tradestation", "-w", workspace, "--json")
    assert (decisive.code, files() == before) == (0, False)
    assert decisive.document == ctl("certify", "CL", "-w", workspace, "--json").document
    assert other.document != decisive.document
    assert ctl("certify", "CL", "--reference", "databento", "-w", workspace).code == 1


def test_at_a_terminal_it_asks_and_takes_the_answers(ctl: Ctl, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    asked: list[str] = []

    def prompt(text: str, default: str, **_: Any) -> str:
        asked.append(text)
        return "ES" if text == "Symbols" else default

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "prompt", prompt)
    assert ctl("init", folder).code == 0
    assert asked == ["Symbols"]
    assert set(store.Workspace.load(folder).symbols) == {"ES"}


def test_files_of_a_known_format_under_other_names_are_found_by_a_pattern(ctl: Ctl, folder: Path) -> None:
    for file in (folder / "ts").iterdir():
        file.rename(file.with_name(file.name.replace("TS_", "mine-").replace("_CUSTOM", "").replace("_", "-")))
    assert ctl("init", folder).code == 0
    vendor = store.Workspace.load(folder).vendors["tradestation"]
    assert vendor.path is None
    assert vendor.adjusted is not None
    assert vendor.adjusted.name == "mine-{symbol}-ADJ-1D-*-*.csv"
    assert ctl("gate", "-w", folder).code == 0


def test_one_vendors_files_of_a_symbol_in_two_folders_are_refused(ctl: Ctl, folder: Path) -> None:
    shutil.copytree(folder / "ts", folder / "copy")
    made = ctl("init", folder)
    assert (made.code, "several folders" in made.err) == (64, True)
    assert not (folder / "ctl.toml").exists()


def test_a_currency_without_a_rate_is_said_at_once(ctl: Ctl, filled_workspace: Path, tmp_path: Path) -> None:
    """Doctor would name it, and nothing of the symbol would ever be entered until then."""
    fine_ticks.write(filled_workspace, tmp_path)
    own = tmp_path / "instruments.toml"
    own.write_text(own.read_text().replace('"USD"', '"EUR"'))
    made = ctl("init", tmp_path, "--equity", "250000", "--json")  # of 6J in USD too, as the budget
    assert made.code == 0, made.err
    assert [note[:4] for note in made.document["notes"] if "EUR has no rate into USD" in note] == ["TT: "]
    assert "CURRENCY_WITHOUT_RATE" in ctl("doctor", "-w", tmp_path).err
