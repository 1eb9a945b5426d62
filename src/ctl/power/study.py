"""Fault power: how large must a defect be before certification detects it, and how often does it raise a false alarm?

Each defect is put alone into a generated vendor pair, growing; what counts is what is said beyond what is said of the
clean pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ctl.model.certificate import JudgedSeries
from ctl.model.findings import TITLES, Decision, LayerName, Status
from ctl.power.vendor_pairs import GAP_OF_EVERY_ROLL, SEED, DefectKind, Market, VendorPair, clean_markets, generate
from ctl.tracking import Track, untracked

if TYPE_CHECKING:
    from ctl.model.certificate import Certificate

CLEAN_PAIRS: Final = 40
LAYERS: Final[tuple[LayerName, ...]] = tuple(TITLES)
CLEAN_KINDS: Final = (("gaps_of_16_ticks_or_more", False), ("gaps_of_a_few_ticks", True))
_RANK: Final[Mapping[Status, int]] = {"PASS": 0, "NOT_RUN": 0, "WATCH": 1, "FAIL": 2, "ERROR": 3}


@dataclass(frozen=True, slots=True)
class Ladder:
    """A defect's growing sizes. components: how the ledger's largest component may begin and end to name it."""

    kind: DefectKind
    text: str
    unit: str
    sizes: tuple[float, ...]
    components: tuple[tuple[str, str], ...] = ()


_BASIS: Final = (("basis", ""), ("print:", ""))
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
    Ladder("newest_20_level", "our newest 20 sessions lie too high", "ticks", (10, 50, 100, 200, 400, 800)),
    Ladder("newest_60_level", "our newest 60 sessions lie too high", "ticks", (10, 50, 100, 200, 400, 800)),
    Ladder("newest_20_late", "the reference's newest 20 sessions are labelled so much late", "sessions", (1, 2, 3)),
    Ladder("newest_60_late", "the reference's newest 60 sessions are labelled so much late", "sessions", (1, 2, 3)),
    Ladder("newest_20_unit", "the reference's newest 20 sessions are in another unit", "times", (1.3, 1.5, 10, 100)),
    Ladder("newest_60_unit", "the reference's newest 60 sessions are in another unit", "times", (1.3, 1.5, 10, 100)),
    Ladder("newest_20_stale", "the reference repeats one close among the newest 20", "sessions", (2, 3, 5, 8, 15)),
    Ladder("newest_60_stale", "the reference repeats one close among the newest 60", "sessions", (2, 3, 5, 8, 15)),
    Ladder("stale_closes", "the reference repeats one close", "sessions", (2, 3, 5, 8, 15), _BASIS),
    Ladder("repeated_closes", "the reference repeats the closes before", "sessions", (2, 3, 5, 10, 20), _BASIS),
    Ladder("labels_late", "the reference labels some sessions one late", "sessions", (2, 3, 5, 10, 20), _BASIS),
    Ladder("other_hour", "the reference's closes lie 3 to 12 ticks off", "sessions", (20, 40, 60, 120, 250), _BASIS),
    Ladder("rounded_closes", "the reference rounds its closes", "ticks", (2, 4, 8, 20, 40), (*_BASIS, *_PRICE)),
    Ladder("unadjusted_patch", "the reference's adjusted closes are not adjusted there", "sessions", (1, 2, 3, 5, 15)),
    Ladder("reference_missing", "the reference lacks sessions", "sessions", (1, 4, 9, 16, 64)),
    Ladder("reference_hole", "the reference has a hole", "sessions", (5, 20, 21, 40)),
    Ladder("gaps_late", "the reference takes its gaps so much late", "sessions", (1, 2, 3, 5), _PRICE),
    Ladder("gaps_doubled", "the reference adjusts so many rolls twice", "rolls", (1, 2, 4, 12), _PRICE),
    Ladder("gaps_inverted", "the reference adjusts so many rolls with the wrong sign", "rolls", (1, 2, 4, 12), _PRICE),
    Ladder("volume_scale", "our newest 60 sessions count volume in another unit", "times", (2, 10, 30, 100, 1000)),
    Ladder("ghost_sessions", "the reference has bars without volume on Saturdays", "bars", (1, 2, 9, 20, 60)),
    Ladder("swapped_labels", "the labels of two of our contracts are swapped, so many apart", "contracts", (1, 2, 3)),
    Ladder("months_never_held", "the reference never holds so many of four delivery months", "months", (1,)),
    Ladder(
        "rule_changed", "the reference rolls so much later from the middle on", "sessions", (1, 2, 3, 4, 6, 8), _DATE
    ),
    Ladder("ratio_adjusted", "the reference adjusts by ratio; gap of every roll", "ticks", (1, 4, 16, 64)),
    Ladder("not_adjusted", "the reference does not adjust; gap of every roll", "ticks", (1, 2, 4, 16, 64), _PRICE),
    Ladder(
        "misprints", "single closes of the reference, ten daily moves off", "closes", (1, 2, 4, 8, 16),
        (("print:", ""),),
    ),
    Ladder(
        "inverted_adjustment", "the reference adjusts with the wrong sign; gap of every roll", "ticks",
        (0.5, 1, 2, 4, 8, 16, 32, 64), _PRICE,
    ),
)  # fmt: skip


# Their sizes are gaps of the market: what is said of small gaps alone is not said of the defect.
BRINGS_GAPS: Final = frozenset({"unadjusted_roll", *GAP_OF_EVERY_ROLL})


@dataclass(frozen=True, slots=True)
class Reading:
    """What one certificate says, as far as power is concerned.

    statuses, codes: of each layer, its status and the codes of its findings above PASS. largest: the ledger's largest
    component. read_again: the decision with our rolls where the reference's closes cannot tell contracts apart; None
    where that was not asked.
    """

    decision: Decision
    statuses: Mapping[LayerName, Status]
    codes: Mapping[LayerName, frozenset[str]]
    largest: str | None
    read_again: Decision | None = None

    @classmethod
    def of(cls, certificate: Certificate) -> Reading:
        """Read a certificate off."""
        codes = {
            name: frozenset(made.code or made.check for made in layer.findings if _RANK[made.status])
            for name, layer in certificate.layers.items()
        }
        components = [] if certificate.ledger is None else certificate.ledger.components[:1]
        again = None if certificate.counterfactuals is None else certificate.counterfactuals.read_again
        return cls(
            certificate.decision,
            {name: layer.status for name, layer in certificate.layers.items()},
            codes,
            next((component.name for component in components if component.mean > 0.0), None),
            again.decision if isinstance(again, JudgedSeries) else None,
        )

    def new_codes(self, layer: LayerName, clean: Reading) -> tuple[str, ...]:
        """What a layer says beyond what it says of the clean pair: codes, or its status where that alone is worse."""
        worse = _RANK[self.statuses[layer]] > _RANK[clean.statuses[layer]]
        new = tuple(sorted(self.codes[layer] - clean.codes[layer]))
        return new or ((self.statuses[layer],) if worse else ())


@dataclass(frozen=True, slots=True)
class Detection:
    """The smallest size tried at which something was said, and what."""

    size: float
    text: str


@dataclass(frozen=True, slots=True)
class DefectPower:
    """One defect, and from which of its sizes on it is detected; None where it never is.

    smallest: by anything. ledger: it is the largest component by name.
    """

    defect: DefectKind
    text: str
    unit: str
    sizes: tuple[float, ...]
    smallest: float | None
    layers: Mapping[LayerName, Detection | None]
    ledger: Detection | None
    decisions: Mapping[Decision, Detection | None]


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """A clean pair of which something was said. told: layer -> codes; read_again: as in `Reading`."""

    seed: int
    cycle: int
    gap: float
    decision: Decision
    read_again: Decision | None
    told: Mapping[LayerName, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class CleanPairs:
    """The false alarms among clean pairs of one sort, and how many of them are not accepted."""

    pairs: int
    alarms: int
    not_accepted: int
    not_accepted_when_read_again: int
    told: tuple[FalseAlarm, ...]


@dataclass(frozen=True, slots=True)
class StudiedMarket:
    """The market that defects were put into. level, session_move: in quote units."""

    contracts: int
    sessions: int
    tick: float
    level: float
    session_move: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerReport:
    """`ctl certify --power --json`: every defect, and the false alarms on clean pairs by sort (`CLEAN_KINDS`)."""

    kind: Literal["power"] = "power"
    schema_version: Literal[1] = 1
    seed: int
    market: StudiedMarket
    defects: tuple[DefectPower, ...]
    clean: Mapping[str, CleanPairs]


def measure(
    certify: Callable[[VendorPair], Certificate],
    *,
    seed: int = SEED,
    clean_pairs: int = CLEAN_PAIRS,
    ladders: Sequence[Ladder] = LADDERS,
    track: Track = untracked,
) -> PowerReport:
    """Certify pairs with each defect growing, and `clean_pairs` clean pairs of either sort.

    Sizes are tried in order; a size counts from where the layer says more than of the clean pair, which for a defect
    that brings its own gaps has those gaps as well.
    """
    market = Market(seed)
    clean = Reading.of(certify(generate(market)))
    defects = []
    for ladder in track(ladders):
        readings = []
        for size in ladder.sizes:
            defect: dict[DefectKind, float] = {ladder.kind: size}
            without = clean
            if ladder.kind in BRINGS_GAPS:
                without = Reading.of(certify(generate(market, defect, adjusted_rightly=True)))
            readings.append((size, Reading.of(certify(generate(market, defect))), without))
        defects.append(_power(ladder, readings))
    return PowerReport(
        seed=seed,
        market=StudiedMarket(
            contracts=market.contracts,
            sessions=market.contracts * market.cycle,
            tick=market.tick,
            level=market.level * market.tick,
            session_move=market.move * market.tick,
        ),
        defects=tuple(defects),
        clean={name: _clean(certify, clean_markets(clean_pairs, seed, flat=flat)) for name, flat in CLEAN_KINDS},
    )


def _clean(certify: Callable[[VendorPair], Certificate], markets: Sequence[Market]) -> CleanPairs:
    """Clean pairs of one sort, and what is said of them."""
    alarms = []
    for market in markets:
        reading = Reading.of(certify(generate(market)))
        told = {name: tuple(sorted(codes)) for name, codes in reading.codes.items() if codes}
        if told or reading.decision != "ACCEPT":
            alarm = FalseAlarm(market.seed, market.cycle, market.carry, reading.decision, reading.read_again, told)
            alarms.append(alarm)
    return CleanPairs(
        pairs=len(markets),
        alarms=len(alarms),
        not_accepted=sum(alarm.decision != "ACCEPT" for alarm in alarms),
        not_accepted_when_read_again=sum("ACCEPT" not in (alarm.decision, alarm.read_again) for alarm in alarms),
        told=tuple(alarms),
    )


def _power(ladder: Ladder, readings: Sequence[tuple[float, Reading, Reading]]) -> DefectPower:
    """readings: per size the one with the defect and the one without."""
    layers: dict[LayerName, Detection | None] = {}
    for layer in LAYERS:
        said = ((size, reading.new_codes(layer, without)) for size, reading, without in readings)
        layers[layer] = _first((size, ", ".join(codes)) for size, codes in said if codes)
    largest = ((size, reading.largest) for size, reading, _ in readings)
    named = _first(
        (size, name)
        for size, name in largest
        if name is not None and any(name.startswith(head) and name.endswith(tail) for head, tail in ladder.components)
    )
    worse: tuple[Decision, ...] = ("WATCH", "REJECT", "ERROR")
    decisions = {
        decision: _first((size, decision) for size, reading, _ in readings if reading.decision == decision)
        for decision in worse
    }
    sizes = [detection.size for detection in (*layers.values(), named, *decisions.values()) if detection]
    smallest = min(sizes, default=None)
    return DefectPower(ladder.kind, ladder.text, ladder.unit, ladder.sizes, smallest, layers, named, decisions)


def _first(detected: Iterable[tuple[float, str]]) -> Detection | None:
    return next((Detection(float(size), text) for size, text in detected), None)
