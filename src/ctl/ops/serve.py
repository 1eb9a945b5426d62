"""The report of a workspace over HTTP: read-only, live, its own host's names alone."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ctl import clock, reports
from ctl.errors import CtlError, UsageError
from ctl.ops.report import Asked, Terms, of_now

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from ctl.store import Workspace

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_KEPT: Final = 8  # pages of different questions

_Stamp = tuple[tuple[str, int, int], ...]


class Pages:
    """The pages of a workspace, each made anew once a file that it rests on has changed; one is made at a time."""

    def __init__(self, workspace: Workspace, terms: Terms) -> None:
        self._workspace = workspace
        self._terms = terms
        self._lock = threading.Lock()
        self._made: dict[Asked, tuple[date, _Stamp, str]] = {}

    def page(self, asked: Asked) -> str:
        """The page of the files as they are now. Raises CtlError where there is none."""
        with self._lock:
            instant = clock.now()
            stamp = tuple(self._stamp())
            kept = self._made.get(asked)
            if kept is not None and kept[:2] == (instant.date(), stamp):
                return kept[2]
            workspace = type(self._workspace).load(self._workspace.root)
            text = reports.page(of_now(workspace, asked, self._terms, instant=instant))
            if len(self._made) >= _KEPT:
                self._made.clear()
            self._made[asked] = (instant.date(), stamp, text)
            return text

    def _stamp(self) -> Iterator[tuple[str, int, int]]:
        """Name, time and size of every file that a report rests on."""
        workspace = self._workspace
        folders = (workspace.raw, workspace.run_summaries, workspace.ops_logs, workspace.profile_path.parent)
        files = [workspace.root / "ctl.toml", *(path for folder in folders for path in sorted(folder.rglob("*")))]
        for path in files:
            try:
                found = path.stat()
            except OSError:
                continue
            yield str(path), found.st_mtime_ns, found.st_size


def app(workspace: Workspace, terms: Terms, *, names: Sequence[str] = ()) -> Starlette:
    """The application. `GET /?symbol=ES&from=DATE&to=DATE`; everything else is refused.

    names: of its host, beside those of the loopback. A request that names another host is refused, which keeps the page
    of another site from reading this one through a name of its own.
    """
    from starlette.applications import Starlette
    from starlette.responses import HTMLResponse, PlainTextResponse
    from starlette.routing import Route

    pages, known = Pages(workspace, terms), {*LOOPBACK, *names}

    def index(request: Request) -> Response:
        if _host(request) not in known:
            return PlainTextResponse("no such host here; name it with --name\n", 421, headers())
        try:
            return HTMLResponse(pages.page(_asked(request)), headers=headers())
        except UsageError as error:
            return PlainTextResponse(f"{error}\n", 400, headers())
        except CtlError as error:
            return PlainTextResponse(f"{error.code}: {error}\n", 503, headers())

    return Starlette(routes=[Route("/", index, methods=["GET"])])


def _host(request: Request) -> str | None:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        return None


def headers() -> dict[str, str]:
    """What every answer carries: the page's policy, and that nobody keeps, frames or reinterprets it."""
    return {
        "Content-Security-Policy": reports.policy(frames=False),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _asked(request: Request) -> Asked:
    given = request.query_params
    unknown = sorted(set(given) - {"symbol", "from", "to"})
    if unknown:
        raise UsageError("no such question", found=", ".join(unknown), expected="symbol, from, to")
    window = None
    if "from" in given or "to" in given:
        window = (_day(given.get("from"), date.min), _day(given.get("to"), date.max))
        if window[0] > window[1]:
            raise UsageError("from comes after to", found=f"{window[0]} and {window[1]}")
    return Asked(tuple(given.getlist("symbol")), window)


def _day(text: str | None, default: date) -> date:
    try:
        return default if text is None else date.fromisoformat(text)
    except ValueError:
        raise UsageError("no date", found=repr(text), expected="YYYY-MM-DD") from None


def run(workspace: Workspace, terms: Terms, host: str, port: int, names: Sequence[str] = ()) -> None:
    """Serve until the process is asked to stop."""
    import uvicorn

    served = app(workspace, terms, names=(host, *names))
    uvicorn.Server(uvicorn.Config(served, host=host, port=port, log_level="warning", server_header=False)).run()
