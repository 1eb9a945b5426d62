"""`ctl serve` by a real server on a port of this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

uvicorn = pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
pytest.importorskip("starlette", reason="the extra `serve` is not installed")


@pytest.fixture
def url(workspace: Path) -> Iterator[str]:
    from ctl.cli.glossary import TERMS
    from ctl.ops import serve
    from ctl.store import Workspace

    config = uvicorn.Config(
        serve.app(Workspace.load(workspace), TERMS, names=["desk"]),
        host="127.0.0.1", port=0, log_level="error", server_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=300)
    assert not thread.is_alive()


def files(workspace: Path) -> dict[str, int]:
    """When each file was written, but for the cache of bars that were read."""
    found = {str(path.relative_to(workspace)): path.stat().st_mtime_ns for path in workspace.rglob("*")}
    return {name: written for name, written in found.items() if not name.startswith(".ctl")}


def test_it_is_read_only_and_answers_to_its_own_names_alone(url: str, workspace: Path):
    before = files(workspace)
    with httpx.Client(base_url=url, timeout=300) as client:
        found = client.get("/")
        assert found.status_code == 200
        assert "GATE:</b> PASS" in found.text
        policy = found.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["cache-control"] == "no-store"
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert client.request(method, "/").status_code == 405
        assert client.get("/ctl.toml").status_code == 404
        assert client.get("/../ctl.toml").status_code == 404
        for name, code in (("localhost:1", 200), ("desk", 200), ("evil.example", 421), ("", 421), ("[", 421)):
            assert client.get("/", headers={"host": name}).status_code in (code, 400)
        assert client.get("/", headers={"host": "evil.example"}).text.startswith("no such host")
    assert files(workspace) == before


def test_it_is_made_anew_once_a_file_has_changed_and_says_what_keeps_it(url: str, workspace: Path):
    with httpx.Client(base_url=url, timeout=300) as client:
        first = client.get("/").text
        assert client.get("/").text == first  # the instant in it too
        (reference,) = (workspace / "data/raw/tradestation").glob("TS_CL_CUSTOM_ADJ_*")
        reference.write_text("not a series\n")
        changed = client.get("/")
        assert changed.status_code == 200
        assert "GATE:</b> MISMATCH" in changed.text
        next((workspace / "configs/cutover").glob("*.yaml")).unlink()
        broken = client.get("/")
        assert broken.status_code == 503
        assert broken.text.startswith("PROFILE_MISSING: ")


def test_a_question_narrows_the_page_or_is_refused(url: str):
    with httpx.Client(base_url=url, timeout=300) as client:
        only = client.get("/", params={"symbol": "CL", "from": "2024-01-01"}).text
        assert "<b>CL</b>" in only
        assert "<b>ES</b>" not in only
        for question in ({"symbol": "XX"}, {"from": "soon"}, {"from": "2024-01-02", "to": "2024-01-01"}, {"x": "1"}):
            refused = client.get("/", params=question)
            assert refused.status_code == 400
            assert refused.headers["content-type"].startswith("text/plain")
