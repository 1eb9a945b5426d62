"""Buying what a workspace lacks from Databento: planned, priced, then fetched file by file.

A file holds one schema of one symbol over whole UTC days and bears them in its name, as the vendor's own files do
(`glbx-mdp3-20180102-20181231.ohlcv-1d.dbn.zst`). It gets that name only when it is whole, so what is there is known
from the names: a second call buys nothing again, and one that was stopped goes on where it ended.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from ctl import stopping
from ctl.errors import CtlError, InputError, UsageError, WorkspaceError
from ctl.flows import inputs, vendor_files

if TYPE_CHECKING:
    from ctl.store import SymbolConfig, Workspace

KEY: Final = "DATABENTO_API_KEY"
# Another address of the same API: a team's proxy, or the server that the tests start.
GATEWAY: Final = "DATABENTO_GATEWAY"
Schema = Literal["ohlcv-1d", "definition", "statistics", "ohlcv-1h"]

_DATASETS: Final = {
    "CME": "GLBX.MDP3", "CBOT": "GLBX.MDP3", "NYMEX": "GLBX.MDP3", "COMEX": "GLBX.MDP3",
    "ICEEU": "IFEU.IMPACT", "ICEUS": "IFUS.IMPACT",
}  # fmt: skip
_ONE_DAY: Final = timedelta(days=1)
_TRIES: Final = 4
# A symbol and its dates take some hundred bytes of the head of a file: no product has as many contracts.
_METADATA: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Purchase:
    """One file to buy: a schema of one symbol over UTC days, `first` to `last`, both inclusive."""

    symbol: str
    dataset: str
    called: str
    symbology: Literal["parent", "raw_symbol"]
    schema: Schema
    first: date
    last: date
    folder: Path

    @property
    def path(self) -> Path:
        """Where the file will stand."""
        dataset = self.dataset.lower().replace(".", "-")
        return self.folder / f"{dataset}-{self.first:%Y%m%d}-{self.last:%Y%m%d}.{self.schema}.dbn.zst"

    @property
    def asked(self) -> dict[str, Any]:
        """The arguments of the vendor's client; its end is exclusive."""
        return {
            "dataset": self.dataset,
            "symbols": self.called,
            "stype_in": self.symbology,
            "schema": self.schema,
            "start": self.first.isoformat(),
            "end": (self.last + _ONE_DAY).isoformat(),
        }


def plan(
    workspace: Workspace, symbols: Sequence[str], *, instant: datetime, first: date | None = None,
    last: date | None = None, dataset: str | None = None,
    schemas: Sequence[str] = (),
) -> tuple[Purchase, ...]:  # fmt: skip
    """What is missing of these symbols, a calendar year a file at most, in a fixed order; nothing is asked for yet.

    first: None is the first day of the files that are there. last (inclusive): None, or a later one, is the last UTC
    day that is over at `instant`. schemas: none is daily bars, definitions, and settlements and hourly bars where the
    symbol has a folder of them. Raises UsageError for a symbol that the vendor does not deliver.
    """
    over = instant.astimezone(UTC).date() - _ONE_DAY
    last = over if last is None else min(last, over)
    return tuple(
        purchase
        for symbol in symbols
        for schema, folder in _folders(workspace, symbol, schemas)
        if not schemas or schema in schemas
        for purchase in _missing(workspace, symbol, schema, folder, first, last, dataset)
    )


def _folders(workspace: Workspace, symbol: str, named: Sequence[str]) -> Iterator[tuple[Schema, Path]]:
    """Each schema of the symbol with its folder."""
    config = workspace.symbol(symbol)
    vendor = workspace.vendors[config.canonical]
    if vendor.format != "databento":
        raise UsageError(
            "cannot be fetched", where=symbol, found=f"format {vendor.format} of vendor {vendor.name}",
            expected="databento", remedy=f"name other symbols, or put {vendor.name}'s files into {vendor.path}",
        )  # fmt: skip
    daily = vendor_files.folder_to_fill(workspace, config, vendor, "contracts")
    if daily is None:
        return
    yield "ohlcv-1d", daily
    if config.asset_class == "future":
        yield "definition", daily
        beside: tuple[tuple[Schema, vendor_files.PerContract], ...] = (
            ("statistics", "statistics"),
            ("ohlcv-1h", "intraday"),
        )
        for schema, key in beside:
            folder = vendor_files.folder_to_fill(workspace, config, vendor, key)
            if folder is not None and (schema in named or folder.is_dir()):
                yield schema, folder


def _missing(
    workspace: Workspace, symbol: str, schema: Schema, folder: Path, first: date | None, last: date, dataset: str | None
) -> Iterator[Purchase]:
    config = workspace.symbol(symbol)
    there = covered(folder, schema)
    begin = first or (there[0][0] if there else None)
    if begin is None:
        raise UsageError(f"{symbol} has no {schema} files yet", where=str(folder), remedy="say from when: --from DATE")
    chosen = dataset or _dataset(workspace, config)
    future = config.asset_class == "future"
    called = f"{config.root}.FUT" if future else config.vendor_symbols.get(config.canonical, symbol)
    for start, end in _holes(begin, last, there):
        for piece_first, piece_last in _years(start, end):
            yield Purchase(
                symbol, chosen, called, "parent" if future else "raw_symbol", schema, piece_first, piece_last, folder
            )


def _dataset(workspace: Workspace, config: SymbolConfig) -> str:
    known = inputs.instruments_of(workspace).get(config.root) if config.asset_class == "future" else None
    found = None if known is None else _DATASETS.get(known.exchange)
    if found is None:
        raise UsageError(f"no dataset is known for {config.symbol}", remedy="name it: --dataset XNAS.ITCH")
    return found


def covered(folder: Path, schema: str) -> tuple[tuple[date, date], ...]:
    """The ranges of days (both ends inclusive) that the names of the folder's files state, joined, ascending."""
    pattern = re.compile(rf".+-(\d{{8}})-(\d{{8}})\.{re.escape(schema)}(\..+)?\.(dbn|csv)(\.zst)?")
    stated = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = pattern.fullmatch(path.name)
        if match is not None:
            with suppress(ValueError):  # eight digits that are no date state nothing
                first, last = (
                    datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date() for text in match.group(1, 2)
                )
                stated.append((first, last))
    joined: list[tuple[date, date]] = []
    for first, last in sorted(stated):
        if joined and first <= joined[-1][1] + _ONE_DAY:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def _holes(first: date, last: date, there: Sequence[tuple[date, date]]) -> Iterator[tuple[date, date]]:
    """What of `first` to `last` no range covers."""
    for begin, end in there:
        if first < begin:
            yield first, min(begin - _ONE_DAY, last)
        first = max(first, end + _ONE_DAY)
        if first > last:
            return
    if first <= last:
        yield first, last


def _years(first: date, last: date) -> Iterator[tuple[date, date]]:
    for year in range(first.year, last.year + 1):
        yield max(first, date(year, 1, 1)), min(last, date(year, 12, 31))


class Vendor:
    """Databento's official client, with errors that a person can act on and never the key in one of them."""

    def __init__(self, environment: dict[str, str] | os._Environ[str]) -> None:
        key = environment.get(KEY, "").strip()
        if not key:
            raise UsageError("no key for Databento", remedy=f"set {KEY} (never in a file of the workspace)")
        try:
            import databento
        except ImportError as error:
            raise WorkspaceError(
                "Databento's client is not installed",
                remedy="pip install 'ctl-cutover[databento]'",
                code="NOT_INSTALLED",
            ) from error
        self._key = key
        gateway = environment.get(GATEWAY)
        self._client = databento.Historical(key, gateway) if gateway else databento.Historical(key)

    def available_until(self, dataset: str) -> date:
        """The last UTC day of which the dataset is complete."""
        with self._errors(f"the range of {dataset}"):
            end = str(self._retried(lambda: self._client.metadata.get_dataset_range(dataset))["end"])
            return datetime.fromisoformat(end.replace("Z", "+00:00")[:19]).date() - _ONE_DAY

    def price(self, purchase: Purchase) -> float:
        """What a purchase costs, in USD."""
        with self._errors(f"the price of {purchase.path.name}"):
            return float(self._retried(lambda: self._client.metadata.get_cost(**purchase.asked)))

    def fetch(self, purchase: Purchase) -> Path:
        """Download one file; it stands under its name only when it is whole. Raises CtlError, leaving nothing."""
        purchase.folder.mkdir(parents=True, exist_ok=True)
        temporary = purchase.folder / f".{purchase.path.name}.{secrets.token_hex(4)}.tmp"
        try:
            with self._errors(purchase.path.name):
                self._retried(lambda: self._stream(purchase, temporary))
            _require_whole(temporary, purchase)
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            os.replace(temporary, purchase.path)  # noqa: PTH105 - as in store.files
        finally:
            temporary.unlink(missing_ok=True)
        return purchase.path

    def _stream(self, purchase: Purchase, temporary: Path) -> None:
        temporary.unlink(missing_ok=True)  # the client opens a new file, also when it tries again
        self._client.timeseries.get_range(**purchase.asked, path=temporary).reader.close()

    def _retried(self, call: Any) -> Any:
        import stamina
        from databento.common.error import BentoClientError, BentoError
        from requests.exceptions import RequestException

        def transient(error: Exception) -> bool:
            if isinstance(error, BentoClientError):
                return error.http_status in (408, 429)
            return isinstance(error, BentoError | RequestException)

        for attempt in stamina.retry_context(
            on=transient, attempts=_TRIES, wait_initial=0.2, wait_max=5.0, timeout=None
        ):
            with attempt:
                return call()
        raise AssertionError("retry_context ends by a return or an error")

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except CtlError:
            raise
        except OSError as error:
            if error.errno is None:
                raise self._refused(what, error) from None
            raise WorkspaceError(
                "cannot be written", where=what, found=error.strerror,
                remedy="free space on the disk, then fetch again", code="WRITE_FAILED",
            ) from None  # fmt: skip
        except Exception as error:  # noqa: BLE001 - whatever the client raises may hold the key, and becomes one line
            stopping.check()
            raise self._refused(what, error) from None

    def _refused(self, what: str, error: Exception) -> InputError:
        text = " ".join(str(error).split()).replace(self._key, "***")[:300]
        status = getattr(error, "http_status", None)
        remedy = "fetch again: what is there is kept"
        if status in (401, 403):
            remedy = f"mend {KEY}"
        return InputError("Databento does not deliver", where=what, found=text, remedy=remedy, code="FETCH_FAILED")


def _require_whole(path: Path, purchase: Purchase) -> None:
    """Refuse a download that ends early or answers another question."""
    import databento_dbn

    from ctl.ingest import source

    where = purchase.path.name
    try:
        decoder = databento_dbn.DBNDecoder()
        decoder.write(bytes(memoryview(source.load(path).content)[:_METADATA]))
        metadata = next(record for record in decoder.decode() if isinstance(record, databento_dbn.Metadata))
    except (InputError, StopIteration, ValueError, RuntimeError) as error:
        what = error.what if isinstance(error, InputError) else str(error) or type(error).__name__
        raise InputError(
            "the download is damaged or ends early", where=where, found=what,
            remedy="fetch again: nothing of it was kept", code="FETCH_FAILED",
        ) from None  # fmt: skip
    if str(metadata.schema) != purchase.schema or metadata.limit is not None:
        raise InputError(
            "the download is not what was asked for", where=where, found=f"{metadata.schema}, limit {metadata.limit}",
            expected=f"schema {purchase.schema} without a limit", code="FETCH_FAILED",
        )  # fmt: skip
