"""Fault power: how large must a defect be before certification says so, and how often does it say so for nothing?

Vendor pairs are generated from integers of a tick: our contracts, and a reference that rolls between the same
contracts. Without a defect both sides agree to the last tick. Every defect is named, has one size, and is put in
alone and growing; several together make the pairs that invariants are tried on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import polars as pl

from ctl.model.bars import ContractBars, DailySeries, SeriesMeta
from ctl.model.contracts import Contract
from ctl.model.reference import Reference

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctl.model.certificate import Certificate

    Days = npt.NDArray[np.datetime64]
    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

SCHEMA_VERSION: Final = 1
SEED: Final = 20260301
CLEAN_PAIRS: Final = 40
ROOT: Final = "ZZ"
LAYERS: Final = ("L0", "L1", "L2", "L3", "L4", "L5")
_FIRST: Final = np.datetime64("2008-01-07", "D")
_LISTED_CYCLES: Final = 3
_CROSSOVER: Final = 9
# Prices trend up and down, strongly enough for a trend-following strategy to trade.
_TREND: Final = 0.2
_TREND_SESSIONS: Final = 160
_RANK: Final = {"PASS": 0, "NOT_RUN": 0, "WATCH": 1, "FAIL": 2, "ERROR": 3}

DefectKind = Literal[
    "settlement_noise",
    "wrong_gap",
    "unadjusted_roll",
    "roll_shift",
    "restated_bar",
    "missing_sessions",
    "unit_scale",
    "wrong_commodity",
    "finer_grid",
    "inverted_adjustment",
]
Shipped = Literal["both", "adjusted", "unadjusted"]


@dataclass(frozen=True, slots=True)
class Ladder:
    """A defect's growing sizes. components: how the ledger's largest component may begin and end to name it."""

    kind: DefectKind
    text: str
    unit: str
    sizes: tuple[float, ...]
    components: tuple[tuple[str, str], ...] = ()


_BASIS: Final = (("basis", ""),)
_PRICE: Final = (("gap:", ":price"),)
_DATE: Final = (("gap:", ":date"), ("timing:", ""))

LADDERS: Final[tuple[Ladder, ...]] = (
    Ladder(
        "settlement_noise", "our closes lie beside the settlement; standard deviation", "ticks",
        (0.5, 1, 2, 4, 8, 16, 32, 64, 128), (*_BASIS, *_PRICE),
    ),
    Ladder(
        "wrong_gap", "one gap of the reference's adjustment is wrong by so much", "ticks",
        (1, 2, 4, 8, 16, 32, 64, 128, 256), _PRICE,
    ),
    Ladder(
        "unadjusted_roll", "one roll of such a gap is left out of the reference's adjustment", "ticks",
        (1, 2, 4, 8, 16, 32, 64, 128, 256), _PRICE,
    ),
    Ladder(
        "roll_shift", "the reference rolls so much later, at every roll", "sessions", (1, 2, 3, 4, 5, 6, 7), _DATE,
    ),
    Ladder(
        "restated_bar", "one close of ours was changed afterwards", "ticks",
        (1, 4, 16, 64, 256, 512, 1024, 2048), _BASIS,
    ),
    Ladder("missing_sessions", "our files lack sessions", "sessions", (1, 2, 4, 16, 64, 256, 512, 1024, 1200)),
    Ladder(
        "unit_scale", "our prices are larger", "%", (0.02, 0.1, 0.5, 1, 2, 4, 5, 6, 10, 100, 9900),
        (*_BASIS, *_PRICE),
    ),
    Ladder(
        "wrong_commodity", "our prices are another market's, at the same level at first; 1 - correlation",
        "of 1", (0.001, 0.01, 0.05, 0.09, 0.11, 0.2, 0.5, 1),
    ),
    Ladder("finer_grid", "some of our closes lie on half ticks", "%", (0.2, 0.8, 1.2, 5, 20, 50), _BASIS),
    Ladder(
        "inverted_adjustment", "the reference adjusts with the wrong sign; gap of every roll", "ticks",
        (0.5, 1, 2, 4, 8, 16, 32, 64), _PRICE,
    ),
)  # fmt: skip


# Their sizes are gaps of the market: what is told of small gaps alone is not told of the defect.
BRINGS_GAPS: Final = frozenset({"unadjusted_roll", "inverted_adjustment"})


@dataclass(frozen=True, slots=True)
class Market:
    """A market to generate.

    cycle: sessions from one expiry to the next (21, 42, 63: contracts of every, every second, every third month).
    tick: quote units. level, move, carry, carry_noise: in ticks; the first price, the standard deviation of a
    session's change, mean and standard deviation of a roll's gap.
    """

    seed: int
    contracts: int = 26
    cycle: int = 63
    tick: float = 0.25
    level: int = 6_000
    move: float = 90.0
    carry: float = 24.0
    carry_noise: float = 12.0


@dataclass(frozen=True, slots=True)
class VendorPair:
    """Our contracts and a reference. sessions: datetime64[D] of the exchange, ascending."""

    sessions: Days
    contracts: ContractBars
    reference: Reference
    tick: float
    root: str = ROOT


def generate(
    market: Market,
    defects: Mapping[DefectKind, float] | None = None,
    shipped: Shipped = "both",
    *,
    adjusted_rightly: bool = False,
) -> VendorPair:
    """A vendor pair with every defect given, at its size; none: the two sides agree to the tick.

    shipped: which of its two series the reference ships. adjusted_rightly: the gaps that a defect brings along
    stand, and the reference adjusts for them as it should: what such a defect is to be compared with. Same
    arguments, same pair, and a defect does not change what the others do to it.
    """
    found = dict(defects or {})
    draw = {
        name: np.random.default_rng((market.seed, n)) for n, name in enumerate(("price", "spread", "gap", "defect"))
    }
    count = market.cycle * market.contracts
    sessions = _weekdays(count)
    expiry = market.cycle * (np.arange(market.contracts) + 1) - 1
    middle = market.contracts // 2

    gaps = np.rint(draw["gap"].normal(market.carry, market.carry_noise, market.contracts - 1))
    if "inverted_adjustment" in found:
        gaps = _dithered(np.full(market.contracts - 1, found["inverted_adjustment"]))
    if "unadjusted_roll" in found:
        gaps[middle] = found["unadjusted_roll"]
    changes = draw["price"].normal(0.0, market.move, count)
    spread = np.cumsum(draw["spread"].random((market.contracts, count)) < 0.1, axis=1)
    spread = spread - np.cumsum(draw["spread"].random((market.contracts, count)) < 0.1, axis=1)
    carried = np.concatenate([[0.0], np.cumsum(gaps)])
    # Spreads move on all sessions but those before a crossover: there a roll's gap is the one that was drawn.
    true = _path(market, changes)[None, :] + carried[:, None] + spread
    for k, gap in enumerate(gaps.tolist()):
        at = int(expiry[k]) - _CROSSOVER + 1
        true[k + 1 :] += gap - (true[k + 1, at] - true[k, at])
    own = _our_closes(market, true, changes, carried, spread, expiry, found, draw["defect"])
    missing = _missing(found, count, draw["defect"])
    return VendorPair(
        sessions,
        _contract_bars(market, sessions, own, expiry, missing),
        _reference(market, sessions, true, expiry, gaps, {} if adjusted_rightly else found, middle, shipped),
        market.tick,
    )


def clean_markets(count: int, seed: int = SEED, *, flat: bool = False) -> list[Market]:
    """Markets of all sorts: ticks, levels, quiet and wild, of every, every second and every third month.

    flat: neighbouring contracts lie within a few ticks of each other, else 16 or more apart.
    """
    draw = np.random.default_rng((seed, int(flat)))
    markets = []
    for n in range(count):
        cycle, move = int(draw.choice([21, 42, 63])), float(draw.choice([8.0, 30.0, 90.0]))
        gap = float(draw.choice([0.0, 2.0, 5.0] if flat else [-120.0, -40.0, -16.0, 16.0, 40.0, 120.0]))
        markets.append(
            Market(
                seed + 1 + n, contracts=max(26, 1_300 // cycle), cycle=cycle,
                tick=float(draw.choice([0.01, 0.05, 0.1, 0.25, 0.5])), level=int(60 * move) + 4_000, move=move,
                carry=gap, carry_noise=0.25 * max(abs(gap), 2.0),
            )
        )  # fmt: skip
    return markets


# ---------------------------------------------------------------- what is detected


@dataclass(frozen=True, slots=True)
class Reading:
    """What one certificate says, as far as power is concerned.

    found: layer -> its worst status and its codes. read_again: the decision with our rolls where the reference's
    closes cannot tell contracts apart; None where that was not asked.
    """

    decision: str
    found: Mapping[str, tuple[str, frozenset[str]]]
    largest: str | None
    read_again: str | None = None

    @classmethod
    def of(cls, certificate: Certificate) -> Reading:
        """Read a certificate off."""
        document = certificate.document
        found = {}
        for name in LAYERS:
            layer = document["layers"][name]
            codes = {finding["code"] or finding["check"] for finding in layer["findings"] if _told(finding["status"])}
            found[name] = (layer["status"], frozenset(codes))
        book = document["ledger"]
        components = [] if book is None else book["components"]
        largest = components[0]["name"] if components and components[0]["mean"] > 0.0 else None
        again = ((document.get("counterfactuals") or {}).get("read_again") or {}).get("decision")
        return cls(certificate.decision, found, largest, again)

    def news(self, layer: str, clean: Reading) -> tuple[str, ...]:
        """What a layer says beyond what it says of the clean pair: codes, or its status where that alone is worse."""
        status, codes = self.found[layer]
        before, known = clean.found[layer]
        worse = _RANK[status] > _RANK[before]
        fresh = tuple(sorted(codes - known))
        return fresh or ((status,) if worse else ())


@dataclass(frozen=True, slots=True)
class Detection:
    """The smallest size tried at which something was said, and what."""

    size: float
    text: str


@dataclass(frozen=True, slots=True)
class Power:
    """One defect. layers, ledger (it names the defect as the largest component), decisions: None where never."""

    ladder: Ladder
    layers: Mapping[str, Detection | None]
    ledger: Detection | None
    decisions: Mapping[str, Detection | None]

    @property
    def smallest(self) -> float | None:
        """The smallest size at which anything is said, the ledger included."""
        sizes = [found.size for found in (*self.layers.values(), self.ledger, *self.decisions.values()) if found]
        return min(sizes, default=None)

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "defect": self.ladder.kind,
            "text": self.ladder.text,
            "unit": self.ladder.unit,
            "sizes": list(self.ladder.sizes),
            "smallest": self.smallest,
            "layers": {name: _detection(found) for name, found in self.layers.items()},
            "ledger": _detection(self.ledger),
            "decisions": {name: _detection(found) for name, found in self.decisions.items()},
        }


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """A clean pair of which something was said. told: layer -> codes; read_again: as in `Reading`."""

    market: Market
    flat: bool
    decision: str
    told: Mapping[str, tuple[str, ...]]
    read_again: str | None = None

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "seed": self.market.seed,
            "cycle": self.market.cycle,
            "gap": self.market.carry,
            "decision": self.decision,
            "read_again": self.read_again,
            "told": {layer: list(codes) for layer, codes in self.told.items()},
        }


@dataclass(frozen=True, slots=True)
class PowerReport:
    """Power of every defect, and the false alarms on clean pairs: so many of each sort, flat curves and others."""

    seed: int
    market: Market
    powers: tuple[Power, ...]
    clean_pairs: int
    false_alarms: tuple[FalseAlarm, ...]

    def alarms(self, *, flat: bool) -> list[FalseAlarm]:
        """Clean pairs of one sort of which something was said."""
        return [alarm for alarm in self.false_alarms if alarm.flat is flat]

    def refused(self, *, flat: bool) -> int:
        """Clean pairs of one sort that were not accepted."""
        return sum(alarm.decision != "ACCEPT" for alarm in self.alarms(flat=flat))

    def unexplained(self, *, flat: bool) -> int:
        """Those of them that are not accepted when the reference is read again either."""
        return sum("ACCEPT" not in (alarm.decision, alarm.read_again) for alarm in self.alarms(flat=flat))

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        market = self.market
        return {
            "schema_version": SCHEMA_VERSION,
            "seed": self.seed,
            "market": {
                "contracts": market.contracts, "sessions": market.contracts * market.cycle, "tick": market.tick,
                "level": market.level * market.tick, "session_move": market.move * market.tick,
            },
            "defects": [power.document() for power in self.powers],
            "clean": {
                name: {
                    "pairs": self.clean_pairs,
                    "alarms": len(self.alarms(flat=flat)),
                    "not_accepted": self.refused(flat=flat),
                    "not_accepted_when_read_again": self.unexplained(flat=flat),
                    "told": [alarm.document() for alarm in self.alarms(flat=flat)],
                }
                for name, flat in (("gaps_of_16_ticks_or_more", False), ("gaps_of_a_few_ticks", True))
            },
        }  # fmt: skip


def measure(
    certify_pair: Callable[[VendorPair], Certificate],
    *,
    seed: int = SEED,
    clean_pairs: int = CLEAN_PAIRS,
    ladders: Sequence[Ladder] = LADDERS,
) -> PowerReport:
    """Certify pairs with each defect growing, and `clean_pairs` clean pairs of either sort.

    certify_pair: builds our series, runs what L5 needs and certifies; the caller's, because this room builds
    nothing. Sizes are tried in order; a size counts from where the layer says more than of the clean pair, which
    for a defect that brings its own gaps has those gaps as well.
    """
    market = Market(seed)
    clean = Reading.of(certify_pair(generate(market)))
    powers = []
    for ladder in ladders:
        read = []
        for size in ladder.sizes:
            defect: dict[DefectKind, float] = {ladder.kind: size}
            found, without = Reading.of(certify_pair(generate(market, defect))), clean
            if ladder.kind in BRINGS_GAPS:
                without = Reading.of(certify_pair(generate(market, defect, adjusted_rightly=True)))
            read.append((size, found, without))
        powers.append(_power(ladder, read))
    alarms = []
    for flat in (False, True):
        for other in clean_markets(clean_pairs, seed, flat=flat):
            reading = Reading.of(certify_pair(generate(other)))
            told = {name: tuple(sorted(codes)) for name, (_, codes) in reading.found.items() if codes}
            if told or reading.decision != "ACCEPT":
                alarms.append(FalseAlarm(other, flat, reading.decision, told, reading.read_again))
    return PowerReport(seed, market, tuple(powers), clean_pairs, tuple(alarms))


def _power(ladder: Ladder, read: Sequence[tuple[float, Reading, Reading]]) -> Power:
    """read: per size the reading with the defect and the one without."""
    layers: dict[str, Detection | None] = {}
    for layer in LAYERS:
        told = ((size, found.news(layer, without)) for size, found, without in read)
        layers[layer] = _first((size, ", ".join(news)) for size, news in told if news)
    largest = ((size, found.largest) for size, found, _ in read)
    named = _first(
        (size, name)
        for size, name in largest
        if name is not None and any(name.startswith(head) and name.endswith(tail) for head, tail in ladder.components)
    )
    decisions = {
        decision: _first((size, decision) for size, found, _ in read if found.decision == decision)
        for decision in ("WATCH", "REJECT", "ERROR")
    }
    return Power(ladder, layers, named, decisions)


def _first(found: Iterable[tuple[float, str]]) -> Detection | None:
    for size, text in found:
        return Detection(float(size), text)
    return None


def _told(status: str) -> bool:
    return _RANK[status] > 0


def _detection(found: Detection | None) -> dict[str, Any] | None:
    return None if found is None else {"size": found.size, "text": found.text}


# ---------------------------------------------------------------- the pair


def _weekdays(count: int) -> Days:
    days = np.arange(_FIRST, _FIRST + 2 * count)
    return days[np.is_busday(days)][:count]


def _path(market: Market, changes: Floats) -> Floats:
    """Whole ticks; turned back at a third of the level, so that no price nears zero."""
    swing = _TREND * market.move * np.sin(2.0 * np.pi * np.arange(changes.size) / _TREND_SESSIONS)
    path = market.level + np.cumsum(changes + swing)
    floor = market.level / 3.0
    return np.rint(floor + np.abs(path - floor))


def _dithered(sizes: Floats) -> Floats:
    """Whole numbers whose running sum stays within one of that of the sizes."""
    whole = np.floor(np.cumsum(sizes) + 1e-9)
    return np.diff(whole, prepend=0.0)


def _our_closes(
    market: Market,
    true: Floats,
    changes: Floats,
    carried: Floats,
    spread: Ints,
    expiry: Ints,
    found: Mapping[DefectKind, float],
    draw: np.random.Generator,
) -> Floats:
    """Our closes in ticks, contract by session."""
    own = true.copy()
    if "wrong_commodity" in found:
        kept = 1.0 - found["wrong_commodity"]
        other = kept * changes + np.sqrt(max(0.0, 1.0 - kept * kept)) * draw.normal(0.0, market.move, changes.size)
        own = own - _path(market, changes) + _path(market, other)
    if "settlement_noise" in found:
        own += np.rint(draw.normal(0.0, found["settlement_noise"], own.shape))
    if "restated_bar" in found:
        contract = market.contracts // 3
        own[contract, int(expiry[contract]) - market.cycle // 2] += found["restated_bar"]
    if "unit_scale" in found:
        own = np.rint(own * (1.0 + found["unit_scale"] / 100.0))
    if "finer_grid" in found:
        own += 0.5 * _dithered(np.full(own.size, found["finer_grid"] / 100.0)).reshape(own.shape)
    return own


def _missing(found: Mapping[DefectKind, float], count: int, draw: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Sessions without a bar of ours: never the first or the last."""
    missing = np.zeros(count, dtype=np.bool_)
    lost = min(int(found.get("missing_sessions", 0)), count - 2)
    missing[1 + draw.permutation(count - 2)[:lost]] = True
    return missing


def _contract_bars(
    market: Market, sessions: Days, own: Floats, expiry: Ints, missing: npt.NDArray[np.bool_]
) -> ContractBars:
    contracts = _names(market)
    count = sessions.size
    begins = np.maximum(expiry - _LISTED_CYCLES * market.cycle, 0)
    at = np.arange(count)
    # The contract of most volume: the first whose crossover to the next is still to come.
    active = np.searchsorted(expiry - _CROSSOVER, at, side="right")
    active = np.minimum(active, market.contracts - 1)
    contract, session = np.nonzero((at[None, :] >= begins[:, None]) & (at[None, :] <= expiry[:, None]) & ~missing)
    close = own[contract, session]
    volume = np.where(contract == active[session], 10_000, 1_000 // (1 + np.abs(contract - active[session])))
    columns = _bars(close, session, contract)
    names = pl.Series("contract", [found.name for found in contracts])
    frame = pl.DataFrame(
        {
            "session": sessions[session],
            "contract": names.gather(contract),
            **{name: prices * market.tick for name, prices in columns.items()},
            "volume": volume,
            "open_interest": volume * 5,
        }
    )
    held = np.unique(contract)
    kept = tuple(contracts[k] for k in held.tolist())
    return ContractBars(frame, _meta("own"), kept)


def _reference(
    market: Market,
    sessions: Days,
    true: Floats,
    expiry: Ints,
    gaps: Floats,
    found: Mapping[DefectKind, float],
    middle: int,
    shipped: Shipped,
) -> Reference:
    """The other vendor rolls on the crossover's second day (or later by the shift), on the true closes."""
    count = sessions.size
    shift = int(found.get("roll_shift", 0))
    gap_session = np.minimum(expiry[:-1] - _CROSSOVER + 1 + shift, expiry[:-1])
    held = np.searchsorted(gap_session, np.arange(count), side="left")
    raw = true[held, np.arange(count)]
    numbers = np.arange(gaps.size)
    stated = true[numbers + 1, gap_session] - true[numbers, gap_session]
    if "wrong_gap" in found:
        stated[middle] += found["wrong_gap"]
    if "unadjusted_roll" in found:
        stated[middle] = 0.0
    if "inverted_adjustment" in found:
        stated = -stated
    steps = np.zeros(count + 1)
    steps[gap_session] = stated
    offset = np.cumsum(steps[::-1])[::-1][:-1]
    adjusted, unadjusted = (_series(sessions, close, held, market.tick) for close in (raw + offset, raw))
    return Reference(
        "other", adjusted if shipped != "unadjusted" else None, unadjusted if shipped != "adjusted" else None
    )


def _series(sessions: Days, close: Floats, held: Ints, tick: float) -> DailySeries:
    bars = _bars(close, np.arange(close.size), held)
    frame = pl.DataFrame({"session": sessions, **{name: prices * tick for name, prices in bars.items()}})
    frame = frame.with_columns(
        volume=pl.lit(10_000, dtype=pl.Int64),
        open_interest=pl.lit(None, dtype=pl.Int64),
        contract=pl.lit(None, dtype=pl.String),
        adjustment=pl.lit(0.0),
    )
    return DailySeries(frame, _meta("other"))


def _bars(close: Floats, session: Ints, contract: Ints) -> dict[str, Floats]:
    """Open, high and low around closes, alike on both sides for the same contract and session."""
    swing = 2.0 + (session * 7 + contract * 3) % 5
    return {"open": close - 1.0, "high": close + swing, "low": close - swing, "close": close}


def _names(market: Market) -> list[Contract]:
    step = 1 if market.cycle <= 21 else 2 if market.cycle <= 42 else 3
    first = 2008 * 12 + step - 1
    months = [first + step * k for k in range(market.contracts)]
    return [Contract(month // 12, month % 12 + 1, ROOT) for month in months]


def _meta(vendor: str) -> SeriesMeta:
    return SeriesMeta(ROOT, vendor, "exchange_session", "settlement", "points")
