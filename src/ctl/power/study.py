"""Fault power: how large must a defect be before certification says so, and how often does it say so for nothing?

Each defect is put alone into a generated vendor pair, growing; what counts is told beyond what the clean pair is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ctl.certification.state import TITLES
from ctl.power.vendor_pairs import SEED, DefectKind, Market, VendorPair, clean_markets, generate

if TYPE_CHECKING:
    from ctl.model.certificate import Certificate

SCHEMA_VERSION: Final = 1
CLEAN_PAIRS: Final = 40
LAYERS: Final = tuple(TITLES)
_RANK: Final = {"PASS": 0, "NOT_RUN": 0, "WATCH": 1, "FAIL": 2, "ERROR": 3}


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
