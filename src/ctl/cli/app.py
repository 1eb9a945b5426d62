"""Every command with its arguments. Bodies import what they need when they are called."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial, wraps
from inspect import Signature, signature
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ctl.cli import completion
from ctl.cli.help import BEGIN, DATA, LOCK, PROVE, RUNS, TRY, WEEK, Commands
from ctl.model.bars import BarsChoice, ClosesChoice, SeriesChoice
from ctl.model.notify import NotifyMode
from ctl.model.rolls import (
    GUARD_SESSIONS,
    MOST_MONTHS_BEFORE,
    MOST_SESSIONS,
    Adjustment,
    CalendarAnchor,
    PolicyKind,
    RollPolicy,
    RollTarget,
    Timing,
)

app = Commands(
    name="ctl",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 error, 2 refused by the gate, 64 wrong arguments.",
)


class Bought(StrEnum):
    """Schemas that `ctl fetch` buys; of a repeatable option the parser takes no Literal."""

    daily = "ohlcv-1d"
    definition = "definition"
    statistics = "statistics"
    hourly = "ohlcv-1h"


Timeframe = Literal["daily", "weekly"]
LogFormat = Literal["text", "json"]
Every = Literal["week"]
Acceptance = Literal["v1", "v2"]

Workspace = Annotated[
    Path | None,
    typer.Option(
        "--workspace", "-w", envvar="CTL_WORKSPACE", show_envvar=True,
        help="Workspace folder (holds ctl.toml). Default: the one at or above the current folder.",
    ),
]  # fmt: skip
TimeframeOption = Annotated[Timeframe, typer.Option("--timeframe", help="Bars the strategy sees.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document alone on stdout; everything else on stderr.")]
Profile = Annotated[
    Path | None,
    typer.Option("--profile", exists=True, dir_okay=False, help="Operating profile. Default: the workspace's own."),
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="DATE", help="Use only sessions up to this date (YYYY-MM-DD, inclusive)."),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", min=1, max=1024, help="Processes to spread symbols over. Default: the cores, where symbols are many."
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option("--cluster", metavar="ADDRESS", help="A Dask cluster instead: local:N, or a scheduler's address."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A setting of the profile, e.g. ES.series.closes=settlement; AAPL.gating=true has it gate, false not. "
        "Repeatable.",
    ),
]
Html = Annotated[
    Path | None, typer.Option("--html", dir_okay=False, metavar="FILE", help="Write one HTML file with pictures too.")
]
TableFile = Annotated[
    Path | None,
    typer.Option(
        "--table", dir_okay=False, metavar="FILE",
        help="Write the tables as .csv, .parquet or .xlsx (a sheet each), prices on the tick grid.",
    ),
]  # fmt: skip
NonGating = Annotated[bool, typer.Option("--include-non-gating", help="Also run the symbols that do not gate.")]
Contracts = Annotated[
    list[Path] | None,
    typer.Option(
        "--contracts",
        metavar="FILE...",
        exists=True,
        readable=False,
        help="Contract files of any known format; a folder means its files.",
    ),
]
Sign = Annotated[
    list[Path] | None,
    typer.Option(
        "--sign", exists=True, dir_okay=False, metavar="KEY", help="Sign with this private key (Ed25519); repeatable."
    ),
]
Root = Annotated[str | None, typer.Option("--root", help="Root of the contracts, e.g. ES.")]
Publisher = Annotated[
    int | None,
    typer.Option("--publisher", min=1, max=65_535, help="Publisher to use where a Databento file holds several."),
]
Mapping = Annotated[
    str | None,
    typer.Option(
        "--mapping", metavar="NAME|FILE.toml", help="How to read a CSV whose header is not known: packaged or your own."
    ),
]
PolicyOption = Annotated[PolicyKind, typer.Option("--policy", help="Roll policy.")]
Days = Annotated[
    int,
    typer.Option(
        "--days", min=1, max=MOST_SESSIONS, help="Consecutive sessions that confirm a volume or interest roll."
    ),
]
Months = Annotated[
    str | None,
    typer.Option("--months", help="Eligible month codes, e.g. HMUZ. Default: the root's liquid cycle, if known."),
]
TimingOption = Annotated[Timing, typer.Option("--timing", help="Session from which the new contract is used.")]
AdjustOption = Annotated[Adjustment, typer.Option("--adjust", help="Adjustment of the earlier contracts.")]
AnchorOption = Annotated[CalendarAnchor, typer.Option("--anchor", help="What --policy calendar counts back from.")]
Offset = Annotated[
    int, typer.Option("--offset", min=0, max=MOST_SESSIONS, help="Sessions before the anchor (--policy calendar).")
]
FixedDay = Annotated[
    int | None, typer.Option("--fixed-day", min=1, max=31, help="Day of the month (--anchor fixed_day).")
]
MonthsBefore = Annotated[
    int,
    typer.Option(
        "--months-before", min=0, max=MOST_MONTHS_BEFORE, help="Months before delivery's whose --fixed-day is meant."
    ),
]
Guard = Annotated[
    str,
    typer.Option(
        "--guard",
        metavar="N|none",
        help="Sessions before last trade or first notice from which the next contract is used at the latest.",
    ),
]
Target = Annotated[
    RollTarget, typer.Option("--target", help="Contract that a roll leads to: the next eligible, or the most active.")
]
BridgeHoles = Annotated[
    bool, typer.Option("--bridge-holes", help="Join what lies before a hole of more than 20 sessions in the data.")
]
Schedule = Annotated[
    Path | None,
    typer.Option(
        "--schedule", exists=True, dir_okay=False, readable=False, help="Roll manifest to follow (--policy schedule)."
    ),
]


BarsOption = Annotated[
    BarsChoice | None,
    typer.Option("--bars", help="Daily bars as the vendor makes them, or exchange sessions of its intraday ones."),
]
ClosesOption = Annotated[
    ClosesChoice | None,
    typer.Option("--closes", help="Closes as the bars have them, or settlements of the vendor's statistics."),
]
CalendarOption = Annotated[
    str | None, typer.Option("--calendar", help="Exchange calendar of the sessions, e.g. CMES; none: weekdays.")
]


def _symbols(text: str) -> Any:
    """The symbols that a command takes."""
    return typer.Argument(metavar="[SYMBOL]...", autocompletion=completion.symbols, help=text)


def _date(option: str, text: str) -> Any:
    """A first or last session."""
    return typer.Option(option, metavar="DATE", help=text)


def _print_version(asked: bool) -> None:
    if asked:
        from ctl import __version__

        print(f"ctl {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error. Allowed anywhere.")] = False,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Draw curves in digits. Allowed anywhere.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colour, as NO_COLOR. Allowed anywhere.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Line 1 of the screen alone. Allowed anywhere.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Lists and digests in full. Allowed anywhere.")] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """[bold]Cutover control[/bold]: may the portfolio run on the new vendor's data?

    Builds continuous futures from contract data, certifies each symbol against an independent reference,
    and runs the B1 portfolio only while today's data still re-derive the locked operating profile.

    A first look: [cyan]ctl demo mydir && cd mydir && ctl gate && ctl ops --dry-run[/cyan]
    """


@app.command(rich_help_panel=BEGIN)
def demo(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder to fill; made if missing.")] = Path(),
    inject: Annotated[
        list[str] | None,
        typer.Option(
            "--inject",
            metavar="CAUSE:SYMBOL",
            autocompletion=completion.causes,
            help="Put a named defect into the raw files; repeatable.",
        ),
    ] = None,
    list_causes: Annotated[bool, typer.Option("--causes", help="List the defects that can be injected.")] = False,
    json: Json = False,
) -> int:
    """Fill a folder with the simulated two-vendor market: raw files, ctl.toml, the locked profile.

    Example: [cyan]ctl demo /tmp/mixup --inject wrong-commodity:PL && ctl gate -w /tmp/mixup[/cyan] (exit 2)
    """
    from ctl.cli.workspace_commands import demo as run

    return run(folder, inject or [], list_causes=list_causes, json=json)


@app.command(rich_help_panel=BEGIN)
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Folder of the workspace; made if missing.")
    ] = Path(),
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", exists=True, file_okay=False, metavar="DIR", help="Where the data files lie. Default: FOLDER."
        ),
    ] = None,
    symbol: Annotated[
        list[str] | None,
        typer.Option("--symbol", help="Only this symbol (repeatable). Default: all with files of two vendors."),
    ] = None,
    canonical: Annotated[
        str | None, typer.Option("--canonical", metavar="VENDOR", help="The vendor to trade on.")
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option("--reference", metavar="VENDOR", help="Compared with it; repeatable, the first decides."),
    ] = None,
    equity: Annotated[
        float | None,
        typer.Option("--equity", min=1.0, max=1e15, help="Money that the risk budget is a share of; sizes orders."),
    ] = None,
    settings: Settings = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: take what is likely, and say so.")] = False,
    json: Json = False,
) -> int:
    """Make a workspace from the files found in a folder: ctl.toml, certificates, and a first profile.

    Without a terminal nothing is asked. A symbol that derives what no profile can expect is watched and does not gate;
    exit 2 where none can gate, or one named by --symbol cannot.

    Example: [cyan]ctl init mydata && ctl gate -w mydata[/cyan]
    """
    from ctl.cli import init_command

    return init_command.init(
        folder, data, symbols=symbol or (), canonical=canonical, references=reference or (), equity=equity,
        settings=settings or (), yes=yes, json=json,
    )  # fmt: skip


def _require_workspace_options(context: typer.Context, allowed: frozenset[str]) -> None:
    """Refuse options that only plain files take: in a workspace its profile and ctl.toml say what they would."""
    from ctl.errors import UsageError

    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "")
        if parameter.name not in allowed and given is not None and given.name == "COMMANDLINE":
            raise UsageError(
                f"{parameter.opts[0]} goes with --contracts only",
                found="symbols of a workspace",
                expected="what ctl.toml and the profile say",
                remedy=f"name the files with --contracts, or leave {parameter.opts[0]} out",
            )


def _roll_policy(
    policy: PolicyOption = "volume",
    days: Days = 2,
    months: Months = None,
    timing: TimingOption = "next_session",
    adjust: AdjustOption = "difference",
    anchor: AnchorOption = "expiry",
    offset: Offset = 0,
    fixed_day: FixedDay = None,
    months_before: MonthsBefore = 0,
    schedule: Schedule = None,
    guard: Guard = str(GUARD_SESSIONS),
    target: Target = "adjacent",
    bridge_holes: BridgeHoles = False,
) -> RollPolicy:
    """The roll policy of plain files, as their options say."""
    from ctl.cli import plain_commands

    chosen = RollPolicy(
        policy, days, months, timing, adjust, anchor, offset, fixed_day, months_before,
        target=target, bridge_holes=bridge_holes,
    )  # fmt: skip
    return plain_commands.roll_policy(chosen, guard, schedule)


def _with_roll_options(command: Callable[..., int]) -> Callable[..., int]:
    """The command with the options of a roll policy where it takes `roll`, which makes the policy of them."""
    shared = signature(_roll_policy, eval_str=True).parameters
    own = dict(signature(command, eval_str=True).parameters)

    @wraps(command)
    def run(**given: Any) -> int:
        options = {name: given.pop(name) for name in shared}
        return command(roll=partial(_roll_policy, **options), **given)

    taken = [each for name, one in own.items() for each in (shared.values() if name == "roll" else (one,))]
    run.__signature__ = Signature(taken)  # type: ignore[attr-defined]  # what the parser reads
    run.__annotations__ = {each.name: each.annotation for each in taken}
    return run


@app.command(rich_help_panel=DATA)
@_with_roll_options
def build(
    context: typer.Context,
    symbols: Annotated[
        list[str] | None, _symbols("Symbols of the workspace. Default: all futures. Not with --contracts.")
    ] = None,
    contracts: Contracts = None,
    root: Root = None,
    roll: Any = None,
    bars: BarsOption = None,
    closes: ClosesOption = None,
    publisher: Publisher = None,
    mapping: Mapping = None,
    calendar: CalendarOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the series and its manifest (with --contracts).")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Write the series as CSV too.")] = False,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Build continuous series and their roll manifests.

    On plain files: [cyan]ctl build --contracts ES*.csv --root ES --months HMUZ --out build[/cyan]
    """
    from ctl.cli import plain_commands, workspace_commands
    from ctl.errors import UsageError

    if contracts:
        if symbols:
            raise UsageError(f"SYMBOL and --contracts do not go together; found {symbols[0]!r} beside --contracts")
        code = plain_commands.build(
            contracts, root, roll(), out, series=SeriesChoice(bars or "daily", closes or "last_trade"),
            publisher=publisher, mapping=mapping, calendar=calendar, csv=csv, json=json,
        )  # fmt: skip
    else:
        _require_workspace_options(context, frozenset({"symbols", "bars", "closes", "csv", "workspace", "json"}))
        code = workspace_commands.build(workspace, symbols or [], bars=bars, closes=closes, csv=csv, json=json)
    return code


@app.command(rich_help_panel=DATA)
def contracts(
    symbol: Annotated[
        str | None,
        typer.Argument(
            metavar="[ROOT]",
            autocompletion=completion.symbols,
            help="A root or symbol of the workspace. Not with --contracts.",
        ),
    ] = None,
    contracts: Contracts = None,
    root: Root = None,
    publisher: Publisher = None,
    mapping: Mapping = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """List a root's contracts: first and last bar, last trade date and first notice day, each with its source.

    On plain files: [cyan]ctl contracts --contracts HG*.csv --root HG[/cyan]
    """
    from ctl.cli import contracts_command
    from ctl.errors import UsageError

    if contracts and symbol is not None:
        raise UsageError(f"ROOT and --contracts do not go together; found {symbol!r} beside --contracts")
    return contracts_command.contracts(
        workspace, symbol, contracts or [], root, publisher=publisher, mapping=mapping, json=json
    )


@app.command(rich_help_panel=PROVE)
@_with_roll_options
def certify(
    context: typer.Context,
    symbols: Annotated[
        list[str] | None, _symbols("Symbols of the workspace. Default: all. Not with --contracts.")
    ] = None,
    contracts: Contracts = None,
    root: Root = None,
    tick: Annotated[float | None, typer.Option("--tick", help="Tick size.")] = None,
    max_day_delta: Annotated[
        int | None,
        typer.Option("--max-day-delta", min=0, max=MOST_SESSIONS, help="Trading days that paired rolls may lie apart."),
    ] = None,
    adjusted: Annotated[
        Path | None,
        typer.Option(
            "--adjusted", exists=True, dir_okay=False, readable=False, help="Reference series, back-adjusted."
        ),
    ] = None,
    unadjusted: Annotated[
        Path | None,
        typer.Option("--unadjusted", exists=True, dir_okay=False, readable=False, help="Reference series, unadjusted."),
    ] = None,
    roll: Any = None,
    bars: BarsOption = None,
    closes: ClosesOption = None,
    publisher: Publisher = None,
    mapping: Mapping = None,
    reference_mapping: Annotated[
        str | None,
        typer.Option("--reference-mapping", metavar="NAME|FILE.toml", help="The same for the reference files."),
    ] = None,
    quote_unit: Annotated[
        str | None, typer.Option("--quote-unit", help="Unit of the prices, for the texts. Default: the root's.")
    ] = None,
    calendar: CalendarOption = None,
    acceptance: Annotated[
        Acceptance | None,
        typer.Option(
            "--acceptance",
            help="Acceptance policy. Default: the profile's, else v1. Another than the profile's is only shown.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the certificate and its tables (with --contracts).")
    ] = None,
    as_of: AsOf = None,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference", metavar="VENDOR", help="Compare with this vendor. Another than the deciding is only shown."
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell the story: verdict, causes, what would change it.")
    ] = False,
    power: Annotated[
        bool,
        typer.Option("--power", help="No data: inject growing defects into a generated pair, say what is detected."),
    ] = False,
    html: Html = None,
    table: TableFile = None,
    jobs: Jobs = None,
    cluster: Cluster = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Certify symbols against their reference: ACCEPT, WATCH or REJECT, with every reason.

    Exit 0 when the certificate could be made, whatever it says: only the gate decides whether anything runs.

    Plain files: [cyan]ctl certify --contracts HG*.csv --root HG --tick 0.05 --max-day-delta 3 \\
    --adjusted A.csv --unadjusted U.csv[/cyan]
    """
    from ctl.errors import UsageError

    if power:
        if symbols or contracts or adjusted or unadjusted or as_of or out or explain:
            raise UsageError("--power reads no data: only --json goes with it")
        from ctl.cli import power_command

        return power_command.run(json=json)
    from ctl.cli import plain_commands, workspace_commands

    if contracts:
        if symbols:
            raise UsageError(f"SYMBOL and --contracts do not go together; found {symbols[0]!r} beside --contracts")
        if reference is not None:
            raise UsageError("--reference names a vendor of a workspace", remedy="give --adjusted and --unadjusted")
        code = plain_commands.certify(
            contracts, root, roll(), series=SeriesChoice(bars or "daily", closes or "last_trade"),
            tick=tick, max_day_delta=max_day_delta, adjusted=adjusted, unadjusted=unadjusted, publisher=publisher,
            mapping=mapping, reference_mapping=reference_mapping,
            quote_unit=quote_unit, calendar=calendar, acceptance=acceptance or "v1",
            out=out, as_of=as_of, explain=explain, json=json, html=html, table=table,
        )  # fmt: skip
    else:
        allowed = frozenset(
            {"symbols", "acceptance", "bars", "closes", "as_of", "reference", "explain", "workspace", "json"}
            | {"html", "table", "jobs", "cluster"}
        )
        _require_workspace_options(context, allowed)
        code = workspace_commands.certify(
            workspace, symbols or [], acceptance=acceptance, bars=bars, closes=closes, as_of=as_of,
            reference=reference, explain=explain, json=json, html=html, table=table, jobs=jobs, cluster=cluster,
        )  # fmt: skip
    return code


@app.command(rich_help_panel=WEEK)
def report(
    symbol: Annotated[
        list[str] | None,
        typer.Option(
            "--symbol",
            autocompletion=completion.symbols,
            help="Only this symbol (repeatable). Default: all of the profile.",
        ),
    ] = None,
    first: Annotated[
        str | None, _date("--from", "Show sessions, trades and runs from this date on (inclusive).")
    ] = None,
    last: Annotated[str | None, _date("--to", "Show them up to this date (inclusive).")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", dir_okay=False, metavar="FILE", help="Default: report.html in the cycle's folder."),
    ] = None,
    include_non_gating: NonGating = False,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Write one HTML file: verdict, what changed, money, each symbol, orders, runs. Works from disk, without a network.

    Exit 2 where the gate refuses; the report then says why.

    Example: [cyan]ctl report --out report.html[/cyan]
    """
    from ctl.cli import report_commands

    options = report_commands.asked(symbol or (), first, last, include_non_gating=include_non_gating)
    return report_commands.report(workspace, out, options, json=json)


@app.command(rich_help_panel=WEEK)
def serve(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on. Default: this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65_535, help="Port to listen on.")] = 8321,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="A name that the host is reached by beside localhost; repeatable."),
    ] = None,
    workspace: Workspace = None,
) -> int:
    """Serve the report live and read-only: made anew when a file it rests on has changed.

    Needs the extra: [cyan]pip install 'ctl-cutover[serve]'[/cyan]. Narrowed by its address: /?symbol=ES&from=2024-01-01
    """
    from ctl.cli import report_commands

    return report_commands.serve(workspace, host, port, name or ())


@app.command(rich_help_panel=BEGIN)
def mapping(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=False, metavar="FILE", help="A vendor's CSV.")
    ],
    json: Json = False,
) -> int:
    """Propose a mapping for a file whose header is not known, and show the first rows that it reads.

    Example: [cyan]ctl mapping GCJ24.csv > barchart.toml[/cyan]
    """
    from ctl.cli import plain_commands

    return plain_commands.mapping(file, json=json)


@app.command(rich_help_panel=TRY)
def backtest(
    bars: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=False, metavar="BARS.csv", help="Daily bars.")
    ],
    slippage: Annotated[
        float, typer.Option("--slippage", min=0.0, max=1e9, help="Slippage per side, in price units.")
    ] = 0.0,
    tick: Annotated[float | None, typer.Option("--tick", help="Tick size, where known.")] = None,
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="Symbol to run where a Databento file holds several.")
    ] = None,
    publisher: Publisher = None,
    mapping: Mapping = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            metavar="NAME=VALUE",
            autocompletion=completion.parameters,
            help="A B1 parameter in its registered range; repeatable.",
        ),
    ] = None,
    unregistered: Annotated[bool, typer.Option("--unregistered", help="Allow parameters out of their range.")] = False,
    lots: Annotated[int, typer.Option("--lots", min=1, max=1_000_000, help="Whole lots for r_actual.")] = 3,
    timeframe: TimeframeOption = "daily",
    calendar: Annotated[
        str, typer.Option("--calendar", help="Exchange calendar that ends weeks and months: XNYS, CMES, ... or none.")
    ] = "none",
    actions: Annotated[
        Path | None,
        typer.Option("--actions", exists=True, dir_okay=False, readable=False, help="Splits and dividends of a share."),
    ] = None,
    drop_bad_bars: Annotated[
        bool,
        typer.Option("--drop-bad-bars", help="Leave out bars that cannot be, and say how many, instead of refusing."),
    ] = False,
    first: Annotated[
        str | None, _date("--from", "Use only sessions from this date on (YYYY-MM-DD, inclusive).")
    ] = None,
    last: Annotated[str | None, _date("--to", "Use only sessions up to this date (inclusive).")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the document, the trades and the triggers.")
    ] = None,
    html: Html = None,
    table: TableFile = None,
    json: Json = False,
) -> int:
    """Run B1 over one series of daily bars and show its triggers, trades and metrics.

    Example: [cyan]ctl backtest bars.csv --tick 0.25 --slippage 0.25 --param slope_threshold=6[/cyan]
    """
    from ctl.cli import plain_commands

    return plain_commands.backtest(
        bars, symbol=symbol, publisher=publisher, mapping=mapping, slippage=slippage, tick=tick, param=param or [],
        unregistered=unregistered, lots=lots, timeframe=timeframe, calendar=calendar, actions=actions,
        drop_bad_bars=drop_bad_bars, first=first, last=last, out=out, json=json, html=html, table=table,
    )  # fmt: skip


@app.command(rich_help_panel=WEEK)
def gate(
    profile: Profile = None,
    as_of: AsOf = None,
    jobs: Jobs = None,
    cluster: Cluster = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Re-derive the locked state from the data now on disk. Exit 0 only if every lock and status holds."""
    from ctl.cli import workspace_commands

    return workspace_commands.gate(workspace, profile, as_of=as_of, jobs=jobs, cluster=cluster, json=json)


@app.command(rich_help_panel=WEEK)
def run(
    profile: Profile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan and check; run nothing, write no summary.")] = False,
    include_non_gating: NonGating = False,
    timeframe: TimeframeOption = "daily",
    as_of: AsOf = None,
    jobs: Jobs = None,
    cluster: Cluster = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Run the B1 portfolio behind the gate; nothing runs on exit 2."""
    from ctl.cli import workspace_commands
    from ctl.cli.arguments import day
    from ctl.run_orchestrator import RunOptions

    options = RunOptions(dry_run, include_non_gating, timeframe, day(as_of), profile, jobs=jobs, cluster=cluster)
    return workspace_commands.run(workspace, options, json=json)


@app.command(rich_help_panel=WEEK)
def orders(
    profile: Profile = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", dir_okay=False, metavar="FILE", help="Write the orders as CSV too.")
    ] = None,
    table: TableFile = None,
    timeframe: TimeframeOption = "daily",
    as_of: AsOf = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """What to do at the next open: entries, exits, resting targets, with size. Gate first; exit 2 gives none."""
    from ctl.cli import order_commands
    from ctl.cli.arguments import day
    from ctl.run_orchestrator import RunOptions

    options = RunOptions(timeframe=timeframe, as_of=day(as_of), profile=profile, record=False)
    return order_commands.orders(workspace, options, csv=csv, json=json, table=table)


@app.command(rich_help_panel=WEEK)
def paper(workspace: Workspace = None, json: Json = False) -> int:
    """The live-sim ledger: orders of earlier runs settled on the bars that came since, beside the backtest."""
    from ctl.cli import order_commands

    return order_commands.paper(workspace, json=json)


@app.command(rich_help_panel=WEEK)
def ops(
    profile: Profile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Everything but the strategy run and removals.")] = False,
    notify: Annotated[NotifyMode, typer.Option("--notify", help="Where the notification goes.")] = "none",
    webhook_url: Annotated[
        str | None, typer.Option("--webhook-url", help="Before CTL_OPS_WEBHOOK_URL and OPS_WEBHOOK_URL. Never logged.")
    ] = None,
    retention_days: Annotated[
        int, typer.Option("--retention-days", min=1, max=36_500, help="Age limit of old files.")
    ] = 45,
    retention_max_files: Annotated[
        int | None,
        typer.Option("--retention-max-files", min=1, max=1_000_000, help="Runs and logs to keep at most, each."),
    ] = None,
    retention_max_mb: Annotated[
        float | None,
        typer.Option("--retention-max-mb", min=0.0, max=1e9, help="Megabytes of runs and logs to keep at most."),
    ] = None,
    include_non_gating: NonGating = False,
    timeframe: TimeframeOption = "daily",
    if_missed: Annotated[
        bool, typer.Option("--if-missed", help="Only where the installed schedule's last slot was not served.")
    ] = False,
    log_format: Annotated[LogFormat, typer.Option("--log-format", help="What stderr says of the cycle.")] = "text",
    scheduled: Annotated[
        bool, typer.Option("--scheduled", help="Serve the installed schedule's slot: once, whichever machine is first.")
    ] = False,
    metrics: Annotated[
        Path | None,
        typer.Option("--metrics", dir_okay=False, metavar="FILE", help="Write a Prometheus textfile of the cycle."),
    ] = None,
    as_of: AsOf = None,
    jobs: Jobs = None,
    cluster: Cluster = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """The weekly cycle: gate, run, ops log, notification, retention. This is what a scheduler calls."""
    import os

    from ctl import ops_notifier
    from ctl.channels.apprise import URLS_VARIABLE, split_urls
    from ctl.cli import schedule_commands, workspace_commands
    from ctl.cli.arguments import day
    from ctl.ops.retention import RetentionLimits
    from ctl.ops.weekly import WeeklyOptions
    from ctl.run_orchestrator import RunOptions

    if if_missed and not schedule_commands.missed(workspace, json=json):
        return 0
    options = WeeklyOptions(
        run=RunOptions(dry_run, include_non_gating, timeframe, day(as_of), profile, jobs=jobs, cluster=cluster),
        notify=notify,
        webhook_url=ops_notifier.resolve_url(webhook_url, os.environ),
        notify_urls=split_urls(os.environ.get(URLS_VARIABLE)),
        ping_url=os.environ.get("CTL_OPS_PING_URL") or None,
        registry_url=os.environ.get("CTL_REGISTRY_URL") or None,
        vendor_key=os.environ.get("DATABENTO_API_KEY") or None,
        metrics=metrics,
        retention=RetentionLimits(days=retention_days, max_files=retention_max_files, max_mb=retention_max_mb),
    )
    return workspace_commands.ops(workspace, options, scheduled=scheduled, log_format=log_format, json=json)


@app.command(rich_help_panel=LOCK)
def plan(settings: Settings = None, workspace: Workspace = None, json: Json = False) -> int:
    """Show what the data, and settings tried, now derive against the lock; nothing is changed.

    Example: [cyan]ctl plan --set ES.series.closes=settlement[/cyan]
    """
    from ctl.cli import lock_commands

    return lock_commands.plan(workspace, settings or [], json=json)


@app.command(rich_help_panel=LOCK)
def lock(
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; goes into the decision log.")],
    next_action: Annotated[
        list[str] | None, typer.Option("--next", metavar="TEXT", help="A next action for the decision log; repeatable.")
    ] = None,
    settings: Settings = None,
    cycle: Annotated[
        str | None,
        typer.Option("--cycle", metavar="NAME", help="Open a new cycle of this name; profile and ctl.toml name it."),
    ] = None,
    sign: Sign = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Write the next version of the profile from what the data derive, record the decision, put it in force.

    The old version stays beside it. Refused (exit 2) where a gating symbol derives REJECT or ERROR.

    Example: [cyan]ctl plan && ctl lock --reason "Vendor restated June; reviewed with the desk"[/cyan]
    """
    from ctl.cli import lock_commands

    return lock_commands.lock(
        workspace, settings or [], reason=reason, next_actions=next_action or [], cycle=cycle, sign=sign or [],
        json=json,
    )  # fmt: skip


@app.command(rich_help_panel=LOCK)
def decide(
    decision: Annotated[str, typer.Option("--decision", metavar="TEXT", help="What was decided.")],
    rationale: Annotated[str, typer.Option("--rationale", metavar="TEXT", help="Why.")],
    scope: Annotated[str, typer.Option("--scope", metavar="TEXT", help="Default: that of the profile in force.")] = "",
    inputs: Annotated[
        list[str] | None, typer.Option("--input", metavar="TEXT", help="What it rests on; repeatable.")
    ] = None,
    impact: Annotated[str, typer.Option("--impact", metavar="TEXT", help="What it changes at the gate.")] = "",
    next_action: Annotated[
        list[str] | None, typer.Option("--next", metavar="TEXT", help="A next action; repeatable.")
    ] = None,
    sign: Sign = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Append a decision to the decision log; it cites the profile in force and the certificates it was locked on.

    Example: [cyan]ctl decide --decision "ES stays WATCH" --rationale "settlements are reviewed in May"[/cyan]
    """
    from ctl.cli import governance_commands

    return governance_commands.decide(
        workspace, decision=decision, rationale=rationale, scope=scope, inputs=inputs or [], impact=impact,
        next_actions=next_action or [], sign=sign or [], json=json,
    )  # fmt: skip


@app.command(rich_help_panel=LOCK)
def closeout(
    check: Annotated[
        bool, typer.Option("--verify", help="Derive every claim anew; exit 2 where one does not hold.")
    ] = False,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Write the cycle's closeout from state, with the proof of a dry weekly run."""
    from ctl.cli import governance_commands

    return governance_commands.closeout(workspace, _options(), check=check, json=json)


def _options() -> dict[str, frozenset[str]]:
    """Every command's options, as a closeout's checks name them."""
    found = typer.main.get_command(app)
    commands = getattr(found, "commands", {})
    return {name: frozenset(opt for each in item.params for opt in each.opts) for name, item in commands.items()}


@app.command(rich_help_panel=PROVE)
def promote(
    symbol: Annotated[
        str | None,
        typer.Argument(
            metavar="[SYMBOL]",
            autocompletion=completion.symbols,
            help="A gating symbol. Default: all, by what stands in their way.",
        ),
    ] = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """What stands between a symbol and its next status, and the `ctl lock --set ...` that would do it.

    Other series of ours, and roll policies chosen on the earlier part of history and scored on the later. Proposes,
    never applies; limits are never a candidate.

    Example: [cyan]ctl promote ES[/cyan]
    """
    from ctl.cli import promote_command

    return promote_command.promote(workspace, symbol, json=json)


@app.command(rich_help_panel=LOCK)
def verify(
    render: Annotated[
        bool, typer.Option("--render", help="First write the rendered document anew from the log.")
    ] = False,
    key: Annotated[
        list[Path] | None,
        typer.Option(
            "--key",
            exists=True,
            dir_okay=False,
            metavar="PUB",
            help="Public key that the lock in force has to be signed with (not the profile's signers); repeatable.",
        ),
    ] = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Check the decision log: its chain, its document, the files it cites, signatures. Exit 2 names what is wrong."""
    from ctl.cli import lock_commands

    return lock_commands.verify(workspace, render=render, keys=key or [], json=json)


@app.command(rich_help_panel=PROVE)
def replay(
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First session (YYYY-MM-DD, inclusive).")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last session (YYYY-MM-DD, inclusive).")],
    every: Annotated[Every, typer.Option("--every", help="Ask the gate as of each week's last session.")] = "week",
    profile: Profile = None,
    jobs: Jobs = None,
    cluster: Cluster = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Ask the gate as of past weeks, on the sessions knowable then: when would it have blocked? Writes nothing.

    Example: [cyan]ctl replay --from 2025-01-01 --to 2025-12-31[/cyan]
    """
    from ctl.cli import lock_commands

    return lock_commands.replay(workspace, profile, first=first, last=last, jobs=jobs, cluster=cluster, json=json)


@app.command(rich_help_panel=DATA)
def revisions(
    symbol: Annotated[
        str, typer.Argument(metavar="SYMBOL", autocompletion=completion.symbols, help="A symbol of the workspace.")
    ],
    session: Annotated[
        str | None, typer.Argument(metavar="[SESSION]", help="Only this session (YYYY-MM-DD), with all its bars.")
    ] = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Every reading of past bars that the workspace kept (locks, passed gates, now), and how often a vendor restates.

    Example: [cyan]ctl revisions ES 2024-05-15[/cyan]
    """
    from ctl.cli import revisions_command

    return revisions_command.revisions(workspace, symbol, session, json=json)


@app.command(rich_help_panel=DATA)
def doctor(
    symbols: Annotated[list[str] | None, _symbols("Symbols of the workspace. Default: all.")] = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """What is missing, stale, unfinished or unreadable, with the command that mends it. Exit 1 where something is."""
    from ctl.cli import data_commands

    return data_commands.doctor(workspace, symbols or [], json=json)


data_app = Commands(help="What the workspace's files hold.", no_args_is_help=True)
app.add_typer(data_app, name="data", rich_help_panel=DATA)


@data_app.command("list")
def data_list(workspace: Workspace = None, json: Json = False) -> int:
    """Every symbol's data: which vendor, from when to when, how fresh. Exit 1 where some cannot be read."""
    from ctl.cli import data_commands

    return data_commands.listed(workspace, [], details=False, json=json)


@data_app.command("show")
def data_show(
    symbols: Annotated[list[str] | None, _symbols("Symbols of the workspace. Default: all.")] = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """The same with bases, files, counts and notes: which file was taken, what was folded and left out."""
    from ctl.cli import data_commands

    return data_commands.listed(workspace, symbols or [], details=True, json=json)


@data_app.command("head")
def data_head(
    symbol: Annotated[str, typer.Argument(autocompletion=completion.symbols, help="A symbol of the workspace.")],
    vendor: Annotated[
        str | None, typer.Option("--vendor", metavar="NAME", help="Its canonical vendor (default) or a reference.")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, max=100_000, help="How many bars.")] = 10,
    last: Annotated[bool, typer.Option("--last", help="The newest instead of the oldest.")] = False,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Bars of a symbol as they are read, as CSV."""
    from ctl.cli import data_commands

    return data_commands.head(workspace, symbol, vendor=vendor, rows=rows, last=last, json=json)


profile_app = Commands(help="Operating profiles.", no_args_is_help=True)
app.add_typer(profile_app, name="profile", rich_help_panel=LOCK)


@profile_app.command("diff")
def profile_diff(
    old: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="A", help="A profile.")],
    new: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="B", help="The profile compared to it.")],
    json: Json = False,
) -> int:
    """What B says otherwise than A, key by key; comments and layout do not count. Exit 2 for a bad file."""
    from ctl.cli import lock_commands

    return lock_commands.profile_diff(old, new, json=json)


@app.command(rich_help_panel=TRY)
def research(
    symbols: Annotated[list[str] | None, _symbols("Symbols of the workspace, gating or not. Default: all.")] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy",
            metavar="NAME",
            autocompletion=completion.strategies,
            help="An installed strategy; repeatable. Default: b1.",
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            metavar="NAME=VALUE,...",
            autocompletion=completion.parameters,
            help="Values to try beside the registered; repeatable.",
        ),
    ] = None,
    unregistered: Annotated[bool, typer.Option("--unregistered", help="Allow parameters out of their range.")] = False,
    timeframe: TimeframeOption = "daily",
    as_of: AsOf = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write the document and the trades there; else nothing is written."),
    ] = None,
    jobs: Jobs = None,
    cluster: Cluster = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Strategies and parameters side by side over the workspace's symbols. Asks no gate and never touches the run.

    Example: [cyan]ctl research PA AAPL --param slope_threshold=6,8,10 --out research/slope[/cyan]
    """
    from ctl.cli import research_commands

    return research_commands.research(
        workspace, symbols or [], strategy=strategy or [], param=param or [], unregistered=unregistered,
        timeframe=timeframe, as_of=as_of, out=out, jobs=jobs, cluster=cluster, json=json,
    )  # fmt: skip


@app.command(rich_help_panel=TRY)
def lookahead(
    strategy: Annotated[
        str, typer.Argument(autocompletion=completion.strategies, help="An installed strategy, such as b1.")
    ],
    symbols: Annotated[
        list[str] | None, _symbols("Symbols of the workspace to try it on. Default: those that gate.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            metavar="NAME=VALUE",
            autocompletion=completion.parameters,
            help="Other parameters than the registered; repeatable.",
        ),
    ] = None,
    timeframe: TimeframeOption = "daily",
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Does a strategy know the future? Run on bars that end at every bar; exit 1 names the first value that changes.

    Example: [cyan]ctl lookahead b1 ES[/cyan]
    """
    from ctl.cli import research_commands

    return research_commands.lookahead(
        workspace, strategy, symbols or [], param=param or [], timeframe=timeframe, json=json
    )


calibrate_app = Commands(help="Estimate what a profile says; nothing is changed.", no_args_is_help=True)
app.add_typer(calibrate_app, name="calibrate", rich_help_panel=TRY)


@calibrate_app.callback()
def calibrate() -> None:
    """Estimate what a profile says; nothing is changed."""


@calibrate_app.command("slippage")
def calibrate_slippage(
    symbols: Annotated[list[str] | None, _symbols("Symbols of the workspace. Default: those that gate.")] = None,
    fills: Annotated[
        Path | None,
        typer.Option(
            "--fills",
            exists=True,
            dir_okay=False,
            metavar="FILE.csv",
            help="Fills: session,symbol,side,quantity,price[,order_type,contract,reference]; order_type market, "
            "stop or limit; without a reference the session's open.",
        ),
    ] = None,
    lots: Annotated[int, typer.Option("--lots", min=1, max=1_000_000, help="Size traded at once (from bars).")] = 3,
    as_of: AsOf = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Slippage per side with its uncertainty, from fills or from daily bars, beside what the profile locks.

    Example: [cyan]ctl calibrate slippage ES --fills fills.csv[/cyan]
    """
    from ctl.cli import calibrate_commands

    return calibrate_commands.slippage(workspace, symbols or [], fills=fills, lots=lots, as_of=as_of, json=json)


@app.command(rich_help_panel=DATA)
def fetch(
    symbols: Annotated[list[str] | None, _symbols("Symbols; none: all whose canonical vendor is Databento.")] = None,
    first: Annotated[str | None, _date("--from", "First UTC day; default: that of the files there.")] = None,
    last: Annotated[str | None, _date("--to", "Last UTC day, inclusive; default: the last that is over.")] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="ID", help="Dataset, e.g. XNAS.ITCH; default: the exchange's.")
    ] = None,
    schema: Annotated[
        list[Bought] | None,
        typer.Option("--schema", help="Only this schema (repeatable); default: those that the symbol has files of."),
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Show what is missing and its price; buy nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Buy without asking.")] = False,
    max_cost: Annotated[
        float | None,
        typer.Option("--max-cost", min=0.0, max=1e9, metavar="USD", help="Buy nothing where it costs more."),
    ] = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Buy what is missing from Databento (DATABENTO_API_KEY): priced first, resumed where it stopped."""
    from ctl.cli import fetch_command

    return fetch_command.fetch(
        workspace, symbols or (), first=first, last=last, dataset=dataset,
        schemas=[item.value for item in schema or ()], estimate=estimate, yes=yes,
        max_cost=max_cost, json=json,
    )  # fmt: skip


@app.command(rich_help_panel=BEGIN)
def glossary(json: Json = False) -> int:
    """What each word of this project means."""
    from ctl.cli import glossary as words
    from ctl.cli import output, screens
    from ctl.model.documents import document
    from ctl.model.printed import Glossary

    if json:
        output.print_json(document(Glossary(terms=dict(words.TERMS))))
    else:
        screens.show(lambda on: words.lines(on.width), plain=True)
    return 0


@app.command(rich_help_panel=WEEK)
def status(workspace: Workspace = None, json: Json = False) -> int:
    """How it stands: last runs, next slot, each symbol beside its lock, rolls due, undelivered messages."""
    from ctl.cli import runs_commands

    return runs_commands.status(workspace, json=json)


runs_app = Commands(no_args_is_help=True, help="The run registry.")
app.add_typer(runs_app, name="runs", rich_help_panel=RUNS)


@runs_app.command("list")
def runs_list(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="How many at most.")] = 20,
    dry_run: Annotated[
        bool | None, typer.Option("--dry-run/--real", help="Only dry runs, or only real ones.", show_default=False)
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that did not end well.")] = False,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="Those of other machines in CTL_REGISTRY_URL too.")
    ] = False,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """The newest runs."""
    from ctl.cli import runs_commands

    return runs_commands.listed(
        workspace, limit=limit, dry_run=dry_run, failed=failed, everywhere=everywhere, json=json
    )


@runs_app.command("show")
def runs_show(
    name: Annotated[
        str, typer.Argument(metavar="RUN", autocompletion=completion.runs, help="A name of `ctl runs list`, or last.")
    ] = "last",
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """One run: how it ended, each symbol, where its summary lies."""
    from ctl.cli import runs_commands

    return runs_commands.show(workspace, name, json=json)


@runs_app.command("compare")
def runs_compare(
    old: Annotated[str, typer.Argument(metavar="A", autocompletion=completion.runs, help="A run.")],
    new: Annotated[
        str, typer.Argument(metavar="B", autocompletion=completion.runs, help="The run compared to it, or last.")
    ],
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """What run B says otherwise than run A."""
    from ctl.cli import runs_commands

    return runs_commands.compare(workspace, old, new, json=json)


schedule_app = Commands(no_args_is_help=True, help="The weekly slot: cron, systemd or launchd.")
app.add_typer(schedule_app, name="schedule", rich_help_panel=RUNS)


@schedule_app.command("install")
def schedule_install(
    cron: Annotated[bool, typer.Option("--cron", help="Lines in the user's crontab.")] = False,
    systemd: Annotated[bool, typer.Option("--systemd", help="A user timer, Persistent=true.")] = False,
    launchd: Annotated[bool, typer.Option("--launchd", help="A launch agent (macOS).")] = False,
    at: Annotated[str, typer.Option("--at", help="Weekday and time.")] = "Sun 16:00",
    tz: Annotated[
        str | None,
        typer.Option("--tz", metavar="ZONE", help="Zone of --at, e.g. America/Chicago; default: the machine's."),
    ] = None,
    notify: Annotated[NotifyMode, typer.Option("--notify", help="Where the notification goes.")] = "webhook",
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Write the units of the weekly cycle, check them with the scheduler's own tool, switch them on."""
    from ctl.cli import schedule_commands

    kinds = [name for name, asked in (("cron", cron), ("systemd", systemd), ("launchd", launchd)) if asked]
    return schedule_commands.install(workspace, kinds, at=at, tz=tz, notify=notify, json=json)


@schedule_app.command("show")
def schedule_show(workspace: Workspace = None, json: Json = False) -> int:
    """The units that are installed."""
    from ctl.cli import schedule_commands

    return schedule_commands.show(workspace, json=json)


@schedule_app.command("status")
def schedule_status(workspace: Workspace = None, json: Json = False) -> int:
    """Last and next slot, and a missed one."""
    from ctl.cli import schedule_commands

    return schedule_commands.status(workspace, json=json)


@schedule_app.command("remove")
def schedule_remove(
    name: Annotated[
        str | None,
        typer.Option("--name", help="Units that a workspace which is gone left behind, as `ctl schedule status` says."),
    ] = None,
    workspace: Workspace = None,
    json: Json = False,
) -> int:
    """Take the schedule away."""
    from ctl.cli import schedule_commands

    return schedule_commands.remove(workspace, name=name, json=json)


@app.command(hidden=True)
def schemas(
    folder: Annotated[Path, typer.Argument(help="Folder of the JSON Schemas.")] = Path("docs/schemas"),
    pages: Annotated[
        Path | None, typer.Option("--pages", metavar="DIR", help="Write the pages made of the models there too.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Compare only; exit 1 where one differs.")] = False,
) -> int:
    """Write the JSON Schemas of every published document, and the pages of every key."""
    from ctl.cli import schemas as published

    return published.write(folder, pages, check_only=check)
