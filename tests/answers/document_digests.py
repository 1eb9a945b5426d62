"""Digests of what the product writes, sentences apart: certificates, manifests, run documents, the B1 fingerprint.

    python tests/answers/document_digests.py            compare with document_digests.json; exit 1 where one differs
    python tests/answers/document_digests.py --write    make the list anew (a change of values: say why in CHANGELOG.md)

The list was made before certification became a chain of values, by the code of that day. Everything is reached from
outside (commands and public functions), so that the script outlives any rearrangement. The four real markets need
../shared/data and are left out where it is absent.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

ANSWERS: Final = Path(__file__).with_name("document_digests.json")
DATA: Final = Path(__file__).resolve().parents[3] / "shared" / "data"
# Sentences, and what changes with them or with the machine.
LEFT_OUT: Final = frozenset((
    "text", "title", "note", "notes", "detail", "message", "smallest_flip_note", "package_version",
    "build_digest", "timestamp", "instant", "path", "workspace", "files", "outputs", "sha256", "certificate_sha256",
    "certificates", "digest", "bytes", "size", "decision_log", "profile", "locked_date", "created",
))  # fmt: skip
MARKETS: Final = (
    ("HG", "copper", "0.05"), ("C", "corn", "0.25"), ("HO", "heating_oil", "0.01"), ("S", "soybean", "0.25"),
)  # fmt: skip
COMMANDS: Final = (
    ("gate", "--json"),
    ("run", "--dry-run", "--json"),
    ("orders", "--json"),
    ("plan", "--json"),
    ("replay", "--from", "2026-01-16", "--to", "2026-02-27", "--json"),
    ("research", "PA", "ES", "--param", "slope_threshold=6,8", "--json"),
    ("calibrate", "slippage", "--json"),
    ("run", "--dry-run", "--include-non-gating", "--timeframe", "weekly", "--json"),
)  # fmt: skip
PAIRS: Final = 200


def values_only(document: Any) -> Any:
    """A document without its sentences and without what names a machine or a moment."""
    if isinstance(document, dict):
        return {key: values_only(item) for key, item in document.items() if key not in LEFT_OUT}
    if isinstance(document, list):
        return [values_only(item) for item in document]
    return document


def digest(document: Any) -> str:
    """sha256 of the values of a document, keys sorted."""
    text = json.dumps(values_only(document), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def command(*arguments: str | Path) -> Any:
    """The document that a command prints."""
    from ctl.cli import main

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = main([str(argument) for argument in arguments])
    if not out.getvalue():
        raise SystemExit(f"{' '.join(map(str, arguments))}: exit {code}, nothing printed")
    return json.loads(out.getvalue())


def demo_documents(folder: Path) -> Iterator[tuple[str, Any]]:
    """Certificates, manifests and the documents of every command on the simulated market."""
    command("demo", folder, "--json")
    for symbol in ("ES", "CL", "PL", "PA", "AAPL", "XLE"):
        yield f"demo certificate {symbol}", command("certify", symbol, "-w", folder, "--json")
    for symbol in ("ES", "CL", "PL", "PA"):
        yield f"demo manifest {symbol}", command("build", symbol, "-w", folder, "--json")
    for arguments in COMMANDS:
        yield f"demo {' '.join(arguments)}", command(*arguments, "-w", folder)
    for cause in ("wrong-commodity:PL", "unadjusted-roll:ES"):
        other = folder / cause.replace(":", "-")
        command("demo", other, "--inject", cause, "--json")
        yield f"demo {cause}", command("gate", "-w", other, "--json")
        symbol = cause.partition(":")[2]
        yield f"demo {cause} {symbol}", command("certify", symbol, "-w", other, "--json")


def market_documents() -> Iterator[tuple[str, Any]]:
    """Certificates and manifests of four real markets."""
    contracts = DATA / "contracts" / "bloomberg_settles"
    if not contracts.is_dir():
        return
    for root, name, tick in MARKETS:
        ours = ("--contracts", contracts / f"{name}.csv", "--root", root, "--mapping", "bloomberg_settles")
        reference = DATA / "continuous" / "quantiacs" / f"F_{root}.txt"
        options = ("--tick", tick, "--max-day-delta", "3", "--reference-mapping", "quantiacs", "--json")
        yield f"market certificate {root}", command("certify", *ours, "--unadjusted", reference, *options)
        with tempfile.TemporaryDirectory() as out:
            yield f"market manifest {root}", command("build", *ours, "--out", out, "--json")


def pair_documents(folder: Path, count: int = PAIRS) -> Iterator[tuple[str, Any]]:
    """Certificates and manifests of generated pairs: every defect in turn, several sizes, every way to ship."""
    import ctl
    from ctl.cli import main  # noqa: F401 - one import of the command line for all
    from ctl.power import vendor_pairs

    defects: list[tuple[str, tuple[float, ...]]] = [
        ("settlement_noise", (1.0, 6.0)), ("wrong_gap", (8.0, 60.0)), ("unadjusted_roll", (16.0, 40.0)),
        ("roll_shift", (1.0, 4.0)), ("restated_bar", (30.0, 400.0)), ("missing_sessions", (4.0, 64.0)),
        ("unit_scale", (1.0, 900.0)), ("wrong_commodity", (0.05, 1.0)), ("finer_grid", (0.5, 10.0)),
        ("inverted_adjustment", (12.0, 40.0)),
    ]  # fmt: skip
    kinds = [(kind, size) for kind, sizes in defects for size in sizes]
    shipped = ("both", "adjusted", "unadjusted")
    markets = [*vendor_pairs.clean_markets(count // 2), *vendor_pairs.clean_markets(count - count // 2, flat=True)]
    for n, market in enumerate(markets):
        chosen: dict[Any, float] = {} if n % 4 == 0 else dict([kinds[n % len(kinds)]])
        if n % 8 == 7:
            kind, size = kinds[(n * 7 + 3) % len(kinds)]
            chosen[kind] = size
        ships: Any = shipped[n % 3]
        pair = vendor_pairs.generate(market, chosen, ships)
        files = _written(folder, pair)
        bars = ctl.load(files["contracts"], root=pair.root)
        series = ctl.build(bars)
        certificate = ctl.certify(  # type: ignore[operator]
            bars, series, tick=pair.tick, max_day_delta=n % 4, adjusted=files.get("adjusted"),
            unadjusted=files.get("unadjusted"), quote_unit="points", acceptance="v1" if n % 5 else "v2",
        )  # fmt: skip
        what = "+".join(f"{kind}={size:g}" for kind, size in chosen.items()) or "clean"
        yield f"pair {n} {ships} {what}", dict(certificate.document)


def _written(folder: Path, pair: Any) -> dict[str, Path]:
    columns = ["session", "contract", "open", "high", "low", "close", "volume", "open_interest"]
    files = {"contracts": folder / "contracts.csv"}
    pair.contracts.frame.select(columns).write_csv(files["contracts"])
    for name in ("adjusted", "unadjusted"):
        series = getattr(pair.reference, name)
        if series is not None:
            files[name] = folder / f"{name}.csv"
            series.frame.select("session", "open", "high", "low", "close", "volume").write_csv(files[name])
    return files


def documents() -> Iterator[tuple[str, Any]]:
    """Everything, in a fixed order."""
    with tempfile.TemporaryDirectory() as name:
        yield from demo_documents(Path(name))
    yield from market_documents()
    with tempfile.TemporaryDirectory() as name:
        yield from pair_documents(Path(name))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="make the list anew")
    parser.add_argument("--keep", type=Path, help="also write every document without its sentences to this folder")
    parser.add_argument("--only", default="", help="only names that start so (demo, market, pair)")
    arguments = parser.parse_args(argv)
    np.seterr(all="ignore")
    found = {}
    for name, document in documents():
        if not name.startswith(arguments.only):
            continue
        found[name] = digest(document)
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
            kept = json.dumps(values_only(document), indent=1, sort_keys=True)
            (arguments.keep / f"{name.replace('/', '_').replace(' ', '_')}.json").write_text(kept)
    if arguments.write:
        ANSWERS.write_text(json.dumps(found, indent=1) + "\n")
        print(f"{len(found)} digests written to {ANSWERS}")
        return 0
    wanted = {name: value for name, value in json.loads(ANSWERS.read_text()).items() if name.startswith(arguments.only)}
    if not DATA.is_dir():
        wanted = {name: value for name, value in wanted.items() if not name.startswith("market ")}
    different = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    for name in different:
        print(f"{name}: {wanted.get(name)} -> {found.get(name)}")
    print(f"{len(found)} documents, {len(different)} differ")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
