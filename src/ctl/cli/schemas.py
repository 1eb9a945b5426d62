"""The published JSON Schemas and the pages made of the models: written, or compared with what is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ctl import store
from ctl.cli import output
from ctl.ops.schemas import schemas


def write(folder: Path, pages: Path | None, *, check_only: bool) -> int:
    """Write every schema into `folder`, and the pages into `pages`; with `check_only` compare, and say what differs."""
    differing = [*_differing(folder, schemas(), check_only=check_only)]
    if pages is not None:
        from ctl.cli import reference

        differing += _differing(pages, reference.pages(), check_only=check_only)
    published = schemas()
    differing += sorted(path for path in folder.glob("*.json") if path.name not in published) if check_only else []
    return output.ended(
        f"{path} is not what the code publishes; run `make schemas`" for path in differing if check_only
    )


def _differing(folder: Path, published: Mapping[str, bytes], *, check_only: bool) -> Iterator[Path]:
    """The files that are not as published; without `check_only` they are written."""
    for name, data in published.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != data:
            if not check_only:
                store.write_atomic(path, data)
            yield path
