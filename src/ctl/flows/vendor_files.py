"""Which of a vendor's files is which: by the path patterns of ctl.toml, for every format alike, else by their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from ctl import ingest
from ctl.errors import InputError, UsageError, WorkspaceError
from ctl.model.reference import ASSUMED_UNADJUSTED

if TYPE_CHECKING:
    from ctl.store import SymbolConfig, VendorConfig, Workspace

PerContract = Literal["contracts", "statistics", "intraday"]
"""Keys of a vendor whose files hold bars per contract."""

_PLACES: Final = re.compile(r"(\{symbol\}|\{root\}|\*|\?)")
_NAME_ENDS: Final = r"(?![A-Za-z0-9])"
_CONTRACT_CODE: Final = r"[FGHJKMNQUVXZ]\d{1,4}" + _NAME_ENDS


@dataclass(frozen=True, slots=True)
class SeriesFiles:
    """The file of each kind of a symbol's series at a vendor, None where there is none; at least one is there.

    expected: the names that were looked for. notes: which file is which, and why.
    """

    adjusted: Path | None
    unadjusted: Path | None
    expected: str
    notes: tuple[str, ...]


def require_known_formats(workspace: Workspace) -> None:
    """Raise WorkspaceError, naming every vendor of the workspace whose format no reader knows."""
    known = ingest.formats()
    unknown = [vendor for vendor in workspace.vendors.values() if vendor.format not in known]
    if unknown:
        raise WorkspaceError(
            "unknown vendor format",
            where=str(workspace.root / "ctl.toml"),
            found=", ".join(f"vendors.{vendor.name}.format {vendor.format!r}" for vendor in unknown),
            expected=f"one of {', '.join(known)}",
            code="UNKNOWN_FORMAT",
        )


def called(config: SymbolConfig, vendor: VendorConfig) -> str:
    """What the vendor calls the symbol."""
    return config.vendor_symbols.get(vendor.name, config.symbol)


def contract_paths(
    workspace: Workspace, config: SymbolConfig, vendor: VendorConfig, key: PerContract = "contracts"
) -> list[Path]:
    """The files and folders with a symbol's bars per contract, settlements or intraday bars at a vendor.

    Those that the pattern of `key` fits, or the symbol's own sub-folder of the folder that it names; without it, of
    `contracts`, that of the vendor's `path`. Raises InputError (INPUT_MISSING) where there are none, WorkspaceError
    where nothing says where they are.
    """
    pattern: Path | None = getattr(vendor, key)
    if pattern is not None and _is_pattern(pattern):
        found = _matching(pattern, config, vendor)
        if not found:
            raise missing(config, vendor, workspace.relative(_shown(pattern, config, vendor)), key)
        return found
    folder = workspace.vendor_folder(vendor.name, config.symbol, pattern)
    if not folder.is_dir():
        raise missing(config, vendor, f"{workspace.relative(folder)}/", key)
    return [folder]


def folder_to_fill(workspace: Workspace, config: SymbolConfig, vendor: VendorConfig, key: PerContract) -> Path | None:
    """Where new files of a symbol belong, so that `contract_paths` finds them; None where the vendor has none of them.

    Raises UsageError where a pattern leaves the folder open.
    """
    pattern: Path | None = getattr(vendor, key)
    if pattern is None and key != "contracts":
        return None
    if pattern is None or not _is_pattern(pattern):
        return workspace.vendor_folder(vendor.name, config.symbol, pattern)
    shown = _shown(pattern, config, vendor)
    folder = shown if not _is_pattern(Path(shown.name)) and not shown.is_file() and not shown.suffix else shown.parent
    if _is_pattern(folder):
        raise UsageError(
            f"vendors.{vendor.name}.{key} does not say where new files belong",
            where=str(workspace.root / "ctl.toml"),
            found=str(pattern),
            expected="* and ? in the last part alone",
        )
    return folder


def series_files(
    workspace: Workspace, config: SymbolConfig, vendor: VendorConfig, last_session: Callable[[Path], date]
) -> SeriesFiles:
    """The adjusted and the unadjusted series of a symbol at a vendor; at least one of them, and notes of which.

    By the patterns `adjusted` and `unadjusted` where the vendor has one of them, else by the names that its format
    gives files under `path`. last_session: of a file; of several that fit a pattern the newest by it is taken, of
    equal ones the last by name. Raises InputError (INPUT_MISSING) where there is none.
    """
    notes: list[str] = []
    assumed = ""
    kinds: tuple[Sequence[Path], ...]
    if vendor.adjusted is None and vendor.unadjusted is None:
        folder = vendor.path
        if folder is None or not folder.is_dir():
            raise missing(config, vendor, "adjusted or unadjusted" if folder is None else f"{folder}/")
        found = ingest.find_files(vendor.format, folder, called(config, vendor))
        kinds, expected = (found.adjusted, found.unadjusted), found.expected
        if found.assumed and config.asset_class == "future":
            assumed = (
                f", {ASSUMED_UNADJUSTED}: if it is adjusted, name it in vendors.{vendor.name}.adjusted of ctl.toml"
            )
    else:
        patterns = (vendor.adjusted, vendor.unadjusted)
        kinds = tuple(
            () if each is None else [path for path in _matching(each, config, vendor) if path.is_file()]
            for each in patterns
        )
        expected = " or ".join(
            workspace.relative(_shown(each, config, vendor)) for each in patterns if each is not None
        )
    adjusted, unadjusted = (_newest(paths, last_session, notes) for paths in kinds)
    if adjusted is None and unadjusted is None:
        raise missing(config, vendor, expected)
    if adjusted is not None and unadjusted is not None and adjusted.samefile(unadjusted):
        raise InputError(
            f"one file is taken as the adjusted and the unadjusted series of {config.symbol}",
            where=workspace.relative(adjusted),
            expected="two files",
            remedy=f"mend vendors.{vendor.name}.adjusted and unadjusted in ctl.toml",
            code="SAME_FILE_TWICE",
        )
    if adjusted is not None:
        notes.append(f"adjusted from {workspace.relative(adjusted)}")
    if unadjusted is not None:
        notes.append(f"unadjusted from {workspace.relative(unadjusted)}{assumed}")
    return SeriesFiles(adjusted, unadjusted, expected, tuple(notes))


def missing(config: SymbolConfig, vendor: VendorConfig, expected: str, key: str = "") -> InputError:
    """The error that says which files are not there."""
    return InputError(
        f"no {key + ' ' if key else ''}files of {config.symbol} from vendor {vendor.name}",
        expected=expected,
        remedy=f"put the vendor's files there, or mend vendors.{vendor.name} in ctl.toml",
        code="INPUT_MISSING",
    )


def _is_pattern(path: Path) -> bool:
    return _PLACES.search(str(path)) is not None


def _shown(pattern: Path, config: SymbolConfig, vendor: VendorConfig) -> Path:
    """The pattern with the symbol in it."""
    text = str(pattern).replace("{symbol}", called(config, vendor)).replace("{root}", config.root)
    return Path(text)


def _matching(pattern: Path, config: SymbolConfig, vendor: VendorConfig) -> list[Path]:
    """What a pattern fits, sorted; hidden files aside.

    Where `*` or `?` stand beside the symbol, it must be a whole token of the name: `C` is not meant by F_CL. A
    delivery code may follow it, so that `{root}*.csv` fits the contracts CH24.csv and CZ2024.csv.
    """
    names = {"{symbol}": called(config, vendor), "{root}": config.root}
    found = [Path(pattern.anchor)]
    for part in pattern.parts[1:]:
        if "*" not in part and "?" not in part:  # a folder is not listed for one name
            name = part.replace("{symbol}", names["{symbol}"]).replace("{root}", names["{root}"])
            found = [path / name for path in found]
        else:
            fits = re.compile(_expression(part, names))
            found = [inside for path in found for inside in _entries(path) if fits.fullmatch(inside.name)]
    return sorted(path for path in found if path.exists())


def _expression(part: str, names: dict[str, str]) -> str:
    pieces = [piece for piece in _PLACES.split(part) if piece]
    expression = ""
    for at, piece in enumerate(pieces):
        if piece in names:
            before = r"(?<![A-Za-z0-9])" if at and pieces[at - 1] in {"*", "?"} else ""
            open_end = at + 1 < len(pieces) and pieces[at + 1] in {"*", "?"}
            after = f"(?:{_NAME_ENDS}|(?={_CONTRACT_CODE}))" if open_end else ""
            expression += before + re.escape(names[piece]) + after
        else:
            expression += {"*": "[^/]*", "?": "[^/]"}.get(piece) or re.escape(piece)
    return expression


def _entries(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    try:
        yield from (path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError("cannot be read", where=str(folder), found=error.strerror or type(error).__name__) from error


def _newest(matches: Sequence[Path], last_session: Callable[[Path], date], notes: list[str]) -> Path | None:
    if len(matches) < 2:
        return matches[0] if matches else None
    dated = sorted((last_session(path), path.name, path) for path in matches)
    chosen = dated[-1]
    others = ", ".join(f"{other} ({day})" for day, other, _ in dated[:-1])
    notes.append(f"{chosen[1]} chosen by its last session {chosen[0]} over {others}")
    return chosen[2]
