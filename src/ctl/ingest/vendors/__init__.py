"""The vendors whose files are known: one module each. A new one is a module here and a line below.

`docs/extending/vendor.md` shows how. Files are offered to them in this order; the first that recognises one reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ctl.errors import InputError
from ctl.ingest.vendor import Opened, Vendor, opened
from ctl.ingest.vendors import canonical, common, databento, lean, mapped, norgate, tradestation

VENDORS: Final[tuple[Vendor, ...]] = (
    databento,
    tradestation,
    canonical,
    norgate,
    lean,
    mapped,
    common,
)


def of_file(file: Opened) -> Vendor | None:
    """The vendor that recognises a file."""
    return next((vendor for vendor in VENDORS if vendor.recognises(file)), None)


def format_of(path: Path) -> str | None:
    """The format of a file, or of the first of an archive; None where no vendor recognises it. Raises InputError."""
    vendor = of_file(opened(path)[0])
    return None if vendor is None else vendor.FORMAT


def format_texts() -> dict[str, str]:
    """By the name of every format, the first line of what its module says of it."""
    return {vendor.FORMAT: (vendor.__doc__ or "").strip().splitlines()[0] for vendor in VENDORS}


def of_format(name: str) -> Vendor:
    """The vendor of a format's name. Raises InputError for an unknown one."""
    for vendor in VENDORS:
        if name == vendor.FORMAT:
            return vendor
    raise InputError(
        "unknown vendor format", found=repr(name), expected=", ".join(vendor.FORMAT for vendor in VENDORS),
        remedy="mend the vendor's format in ctl.toml",
    )  # fmt: skip
