"""Commands on plain files: no workspace, no profile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ctl import __version__, continuous, ingest, inputs, pipeline
from ctl.cli import output
from ctl.cli.arguments import day
from ctl.errors import EXIT_OK, CtlError, InputError, UsageError
from ctl.model.bars import ContractBars
from ctl.model.contracts import MONTH_CODES, canonical_name, is_root
from ctl.model.instruments import CsvMapping
from ctl.model.names import SAFE_NAME_TEXT, is_safe_name
from ctl.model.rolls import RollPolicy, ScheduledRoll
from ctl.model.trades import Timeframe

# Beyond these no exchange quotes, and a division would leave the numbers that a document can hold.
_FINEST_TICK: Final = 1e-9
_COARSEST_TICK: Final = 1e6


def roll_policy(
    policy: str,
    days: int,
    months: str | None,
    timing: str,
    adjust: str,
    anchor: str,
    offset: int,
    fixed_day: int | None,
    schedule: Path | None,
) -> RollPolicy:
    """The roll policy that the options spell. Raises UsageError for options that do not fit together."""
    if months is not None:
        months = months.upper()
        unknown = sorted(set(months) - set(MONTH_CODES))
        if unknown or not months:
            raise UsageError(
                "--months names no delivery months", found=repr(months), expected=f"letters of {MONTH_CODES}"
            )
        months = "".join(sorted(set(months)))
    if (policy == "schedule") != (schedule is not None):
        raise UsageError("--policy schedule and --schedule MANIFEST.json go together")
    if anchor == "fixed_day" and fixed_day is None:
        raise UsageError("--anchor fixed_day needs --fixed-day N")
    return RollPolicy(
        kind=policy,  # type: ignore[arg-type]  # the command line's choices are the policy's kinds
        consecutive_days=days,
        eligible_months=months,
        timing=timing,  # type: ignore[arg-type]
        adjustment=adjust,  # type: ignore[arg-type]
        anchor=anchor,  # type: ignore[arg-type]
        offset=offset,
        fixed_day=fixed_day,
        schedule=_schedule(schedule) if schedule is not None else (),
    )


def build(
    contracts: Sequence[Path],
    root: str | None,
    policy: RollPolicy,
    out: Path | None,
    *,
    publisher: int | None,
    mapping: str | None,
    csv: bool,
    json: bool,
) -> int:
    """Build one root's series from contract files; write it to `out`, print its manifest with `json`."""
    if out is None and not json:
        raise UsageError("nothing to do with the series", remedy="name a folder with --out DIR, or ask for --json")
    bars, name = _read(contracts, root, publisher, mapping)
    pipeline.require_root(bars, name, ", ".join(path.name for path in contracts[:3]))
    series = pipeline.build_series(bars, inputs.with_cycle(policy, name, ingest.load_instruments()))
    manifest = continuous.manifest_document(series, package_version=__version__)
    written = pipeline.write_series(out, name, series, manifest, csv=csv) if out is not None else []
    if json:
        output.print_json(manifest)
    else:
        output.print_build(name, manifest, [str(path) for path in written])
    return EXIT_OK


def certify(
    contracts: Sequence[Path],
    root: str | None,
    policy: RollPolicy,
    *,
    tick: float | None,
    max_day_delta: int | None,
    adjusted: Path | None,
    unadjusted: Path | None,
    publisher: int | None,
    mapping: str | None,
    reference_mapping: str | None,
    quote_unit: str | None,
    calendar: str | None,
    acceptance: str,
    out: Path | None,
    as_of: str | None,
    explain: bool,
    json: bool,
) -> int:
    """Certify one root's contract files against reference files."""
    missing = [name for name, value in (("--tick", tick), ("--max-day-delta", max_day_delta)) if value is None]
    if missing or tick is None or max_day_delta is None:
        raise UsageError(
            f"--contracts needs {' and '.join(missing)}", remedy="the tick and the limit are the profile's"
        )
    _require_tick(tick)
    if adjusted is None and unadjusted is None:
        raise UsageError("nothing to certify against", remedy="name --adjusted and/or --unadjusted")
    until = day(as_of)
    instruments = ingest.load_instruments()
    bars, name = _read(contracts, root, publisher, mapping)
    reference = ingest.read_reference(
        symbol=name,
        adjusted=adjusted,
        unadjusted=unadjusted,
        instruments=instruments,
        mapping=_mapping(reference_mapping),
    )
    known = instruments.get(name)
    held = inputs.SymbolInputs(
        symbol=name,
        root=name,
        contracts=inputs.up_to(bars, until),
        equity=None,
        reference=inputs.reference_up_to(reference, until),
        policy=inputs.with_cycle(policy, name, instruments),
    )
    terms = pipeline.CertifyTerms(
        tick=tick,
        max_day_delta=max_day_delta,
        quote_unit=quote_unit or bars.meta.quote_unit or (known.quote_unit if known else "price units"),
        calendar=calendar,
        acceptance_policy=acceptance,
    )
    series = pipeline.canonical_series(held, calendar)
    certificate = pipeline.certify_symbol(held, series, terms)
    written = pipeline.write_certificate(out, certificate) if out is not None else []
    if json:
        output.print_json(certificate.document)
    else:
        output.print_certificate(certificate, [str(path) for path in written], explain=explain)
    return EXIT_OK


def backtest(
    path: Path,
    *,
    symbol: str | None,
    publisher: int | None,
    mapping: str | None,
    slippage: float,
    tick: float | None,
    param: Sequence[str],
    unregistered: bool,
    lots: int,
    timeframe: Timeframe,
    calendar: str,
    json: bool,
) -> int:
    """Run B1 over one plain series."""
    from ctl.strategy import b1

    if tick is not None:
        _require_tick(tick)
    if symbol is not None and not is_safe_name(symbol):
        raise UsageError("--symbol is no symbol", found=repr(symbol[:80]), expected=SAFE_NAME_TEXT)
    overrides: dict[str, Any] = {}
    for item in param:
        name, separator, value = item.partition("=")
        if not separator or not name.strip():
            raise UsageError("--param needs NAME=VALUE", found=repr(item), expected="e.g. slope_threshold=6")
        if name.strip() in overrides:
            raise UsageError("--param names a parameter twice", found=name.strip())
        overrides[name.strip()] = value.strip()
    parameters = b1.B1Parameters.from_overrides(overrides, timeframe, unregistered=unregistered)
    series = pipeline.plain_series(path, symbol, mapping=_mapping(mapping), publisher=publisher)
    name = symbol or path.name.split(".")[0]
    result = pipeline.backtest(
        series, name, parameters,
        timeframe=timeframe, slippage_per_side=slippage, tick=tick, lots=lots, calendar=calendar,
    )  # fmt: skip
    if json:
        output.print_json(result.document())
    else:
        output.print_backtest(name, result)
    return EXIT_OK


def _read(
    contracts: Sequence[Path], root: str | None, publisher: int | None, mapping: str | None
) -> tuple[ContractBars, str]:
    if not root:
        raise UsageError("--contracts needs --root", expected="the root the files should hold, e.g. --root ES")
    if not is_root(root):
        raise UsageError("--root is no root", found=repr(root[:40]), expected="up to 6 capitals and digits, e.g. ES")
    bars = ingest.read_contracts(
        contracts, root, instruments=ingest.load_instruments(), mapping=_mapping(mapping), publisher=publisher
    )
    return bars, root


def _mapping(text: str | None) -> CsvMapping | None:
    return None if text is None else ingest.mapping_named_or_at(text)


def _require_tick(tick: float) -> None:
    if not _FINEST_TICK <= tick <= _COARSEST_TICK:
        raise UsageError(
            "--tick must be a positive number", found=str(tick), expected=f"{_FINEST_TICK:g} to {_COARSEST_TICK:g}"
        )


def _schedule(path: Path) -> tuple[ScheduledRoll, ...]:
    """The rolls of a manifest; contracts with a one-digit year are those nearest after their roll."""
    try:
        header, rolls = continuous.read_manifest(path.read_bytes())
    except CtlError as error:
        where = path.name if error.where is None else f"{path.name}: {error.where}"
        raise InputError(error.what, where=where, found=error.found, expected=error.expected) from error
    except OSError as error:
        raise InputError("cannot be read", where=str(path), found=error.strerror or type(error).__name__) from error
    if not rolls:
        raise InputError("the manifest holds no rolls", where=path.name, expected="rolls to follow")
    for finding in header.get("findings", ()):
        if isinstance(finding, dict):
            output.warn(f"{path.name}: {finding.get('code')}: {finding.get('text')}")
    return tuple(
        ScheduledRoll(
            roll.roll_date,
            None if roll.from_contract is None else canonical_name(roll.from_contract, roll.roll_date),
            canonical_name(roll.to_contract, roll.roll_date),
        )
        for roll in rolls
    )
