"""The operating profile: what is accepted, and the exact words of every refusal."""

# ruff: noqa: E501  one row per refusal, its whole message on the row

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from ctl import operating_profile as op
from ctl.errors import ProfileError

TEMPLATE = Path(__file__).resolve().parents[2] / "configs/cutover/operating_profile_v1.yaml"
HEX = "ab" * 32

BASE = """\
schema_version: 1
cycle_id: cutover_v1
locked_date: 2026-03-01
portfolio_recommendation: CONDITIONAL GO
portfolio_scope: futures_only
gating_universe: [ES, CL]
non_gating_symbols:
  PA: {role: research, reason: "held PA, not PL"}
symbol_settings:
  ES:
    tick_size: 0.25
    max_day_delta: 3
    expected_status: WATCH
    slippage_per_side: 0.25
    quote_unit: index points
    roll_policy: {policy: volume, consecutive_days: 2, eligible_months: HMUZ}
  CL:
    tick_size: 0.01
    max_day_delta: 3
    expected_status: ACCEPT
    slippage_per_side: 0.01
    quote_unit: USD per barrel
policy_constraints:
  thresholds_locked: true
  strategy_logic_locked: true
"""


def load(text: str) -> op.OperatingProfile:
    return op.load(text.encode(), "p_v1.yaml")


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ProfileError) as caught:
        load(text)
    return caught.value.problems


def found(text: str) -> tuple[str, ...]:
    """Each problem's file, line, key and what was found; what would have been right is said in words."""
    halves = [line.partition("; expected ") for line in problems(text)]
    assert all(expected for _, _, expected in halves)
    return tuple(where for where, _, _ in halves)


def edited(old: str, new: str) -> str:
    assert BASE.count(old) == 1, old
    return BASE.replace(old, new)


def test_shipped_profile_states_the_locked_board() -> None:
    profile = op.load(TEMPLATE.read_bytes(), TEMPLATE.name)
    board = {
        symbol: (
            entry.expected_status,
            entry.tick_size,
            entry.max_day_delta,
            entry.slippage_per_side,
        )
        for symbol, entry in profile.symbol_settings.items()
        if symbol in profile.gating_universe
    }
    assert board == {
        "ES": ("WATCH", 0.25, 3, 0.25),
        "CL": ("ACCEPT", 0.01, 3, 0.01),
        "PL": ("WATCH", 0.10, 2, 0.10),
    }
    assert profile.gating_universe == ("ES", "CL", "PL")
    assert tuple(profile.non_gating_symbols) == ("PA", "AAPL", "XLE")
    assert profile.locked_date == date(2026, 3, 1)
    assert (profile.cycle_id, profile.portfolio_recommendation, profile.portfolio_scope) == (
        "cutover_v1",
        "CONDITIONAL GO",
        "futures_only",
    )
    assert profile.policy_constraints.thresholds_locked
    assert profile.policy_constraints.strategy_logic_locked
    assert profile.symbol_settings["PL"].roll_policy.eligible_months == "FJNV"
    assert profile.version == 1


def test_a_profile_names_its_strategy() -> None:
    text = BASE
    assert load(text).strategy == "b1"
    named = load("strategy: donchian\n" + text)
    assert named.strategy == "donchian"


@pytest.mark.parametrize("name", ["''", "Big", "../b1", "1.5", "null"])
def test_a_strategy_is_named_in_lower_case(name: str) -> None:
    (line,) = problems(f"strategy: {name}\n" + BASE)
    assert "1: strategy: found" in line
    assert line.endswith("expected the name of a strategy: lower-case letters, digits, '_' or '-'")


def test_digest_is_of_the_file_and_defaults_are_those_of_the_specification() -> None:
    text = BASE
    profile = load(text)
    assert profile.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert profile.acceptance_policy == "v1"
    assert (profile.max_staleness_sessions, profile.ratchet) == (5, 1.0)
    policy = profile.symbol_settings["CL"].roll_policy
    assert (policy.kind, policy.consecutive_days, policy.timing, policy.adjustment) == (
        "volume",
        2,
        "next_session",
        "difference",
    )


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("portfolio_scope: futures_only", "portfolio_scope: futures_only\nextra: 1", "6: extra: found an unknown key"),
        ("portfolio_scope: futures_only", "portfolio_scope: futures_only\ncycle_id: again", "6: cycle_id: found a duplicate key (first on line 2)"),
        ("schema_version: 1", "schema_version: 2", "1: schema_version: found 2"),
        ("schema_version: 1", "schema_version: true", "1: schema_version: found true"),
        ("cycle_id: cutover_v1", "cycle_id: ../etc", "2: cycle_id: found '../etc'"),
        ("locked_date: 2026-03-01", "locked_date: 2026-02-30", "3: locked_date: found '2026-02-30'"),
        ("locked_date: 2026-03-01", "locked_date: '2026-03-01'", "3: locked_date: found '2026-03-01'"),
        ("CONDITIONAL GO", "GO", "4: portfolio_recommendation: found GO"),
        ("CONDITIONAL GO", "MAYBE", "4: portfolio_recommendation: found 'MAYBE'"),
        ("[ES, CL]", "[]", "6: gating_universe: found an empty list"),
        ("[ES, CL]", "[ES, CL, ES]", "6: gating_universe[2]: found 'ES' a second time"),
        ("[ES, CL]", "[ES, CL, NQ]", "6: gating_universe[2]: found 'NQ' without settings"),
        ("[ES, CL]", "[ES, CL, 7]", "6: gating_universe[2]: found 7"),
        ("[ES, CL]", "[ES]", "17: symbol_settings.CL: found settings of a symbol in neither universe"),
        ("  PA: {role", "  ES: {role", "8: non_gating_symbols.ES: found 'ES', which also stands in gating_universe"),
        ("reason: \"held", "why: \"held", "8: non_gating_symbols.PA.why: found an unknown key"),
        ("tick_size: 0.25", "tick_size: 0", "11: symbol_settings.ES.tick_size: found 0"),
        ("tick_size: 0.25", "tick_size: -0.25", "11: symbol_settings.ES.tick_size: found -0.25"),
        ("tick_size: 0.25", "tick_size: .nan", "11: symbol_settings.ES.tick_size: found nan"),
        ("tick_size: 0.25", "tick_size: .inf", "11: symbol_settings.ES.tick_size: found inf"),
        ("tick_size: 0.25", "tick_size: true", "11: symbol_settings.ES.tick_size: found true"),
        ("tick_size: 0.25", "tick_size: '0.25'", "11: symbol_settings.ES.tick_size: found '0.25'"),
        ("tick_size: 0.25\n", "\n", "10: symbol_settings.ES.tick_size: found nothing"),
        ("max_day_delta: 3\n    expected_status: WATCH", "max_day_delta: -1\n    expected_status: WATCH", "12: symbol_settings.ES.max_day_delta: found -1"),
        ("max_day_delta: 3\n    expected_status: WATCH", "max_day_delta: true\n    expected_status: WATCH", "12: symbol_settings.ES.max_day_delta: found true"),
        ("max_day_delta: 3\n    expected_status: WATCH", "max_day_delta: 2.5\n    expected_status: WATCH", "12: symbol_settings.ES.max_day_delta: found 2.5"),
        ("expected_status: ACCEPT", "expected_status: REJECT", "20: symbol_settings.CL.expected_status: found 'REJECT'"),
        ("    expected_status: ACCEPT\n", "", "17: symbol_settings.CL.expected_status: found nothing"),
        ("slippage_per_side: 0.01", "slippage_per_side: -0.01", "21: symbol_settings.CL.slippage_per_side: found -0.01"),
        ("quote_unit: index points", "quote_unit: ''", "15: symbol_settings.ES.quote_unit: found ''"),
        ("eligible_months: HMUZ", "eligible_months: ZHMU", "16: symbol_settings.ES.roll_policy.eligible_months: found 'ZHMU'"),
        ("policy: volume", "policy: schedule", "16: symbol_settings.ES.roll_policy.policy: found 'schedule'"),
        ("policy: volume", "policy: volume, offset: 3", "16: symbol_settings.ES.roll_policy.offset: found 3"),
        ("thresholds_locked: true", "thresholds_locked: 1", "24: policy_constraints.thresholds_locked: found 1"),
        ("  strategy_logic_locked: true\n", "", "23: policy_constraints.strategy_logic_locked: found nothing"),
        ("  strategy_logic_locked: true\n", "  strategy_logic_locked: true\nacceptance_policy: v3\n", "26: acceptance_policy: found 'v3'"),
        ("  strategy_logic_locked: true\n", "  strategy_logic_locked: true\nmax_staleness_sessions: -1\n", "26: max_staleness_sessions: found -1"),
    ],
)  # fmt: skip
def test_each_problem_is_said_with_line_key_found_and_expected(old: str, new: str, line: str) -> None:
    assert f"p_v1.yaml:{line}" in found(edited(old, new))


def test_every_problem_is_reported_in_one_go() -> None:
    text = (
        edited("tick_size: 0.25", "tick_size: -1")
        .replace("[ES, CL]", "[ES, CL, NQ]")
        .replace("expected_status: ACCEPT", "expected_status: MAYBE")
        .replace("portfolio_scope", "scope")
        .replace("max_day_delta: 3", "max_day_delta: -3", 1)
    )
    keys = [line.split(": ")[1] for line in problems(text)]
    assert keys == [
        "portfolio_scope",
        "scope",
        "gating_universe[2]",
        "symbol_settings.ES.tick_size",
        "symbol_settings.ES.max_day_delta",
        "symbol_settings.CL.expected_status",
    ]


def test_a_contradicting_recommendation_is_reported_beside_other_problems() -> None:
    text = edited("tick_size: 0.25", "tick_size: -1").replace("CONDITIONAL GO", "NO-GO")
    assert [line.split(": ")[1] for line in problems(text)] == [
        "portfolio_recommendation",
        "symbol_settings.ES.tick_size",
    ]


def test_non_gating_symbols_may_be_a_list() -> None:
    text = edited('\n  PA: {role: research, reason: "held PA, not PL"}', " [PA, AAPL]")
    assert tuple(load(text).non_gating_symbols) == ("PA", "AAPL")
    twice = edited('\n  PA: {role: research, reason: "held PA, not PL"}', " [PA, PA, 3]")
    assert found(twice) == (
        "p_v1.yaml:7: non_gating_symbols[1]: found 'PA' a second time",
        "p_v1.yaml:7: non_gating_symbols[2]: found 3",
    )
    neither = edited('\n  PA: {role: research, reason: "held PA, not PL"}', " PA")
    assert found(neither) == ("p_v1.yaml:7: non_gating_symbols: found 'PA'",)


@pytest.mark.parametrize("name", ["../ES", "a/b", "..", ".hidden", "E S", "ES\\n", "-rf", "x" * 65, "ÉS"])
def test_symbols_that_could_leave_their_folder_are_refused(name: str) -> None:
    text = edited("[ES, CL]", f'[ES, CL, "{name}"]')
    assert any("expected a symbol: letters, digits" in line for line in problems(text))


def test_watch_until_goes_with_watch_alone() -> None:
    dated = edited("    expected_status: WATCH\n", "    expected_status: WATCH\n    watch_until: 2026-09-30\n")
    assert load(dated).symbol_settings["ES"].watch_until == date(2026, 9, 30)
    wrong = edited("    expected_status: ACCEPT\n", "    expected_status: ACCEPT\n    watch_until: 2026-09-30\n")
    assert found(wrong) == ("p_v1.yaml:21: symbol_settings.CL.watch_until: found 2026-09-30",)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"# only a comment\n", "an empty file"),
        (b"just text", "'just text'"),
        (b"- a\n- b\n", "a list"),
        (b"null\n", "null"),
        (b"\xff\xfea\x00", "byte 0xff that is not UTF-8"),
        (b"a: *x\n", "the alias *x"),
        (b"a: !!python/object/apply:os.system [x]\n", "the tag tag:yaml.org,2002:python/object/apply:os.system"),
        (b"a: 1\n---\na: 2\n", "a second document"),
        (b"[" * 1000, "more than 16 levels of nesting"),
        (b"{a: " * 1000, "more than 16 levels of nesting"),
        (b"a: 'unclosed", "text that is not YAML"),
        (b"? {a: 1}\n: 2\n", "a list or mapping as a key"),
        (b"#" * (1024 * 1024 + 1), "1048577 bytes"),
        (b"a: &a [1,1]\nb: &b [*a,*a]\nc: [*b,*b]\n", "the alias *a"),
    ],
)
def test_bombs_and_rubbish_are_refused(data: bytes, found: str) -> None:
    with pytest.raises(ProfileError) as caught:
        op.load(data, "p.yaml")
    assert any(f"found {found}" in line for line in caught.value.problems)
    assert caught.value.exit_code == 2


def test_versions_are_read_from_the_file_name() -> None:
    assert op.version_of("operating_profile_v12.yaml") == 12
    assert op.version_of("operating_profile.yaml") is None
    assert op.next_version_name("operating_profile_v9.yaml") == "operating_profile_v10.yaml"
    assert op.next_version_name("profile.yaml") == "profile_v2.yaml"


@pytest.mark.parametrize(
    ("old", "new", "accepted", "refused", "key"),
    [
        ("tick_size: 0.25", "tick_size: {}", ("1.0e-9", "1000000"), ("0.9e-9", "1000000.5"), "tick_size"),
        ("slippage_per_side: 0.01", "slippage_per_side: {}", ("0", "1000000"), ("1000000.5",), "slippage_per_side"),
        ("delta: 3\n    expected_status: WATCH", "delta: {}\n    expected_status: WATCH", ("0", "60"), ("61",), "max_day_delta"),
        ("unit: index points", "unit: {}", ("x", "x" * 64), ("x" * 65,), "quote_unit"),
        ("consecutive_days: 2", "consecutive_days: {}", ("1", "20"), ("0", "21"), "consecutive_days"),
        ("policy: volume, consecutive_days: 2", "policy: calendar, offset: {}", ("0", "60"), ("-1", "61"), "offset"),
        ("policy: volume", "policy: calendar, anchor: fixed_day, fixed_day: {}", ("1", "31"), ("0", "32"), "fixed_day"),
        ("months: HMUZ", "months: {}", ("F", "FGHJKMNQUVXZ"), ("''", "HH", "A", "hm"), "eligible_months"),
        ("cycle_id: cutover_v1", "cycle_id: {}", ("a", "x" * 64), ("x" * 65, "''"), "cycle_id"),
        ("portfolio_scope: futures_only", "portfolio_scope: {}", ("a", "x" * 64), ("x" * 65, "''"), "portfolio_scope"),
        ("role: research", "role: {}", ("''", "x" * 4000), ("x" * 4001,), "role"),
        ("unit: index points", "unit: x\n    reference: {}", ("norgate", "x" * 64), ("x" * 65, "''", "a/b"), "reference"),
        ("strategy_logic_locked: true\n", "strategy_logic_locked: true\nmax_staleness_sessions: {}\n", ("0", "260"), ("261",), "max_staleness_sessions"),
    ],
)  # fmt: skip
def test_bounds_are_inclusive(
    old: str, new: str, accepted: tuple[str, ...], refused: tuple[str, ...], key: str
) -> None:
    for value in accepted:
        load(edited(old, new.format(value)))
    for value in refused:
        (line,) = problems(edited(old, new.format(value)))
        assert f"{key}: found " in line


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("consecutive_days: 2", "consecutive_days: two", "consecutive_days: found 'two'"),
        ("eligible_months: HMUZ", "timing: now", "timing: found 'now'"),
        ("eligible_months: HMUZ", "adjustment: half", "adjustment: found 'half'"),
        ("policy: volume", "policy: calendar, anchor: x", "anchor: found 'x'"),
        ("policy: volume", "policy: calendar, offset: x", "offset: found 'x'"),
        ("policy: volume", "policy: calendar, anchor: fixed_day", "fixed_day: found nothing"),
        ("policy: volume", "policy: calendar, fixed_day: 3", "fixed_day: found 3"),
        ("policy: volume", "policy: calendar, months_before: 1", "months_before: found 1"),
        ("policy: volume", "anchor: expiry", "anchor: found 'expiry'"),
    ],
)  # fmt: skip
def test_each_problem_of_a_roll_policy_is_said(old: str, new: str, line: str) -> None:
    assert found(edited(old, new)) == (f"p_v1.yaml:16: symbol_settings.ES.roll_policy.{line}",)
