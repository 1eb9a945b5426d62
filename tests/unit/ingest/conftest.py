"""Fixtures of the ingest tests: genuine files, reference data, files to write."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the folder of real market data is absent")
    return SHARED


@pytest.fixture(scope="session")
def instruments():
    from ctl.ingest import load_instruments

    return load_instruments()


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a named file and return its path."""

    def _write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write
