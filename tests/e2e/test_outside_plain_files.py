"""Files and arguments as people outside bring them: other vendors' habits, odd names, damage, abuse."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

HEADER = "session,contract,open,high,low,close,volume"
LEAN = Path(__file__).resolve().parents[2] / "../shared/data/contracts/lean_es_2013"
DATABENTO = Path(__file__).resolve().parents[2] / "../shared/data/databento"
# Volume crosses on the 8th and stays: confirmed on the 9th, in force on the 10th, gap 110 - 100.
ROLLING = [
    *(f"2025-01-{day:02d},ESH25,100,101,99,100,{900 if day < 8 else 100}" for day in (6, 7, 8, 9, 10)),
    *(f"2025-01-{day:02d},ESM25,110,111,109,110,{100 if day < 8 else 900}" for day in (6, 7, 8, 9, 10)),
]


@pytest.fixture
def text() -> str:
    return "\n".join([HEADER, *ROLLING]) + "\n"


@pytest.fixture
def build(ctl, tmp_path):
    """Build ES from one file of the given content; nothing may stand in the output folder after a refusal."""

    def run(content: str | bytes, *options: str | Path, name: str = "contracts.csv"):
        path, out = tmp_path / name, tmp_path / "out"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        ran = ctl("build", "--contracts", path, "--root", "ES", "--out", out, "--json", *options)
        if ran.code:
            assert len(ran.err.splitlines()) == 1, ran.err
            assert (ran.document["kind"], ran.document["exit_code"]) == ("error", ran.code)
            assert not out.exists()
        return ran

    return run


@pytest.mark.parametrize(
    "spell",
    [
        lambda text: text.replace("ESH25", "ESH5").replace("ESM25", "ESM2025"),
        lambda text: text.replace(HEADER, HEADER.upper()),
        lambda text: text.replace(HEADER, HEADER.title()),
        lambda text: "\ufeff" + text.replace(",", '","').replace("\n", '"\r\n"')[:-1].join(('"', "\r\n\r\n")),
        lambda text: "\n".join([HEADER, *reversed(ROLLING)]),
        lambda text: text.replace("\n", ",x\n").replace("volume,x", "volume,remark"),
        lambda text: text + "2025-01-10,ESH25-ESM25,1,1,1,1,1\n",
    ],
    ids=["years", "capitals", "title", "bom-crlf-quotes", "order", "more-columns", "spreads"],
)
def test_other_spellings_give_the_same_roll(build, text, spell):
    ran = build(spell(text))
    assert ran.code == 0, ran.err
    (roll,) = ran.document["rolls"]
    assert (roll["known_at"], roll["roll_date"], roll["gap"]) == ("2025-01-09", "2025-01-10", 10.0)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_other_separators_are_read(build, text, mark):
    ran, plain = build(text.replace(",", mark)), build(text)
    assert ran.code == 0
    assert ran.document["rolls"] == plain.document["rolls"]
    assert "note: assumed exchange sessions, settlement" in ran.err


@pytest.mark.parametrize(
    "row",
    [
        "9999-01-13,ESM25,1,1,1,1,1",
        "2025-02-30,ESM25,1,1,1,1,1",
        '2025-01-13,ESM25,1,1,1,"1,234.5",1',
        "2025-01-13,<script>alert(1)</script>,1,1,1,1,1",
        "2025-01-13,$(touch pwned),1,1,1,1,1",
        "2025-01-13,=cmd|calc,1,1,1,1,1",
        "2025-01-13,ESM25,1e400,1,1,1,1",
        "2025-01-13,ESM25,1,1,1,1,99999999999999999999",
        "2025-01-13,ESM25,1,1,1,1,1.5",
        "2025-01-13,ESM25,1,1,1,1," + "1" * 100_000,
        ROLLING[3],
    ],
)
def test_a_bad_row_is_named_by_its_number(build, text, row):
    ran = build(text + row)
    assert ran.code == 1
    assert "row 12" in ran.err


def test_a_sparse_file_is_refused_by_its_first_part(build, tmp_path, text, monkeypatch):
    from ctl.ingest import source

    path = tmp_path / "sparse.csv"
    path.write_text(text)
    with path.open("r+b") as handle:
        handle.truncate(source.MAX_BYTES)  # below the size limit: only the NUL bytes tell
    read = []

    class Counting:
        def __init__(self, handle):
            self._handle = handle

        def read(self, size):
            read.append(size)
            return self._handle.read(size)

        def seek(self, to):
            return self._handle.seek(to)

        def fileno(self):
            return self._handle.fileno()

    with path.open("rb") as handle:
        held = source._load(path, Counting(handle))  # type: ignore[arg-type]
    assert read == [8, 1 << 20]
    assert len(held.data) == 1 << 20
    with path.open("rb") as handle:
        ran = build(handle.read(4096))
    assert ran.code == 1
    assert "a NUL byte on line 12" in ran.err


def test_hidden_files_of_a_folder_are_left_aside(ctl, tmp_path, text):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.csv").write_text(text)
    (folder / "._a.csv").write_bytes(b"\0\5\x16\7junk")  # what a Mac leaves beside a file on another disk
    ran = ctl("build", "--contracts", folder, "--root", "ES", "--json")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    "options",
    [
        ("--root", "../../x"),
        ("--root", "<b>"),
        ("--root", "A" * 500),
        ("--months", "ABC"),
        ("--months", ""),
        ("--days", "0"),
        ("--policy", "schedule"),
        ("--policy", "calendar", "--anchor", "fixed_day"),
        ("--adjust", "foo"),
    ],
)
def test_wrong_arguments_exit_64(build, text, options):
    assert build(text, *options).code == 64


@pytest.mark.parametrize("tick", ["nan", "inf", "0", "-1", "1e-320", "1e308", "x"])
def test_a_tick_that_no_exchange_has_is_a_wrong_argument(ctl, tmp_path, text, tick):
    path = tmp_path / "a.csv"
    path.write_text(text)
    ran = ctl(
        "certify", "--contracts", path, "--root", "ES", "--tick", tick, "--max-day-delta", "3", "--unadjusted", path
    )
    assert (ran.code, len(ran.err.splitlines())) == (64, 1)


@pytest.mark.parametrize(
    "options",
    [("--slippage", "1e308"), ("--slippage", "nan"), ("--slippage", "inf"), ("--lots", "9" * 22), ("--symbol", "<X>"),
     ("--param", "slope_threshold"), ("--param", "slope_threshold=nan"), ("--param", "__class__=1")],
)  # fmt: skip
def test_backtest_arguments_out_of_any_range_exit_64(ctl, tmp_path, options):
    path = tmp_path / "bars.csv"
    path.write_text("session,open,high,low,close,volume\n2025-01-06,1,1,1,1,1\n")
    ran = ctl("backtest", path, *options)
    assert (ran.code, len(ran.err.splitlines())) == (64, 1)


class TestSchedules:
    def test_our_own_manifest_gives_the_same_rolls(self, build, text, tmp_path):
        first = build(text).document
        manifest = tmp_path / "out" / "ES_roll_manifest.json"
        again = build(text, "--policy", "schedule", "--schedule", manifest).document
        evidence = ("roll_date", "from_contract", "to_contract", "gap", "cumulative_adjustment")
        assert [[roll[key] for key in evidence] for roll in again["rolls"]] == [
            [roll[key] for key in evidence] for roll in first["rolls"]
        ]

    def test_a_bare_list_with_years_of_one_digit(self, build, text, tmp_path):
        old = [
            {"date": "2025-01-08", "from_contract": "ESH5", "to_contract": "ESM5", "gap": 10.0, "cumulative_adj": 10.0}
        ]
        (tmp_path / "old.json").write_text(json.dumps(old))
        (roll,) = build(text, "--policy", "schedule", "--schedule", tmp_path / "old.json").document["rolls"]
        assert (roll["roll_date"], roll["from_contract"], roll["to_contract"]) == ("2025-01-08", "ESH25", "ESM25")

    @pytest.mark.parametrize(
        "content",
        ["", "{}", "[]", "null", "1e999", "[" * 100_000, '[{"date": NaN}]', '[{"date": "2025-99-99"}]', "\xff\xfe"],
    )
    def test_what_is_no_manifest_is_named_by_its_file(self, build, text, tmp_path, content):
        (tmp_path / "old.json").write_text(content, encoding="latin-1")
        ran = build(text, "--policy", "schedule", "--schedule", tmp_path / "old.json")
        assert ran.code == 1
        assert "old.json" in ran.err

    def test_an_inverted_one_is_reported(self, ctl, text, tmp_path):
        """Under `subtract` the earlier sessions carry minus the gap."""
        rolls = [
            {"date": "2025-01-08", "from_contract": "ESH25", "to_contract": "ESM25", "gap": 10, "cumulative_adj": -10}
        ]
        (tmp_path / "old.json").write_text(json.dumps({"convention": "subtract", "rolls": rolls}))
        (tmp_path / "a.csv").write_text(text)
        ran = ctl(
            "build", "--contracts", tmp_path / "a.csv", "--root", "ES", "--json",
            "--policy", "schedule", "--schedule", tmp_path / "old.json",
        )  # fmt: skip
        assert ran.code == 0
        assert "INVERTED_ADJUSTMENT" in ran.err


@pytest.mark.skipif(not LEAN.is_dir(), reason="the folder of real market data is absent")
@pytest.mark.parametrize("options", [(), ("--mapping", "lean")])
def test_lean_files_are_read_as_they_come(ctl, options):
    """ESH14's volume is above ESZ13's on 2013-12-13 and again on 12-16."""
    ran = ctl(
        "build", "--contracts", LEAN / "es_trade_201312.csv", LEAN / "es_trade_201403.csv", "--root", "ES", "--json",
        *options,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    (roll,) = ran.document["rolls"]
    assert (roll["known_at"], roll["from_contract"], roll["to_contract"]) == ("2013-12-16", "ESZ13", "ESH14")
    lines = {
        name: next(line for line in (LEAN / name).read_text().splitlines() if line.startswith("20131216"))
        for name in ("es_trade_201312.csv", "es_trade_201403.csv")
    }
    old, new = (float(line.split(",")[4]) for line in lines.values())
    assert math.isclose(roll["gap"], new - old)


@pytest.mark.skipif(not DATABENTO.is_dir(), reason="the folder of real market data is absent")
class TestDatabentoSeries:
    def test_the_only_symbol_of_a_file_is_run(self, ctl):
        ran = ctl("backtest", DATABENTO / "csv/VOO-20200628-20250627.ohlcv-1d.csv")
        assert ran.code == 0, ran.err
        assert "data to 2025-06-27" in ran.out

    def test_one_of_several_must_be_chosen(self, ctl):
        path = DATABENTO / "csv/basic-20230328-20240809.ohlcv-1d.csv"
        assert "several" in ctl("backtest", path).err
        assert "found AAPL, AMZN" in ctl("backtest", path, "--symbol", "XX").err
        assert "several publishers for META" in ctl("backtest", path, "--symbol", "META").err
        assert ctl("backtest", path, "--symbol", "META", "--publisher", "39").code == 0


def test_a_header_of_anybody_is_read_through_a_mapping(ctl, tmp_path):
    bars, mapping = tmp_path / "export (1).csv", tmp_path / "theirs.toml"
    bars.write_text("Wann;Preis;Auf;Hoch;Tief;Menge\n06.01.2025;2;1;4;0.5;10\n07.01.2025;3;2;4;1;11\n")
    mapping.write_text(
        'separator = ";"\ndate_format = "%d.%m.%Y"\n[columns]\nsession = "Wann"\nopen = "Auf"\nhigh = "Hoch"\n'
        'low = "Tief"\nclose = "Preis"\nvolume = "Menge"\n'
    )
    refused = ctl("backtest", bars).err
    assert 'separator = ";"' in refused
    assert 'session = "?"' in refused
    ran = ctl("backtest", bars, "--mapping", mapping)
    assert ran.code == 0, ran.err
    assert "data to 2025-01-07" in ran.out
    unknown = ctl("backtest", bars, "--mapping", "theirs")
    assert unknown.code == 64
    assert "found theirs" in unknown.err
    mapping.write_text("[columns")
    assert "not TOML" in ctl("backtest", bars, "--mapping", mapping).err


@pytest.mark.parametrize("there_before", [False, True])
def test_a_disk_that_fills_up_leaves_no_part_of_a_build(ctl, tmp_path, text, monkeypatch, there_before):
    """The manifest is written last; here it does not fit any more."""
    from ctl import store
    from ctl.errors import WorkspaceError

    path, out = tmp_path / "a.csv", tmp_path / "out"
    path.write_text(text)
    build = ("build", "--contracts", path, "--root", "ES", "--out", out, "--csv")
    if there_before:
        assert ctl(*build).code == 0
    before = {found.name: found.read_bytes() for found in out.iterdir()} if there_before else {}
    whole = store.write_atomic

    def full(target, data):
        if target.suffix == ".json":
            raise WorkspaceError("cannot be written", where=str(target), found="No space left on device")
        whole(target, data)

    monkeypatch.setattr(store, "write_atomic", full)
    ran = ctl(*build)
    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert {found.name: found.read_bytes() for found in out.iterdir()} == before


def test_a_certificate_without_a_roll_comparison_reads_well(ctl, filled_workspace):
    """Crude oil as the reference of an equity index: identity fails, nothing else is compared."""
    raw = filled_workspace / "data" / "raw"
    (reference,) = (raw / "tradestation").glob("TS_CL_CUSTOM_ADJ_1D_*")
    ran = ctl(
        "certify", "--contracts", raw / "databento" / "ES", "--root", "ES", "--tick", "0.25", "--max-day-delta", "3",
        "--adjusted", reference, "--explain",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.out.startswith("ES: REJECT   IDENTITY_MISMATCH: ")
    assert "nothing else was compared" in ran.out
    assert "None" not in ran.out


def test_names_are_shown_as_they_are_and_not_as_markup(ctl, tmp_path):
    path = tmp_path / "bars [red] :smile:.csv"
    path.write_text("session,open,high,low,close,volume\n2025-01-06,1,1,1,1,1\n")
    ran = ctl("backtest", path)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0].count("bars [red] :smile:") == 1


@pytest.mark.parametrize("command", ["build", "backtest"])
def test_a_file_that_may_not_be_read_is_an_error_of_the_data(ctl, tmp_path, text, command, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text(text)
    path.chmod(0)

    opened = os.open

    def denied(name, *arguments, **options):
        if Path(os.fsdecode(name)) == path:
            raise PermissionError(13, "Permission denied")
        return opened(name, *arguments, **options)

    monkeypatch.setattr(os, "open", denied)  # the superuser may read everything
    monkeypatch.setattr("os.access", lambda *_, **__: False)
    files = ("--contracts", path, "--root", "ES", "--json") if command == "build" else (path,)
    ran = ctl(command, *files)
    assert ran.code == 1
    assert ran.document["code"] == "INPUT_UNREADABLE" if command == "build" else ran.out == ""
    assert ran.err.splitlines() == [f"ctl: {path}: cannot be read; found Permission denied"]
