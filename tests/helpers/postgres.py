"""A PostgreSQL server of the tests' own, where Debian's (or any) is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ports import free_port


def missing() -> str | None:
    """Why there can be no server here, or None."""
    if _binary("initdb") is None or _binary("pg_ctl") is None:
        return "no PostgreSQL server is installed (initdb, pg_ctl)"
    if os.geteuid() == 0 and (_user() is None or shutil.which("setpriv") is None):
        return "PostgreSQL does not run as root, and there is no user postgres to run it as"
    return None


class Server:
    """A running server; `stop` ends it at once, as a crash does."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port

    @property
    def url(self) -> str:
        return f"postgresql://postgres:abcdefghijklmnop@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c fsync=off -k {self._folder}"
        log = str(self._folder / "log")
        _run("pg_ctl", "-D", str(self._folder / "data"), "-o", options, "-l", log, "-w", "-t", "300", "start")

    def stop(self) -> None:
        _run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "stop")


@contextmanager
def server() -> Iterator[Server]:
    """A server with an empty database until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="ctl-postgres-"))
    try:
        user = _user()
        if os.geteuid() == 0 and user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        _run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-N")
        running = Server(folder, free_port())
        running.start()
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(name: str, *words: str) -> None:
    command = [str(_binary(name)), *words]
    user = _user()
    if os.geteuid() == 0 and user is not None:
        command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *command]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=400, cwd="/")


def _binary(name: str) -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    if found:
        return found[0]
    path = shutil.which(name)
    return None if path is None else Path(path)


def _user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None
