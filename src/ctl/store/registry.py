"""The run registry: SQLite in the workspace, or PostgreSQL for a team on several machines, by one code.

It is an index. The files are the record: what the registry lacks is read from them, and one that is lost is made anew.
Slots of a schedule are claimed here; with PostgreSQL an advisory lock, which dies with its connection, guards them.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, IntegrityError, SQLAlchemyError

from ctl import clock
from ctl.digests import sha256_bytes
from ctl.errors import SlotTaken, WorkspaceError
from ctl.model.registry import RunRecord
from ctl.model.run import OPS_ENDING, SUMMARY_ENDING, is_cut_short
from ctl.store.files import remove, replace_whole
from ctl.store.workspace import Workspace

URL_VARIABLE: Final = "CTL_REGISTRY_URL"
INTERRUPTED: Final = "RUN_INTERRUPTED"
FILE_NAME: Final = "registry.sqlite"
_HEAD: Final = "r0001"
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
# A claim whose run has neither ended nor holds its lock is another machine's to take after this: the database may have
# been restarted under a run that still goes on.
TAKEN_OVER_AFTER: Final = timedelta(hours=1)
_MOST_BYTES: Final = 1 << 26

_META: Final = sa.MetaData()
_RUNS: Final = sa.Table(
    "runs",
    _META,
    *(sa.Column(name, sa.Text, primary_key=True) for name in ("workspace", "name")),
    *(sa.Column(name, sa.Text) for name in ("kind", "cycle_id", "begun", "error", "recommendation", "profile")),
    *(sa.Column(name, sa.Text) for name in ("summary_path", "sha256")),
    *(sa.Column(name, sa.Boolean) for name in ("dry_run", "gate_passed", "has_errors")),
    sa.Column("exit_code", sa.Integer),
    sa.Column("data_to", sa.Date),
    sa.Column("seconds", sa.Float),
    sa.Column("symbols", sa.JSON),
)
_SLOTS: Final = sa.Table(
    "slots",
    _META,
    *(sa.Column(name, sa.Text, primary_key=True) for name in ("cycle_id", "slot")),
    *(sa.Column(name, sa.Text) for name in ("workspace", "begun", "ended")),
    sa.Column("exit_code", sa.Integer),
)


class Registry:
    """An open registry of one workspace. Without its database all raises WorkspaceError (REGISTRY_UNAVAILABLE)."""

    def __init__(self, workspace: Workspace, *, url: str | None = None) -> None:
        """url: of PostgreSQL, a secret; None for SQLite in the workspace, in memory where that cannot be written."""
        self._workspace = workspace
        self.label = f"{socket.gethostname()}:{workspace.root}"
        self._engine = _engine(workspace, url)
        with ExitStack() as opened:
            opened.callback(self.close)  # of one that cannot be used no connection stays
            with self._used():
                try:
                    self._migrate()
                except DatabaseError as error:
                    if url is not None or type(error.orig) is not sqlite3.DatabaseError:
                        raise
                    self._set_damaged_aside()  # no database any more: the files are the record
                    self._migrate()
            opened.pop_all()

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()

    # ------------------------------------------------------------ runs

    def _set_damaged_aside(self) -> None:
        self._engine.dispose()
        path = self._workspace.root / ".ctl" / FILE_NAME
        for ending in ("-wal", "-shm"):
            remove(path.with_name(path.name + ending))
        replace_whole(path, path.with_name(f"{FILE_NAME}.damaged"))

    def sync(self) -> None:
        """Take in what the workspace's files say: records that are new, and those that had not ended."""
        with self._used(), self._engine.begin() as connection:
            open_rows = sa.select(_RUNS.c.name, _RUNS.c.kind, _RUNS.c.error, _RUNS.c.sha256).where(
                _RUNS.c.workspace == self.label
            )
            known = {(kind, name): (error, sha256) for name, kind, error, sha256 in connection.execute(open_rows)}
            for record in _changed(self._workspace, self.label, known):
                _put(connection, record)

    def runs(
        self, *, limit: int, dry_run: bool | None = None, failed: bool = False, everywhere: bool = False
    ) -> tuple[RunRecord, ...]:
        """The newest runs of the cycle, newest first. everywhere: those of other workspaces of the database too."""
        query = sa.select(_RUNS).where(_RUNS.c.cycle_id == self._workspace.cycle_id)
        if not everywhere:
            query = query.where(_RUNS.c.workspace == self.label)
        if dry_run is not None:
            query = query.where(_RUNS.c.dry_run == dry_run)
        if failed:
            query = query.where(sa.or_(_RUNS.c.exit_code != 0, _RUNS.c.has_errors))
        query = query.order_by(_RUNS.c.begun.desc(), _RUNS.c.name.desc()).limit(limit)
        with self._used(), self._engine.connect() as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def find(self, name: str) -> RunRecord | None:
        """A run of this workspace by its name; `last` is the newest."""
        if name == "last":
            return next(iter(self.runs(limit=1)), None)
        query = sa.select(_RUNS).where(_RUNS.c.workspace == self.label, _RUNS.c.name == name)
        with self._used(), self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else _record(row)

    # ------------------------------------------------------------ slots

    @contextmanager
    def claimed(self, slot: datetime, *, instant: datetime) -> Iterator[Ending]:
        """Hold a schedule slot while the block runs; the block says how it ended.

        Raises SlotTaken where the slot has been served, also where a log here alone says so, or another run holds it.
        One whose run was stopped before it was on record is free again; a claim that was left without an end is taken
        over: at once in the workspace that made it, unless its log says that the run had ended, elsewhere after
        TAKEN_OVER_AFTER.
        """
        key = (self._workspace.cycle_id, clock.iso(slot))
        ending = Ending()
        with self._used():
            connection = self._engine.connect()
        try:
            with self._used():
                if connection.dialect.name == "postgresql":
                    number = int(sha256_bytes("|".join(key).encode())[:15], 16)
                    if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(number))).scalar():
                        raise SlotTaken(f"another run holds the slot of {key[1]}")
                    connection.commit()
                self._claim(connection, key, instant)
            yield ending
        finally:
            if ending.at:
                try:
                    self._end(connection, key, ending)
                except WorkspaceError as error:
                    ending.problem = error  # the run has ended all the same
            with suppress(SQLAlchemyError):  # the database has gone, and the lock with it
                connection.close()

    def _claim(self, connection: sa.Connection, key: tuple[str, str], instant: datetime) -> None:
        mine = sa.and_(_SLOTS.c.cycle_id == key[0], _SLOTS.c.slot == key[1])
        self._end_left(connection, key[0], instant)
        row = connection.execute(sa.select(_SLOTS).where(mine)).first()
        begun = clock.iso(instant)
        if row is None:
            served = self._served_with(_instant(key[1]), instant)
            if served is not None:  # a registry that was lost, or a run by hand
                raise SlotTaken(f"the slot of {key[1]} was served by {self.label}, exit {served}")
            try:
                connection.execute(
                    _SLOTS.insert().values(cycle_id=key[0], slot=key[1], workspace=self.label, begun=begun)
                )
            except IntegrityError:
                raise SlotTaken(f"another run holds the slot of {key[1]}") from None
        elif row.exit_code is not None:
            connection.commit()
            raise SlotTaken(f"the slot of {key[1]} was served by {row.workspace}, exit {row.exit_code}")
        elif row.ended is not None or instant - _instant(row.begun) > TAKEN_OVER_AFTER:
            connection.execute(_SLOTS.update().where(mine).values(workspace=self.label, begun=begun, ended=None))
        else:
            raise SlotTaken(f"another run holds the slot of {key[1]}: {row.workspace}, since {row.begun}")
        connection.commit()

    def _end_left(self, connection: sa.Connection, cycle_id: str, instant: datetime) -> None:
        """End the claims that killed runs of this workspace left: as served where the run had ended on record, so that
        it is not run a second time.
        """
        left = sa.and_(_SLOTS.c.cycle_id == cycle_id, _SLOTS.c.workspace == self.label, _SLOTS.c.ended.is_(None))
        for row in connection.execute(sa.select(_SLOTS).where(left)).all():
            this = sa.and_(_SLOTS.c.cycle_id == cycle_id, _SLOTS.c.slot == row.slot)
            begun = _instant(row.begun)
            ended = {"ended": clock.iso(instant), "exit_code": self._served_with(begun, begun)}
            connection.execute(_SLOTS.update().where(this).values(**ended))

    def _served_with(self, since: datetime, until: datetime) -> int | None:
        """The exit code of the newest real cycle that began in a time, both ends inclusive, and was not cut short."""
        first, last = clock.stamp(since), clock.stamp(until)
        for name in reversed(_names(self._workspace.ops_logs, OPS_ENDING)):
            begun = name[: len(last)]
            if begun < first:
                break
            found = _read(self._workspace.ops_logs / f"{name}{OPS_ENDING}") if begun <= last else None
            if found is not None and not found[0]["dry_run"] and not is_cut_short(found[0]):
                return int(found[0]["exit_code"])
        return None

    def _end(self, connection: sa.Connection, key: tuple[str, str], ending: Ending) -> None:
        """Put down how a slot ended, on a new connection where the one that claimed it has gone."""
        mine = sa.and_(_SLOTS.c.cycle_id == key[0], _SLOTS.c.slot == key[1])
        change = _SLOTS.update().where(mine).values(ended=ending.at, exit_code=ending.exit_code)
        try:
            connection.execute(change)
            connection.commit()
        except SQLAlchemyError:
            with self._used(), self._engine.begin() as again:
                again.execute(change)

    # ------------------------------------------------------------ schema

    def _migrate(self) -> None:
        with self._engine.connect() as connection:
            if sa.inspect(connection).has_table("alembic_version"):
                version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
                if version == _HEAD:
                    return
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.set_main_option("path_separator", "os")
        with self._engine.begin() as connection:
            # One migrates and the others wait; all of it or nothing: by itself sqlite3 writes every statement for good.
            lock = "BEGIN IMMEDIATE" if self._is_file else "SELECT pg_advisory_xact_lock(7102026)"
            connection.execute(sa.text(lock))
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError:
                version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
                anew = f", or remove .ctl/{FILE_NAME}, which is made anew" if self._is_file else ""
                raise WorkspaceError(
                    "the run registry is of a newer ctl", found=f"version {version}", expected=_HEAD,
                    remedy=f"upgrade ctl{anew}", code="REGISTRY_UNAVAILABLE",
                ) from None  # fmt: skip

    @property
    def _is_file(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    @contextmanager
    def _used(self) -> Iterator[None]:
        """Turn every failure of the database into one error without its address."""
        try:
            yield
        except SQLAlchemyError as error:
            file = f"mend .ctl, or remove {FILE_NAME} there, which is made anew from the files"
            raise WorkspaceError(
                "the run registry cannot be used",
                found=type(getattr(error, "orig", None) or error).__name__,
                remedy=file if self._is_file else f"mend {URL_VARIABLE} or its database; without it a file serves",
                code="REGISTRY_UNAVAILABLE",
            ) from None


class Ending:
    """How a claimed slot ended: set by whoever ran it. exit_code: None where it was not served, and may be claimed
    anew. problem: why the database could not be told, afterwards.
    """

    exit_code: int | None = None
    at: str = ""
    problem: WorkspaceError | None = None

    def put(self, exit_code: int | None, at: datetime) -> None:
        """at: the instant of the end, aware."""
        self.exit_code, self.at = exit_code, clock.iso(at)


def _engine(workspace: Workspace, url: str | None) -> sa.Engine:
    if url is not None:
        address = url.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1)
        try:
            return sa.create_engine(address, pool_pre_ping=True, connect_args={"connect_timeout": 5})
        except (SQLAlchemyError, ImportError, ValueError, TypeError) as error:
            raise WorkspaceError(
                f"{URL_VARIABLE} cannot be used",
                found=type(error).__name__,
                expected="postgresql://user:password@host/database, and pip install 'ctl-cutover[postgresql]'",
                code="REGISTRY_UNAVAILABLE",
            ) from None
    path = workspace.root / ".ctl" / FILE_NAME
    if not _can_write(path):
        return sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 10})

    @sa.event.listens_for(engine, "connect")
    def _begin(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine


def _can_write(path: Path) -> bool:
    """Whether the database can stand there; a regular file, or none yet, in a folder that takes files."""
    try:
        path.parent.mkdir(exist_ok=True)
        free = not path.exists() or (path.is_file() and os.access(path, os.W_OK))
    except OSError:
        return False
    return free and not path.is_symlink() and os.access(path.parent, os.W_OK)


def _put(connection: sa.Connection, record: RunRecord) -> None:
    values = asdict(record) | {"begun": clock.iso(record.begun)}
    mine = sa.and_(_RUNS.c.workspace == record.workspace, _RUNS.c.name == record.name)
    if connection.execute(_RUNS.update().where(mine).values(**values)).rowcount == 0:
        connection.execute(_RUNS.insert().values(**values))


def _record(row: Any) -> RunRecord:
    values = {item.name: getattr(row, item.name) for item in fields(RunRecord)}
    return RunRecord(**values | {"begun": _instant(row.begun)})


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# ---------------------------------------------------------------- files

_KINDS: Final = (("ops", OPS_ENDING), ("run", SUMMARY_ENDING))


def _changed(
    workspace: Workspace, label: str, known: dict[tuple[str, str], tuple[str | None, str]]
) -> Iterator[RunRecord]:
    """Records of files that the registry does not hold as they are. Runs that a cycle's log cites are that cycle's."""
    # A cycle's summary, also where it was killed before citing it.
    cited = set(_names(workspace.ops_logs, OPS_ENDING))
    for kind, ending in _KINDS:
        folder = workspace.ops_logs if kind == "ops" else workspace.run_summaries
        for name in _names(folder, ending):
            before = known.get((kind, name))
            if before is not None and before[0] != INTERRUPTED and kind == "ops":
                continue
            if kind == "run" and (before is not None or name in cited or ("ops", name) in known):
                continue
            found = _read(folder / f"{name}{ending}")
            if found is None:
                continue
            document, sha256 = found
            if kind == "ops" and document.get("summary_path"):
                cited.add(Path(str(document["summary_path"])).name.removesuffix(SUMMARY_ENDING))
            if before is None or before[1] != sha256:
                record = _from_document(kind, name, label, document, sha256)
                if record is not None:
                    yield record


def _names(folder: Path, ending: str) -> Sequence[str]:
    try:
        return sorted(name.removesuffix(ending) for name in os.listdir(folder) if name.endswith(ending))  # noqa: PTH208
    except OSError:
        return ()


def _read(path: Path) -> tuple[dict[str, Any], str] | None:
    """The document and its digest; None for what is no record, which says nothing of a run."""
    try:
        if path.is_symlink() or path.stat().st_size > _MOST_BYTES:
            return None
        data = path.read_bytes()
        document = json.loads(data)
    except (OSError, ValueError):
        return None
    return (document, sha256_bytes(data)) if isinstance(document, dict) else None


def _from_document(kind: str, name: str, label: str, document: dict[str, Any], sha256: str) -> RunRecord | None:
    try:
        error = document.get("error") if kind == "ops" else None
        states = document.get("states", {})
        symbols = (
            document["gate"]
            if kind == "ops"
            else {
                item["symbol"]: {
                    **{key: item.get(key) for key in ("expected", "actual", "passed")},
                    "data_to": min(filter(None, (item["data_to"] or {}).values()), default=None),
                    "mean_drift": (item["metrics"] or {}).get("mean_drift"),
                    **{key: states.get(item["symbol"], {}).get(key) for key in ("roll_to", "roll_by")},
                }
                for item in document["gate_result"]["symbol_results"]
            }
        )
        return RunRecord(
            workspace=label,
            name=name,
            kind="ops" if kind == "ops" else "run",
            cycle_id=document["cycle_id"],
            begun=_instant(document["timestamp"]),
            dry_run=document["dry_run"],
            exit_code=document["exit_code"] if kind == "ops" else 0,
            error=None if error is None else error["code"],
            gate_passed=document["gate_passed"],
            has_errors=document["has_errors"],
            recommendation=document["portfolio_recommendation"],
            data_to=_earliest(item.get("data_to") for item in symbols.values()),
            profile=document["digests"]["profile"],
            summary_path=document.get("summary_path"),
            seconds=round(sum(document.get("durations", {}).values()), 6),
            symbols=symbols,
            sha256=sha256,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _earliest(days: Iterable[str | None]) -> Any:
    from datetime import date

    return min((date.fromisoformat(day) for day in days if day is not None), default=None)
