"""Daily bars per contract in; one continuous series, its unadjusted twin and the reasons of its rolls out. Pure.

`policy` says what may be asked, `layout` checks the bars and takes them apart, `kernel` walks the sessions and
chooses the contract, `adjust` computes gaps, `series` puts the result together, `manifest` writes and reads the
roll manifest. Each imports its heavy libraries only when called for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt

    from ctl.continuous.manifest import ManifestRoll
    from ctl.model.bars import ContractBars
    from ctl.model.rolls import ContinuousSeries, RollPolicy, SeriesColumns


def build(
    bars: ContractBars,
    policy: RollPolicy,
    *,
    calendar_sessions: npt.NDArray[np.datetime64] | None = None,
    root: str | None = None,
) -> ContinuousSeries:
    """Build the continuous series of one root under a roll policy.

    bars: daily bars per contract; a session is a weekday with a bar of some contract of the root.
    calendar_sessions: datetime64[D] ascending, the exchange's sessions. They are counted against the bars, never
    used to remove any; a calendar policy counts its offset on them, so they should reach the last expiry.
    root: which root to build where the bars hold several.
    Raises UsageError for a policy that contradicts itself, DataError for bars that cannot support it.
    """
    from ctl.continuous.series import build as build_series

    return build_series(bars, policy, calendar_sessions=calendar_sessions, root=root)


def columns_each(
    bars: ContractBars, policies: Iterable[RollPolicy], *, calendar_sessions: npt.NDArray[np.datetime64] | None = None
) -> Iterator[SeriesColumns]:
    """What `build` gives a strategy to run on, under each policy in turn; of rolls and counts nothing is made.

    Bars are checked and laid out once for all policies with the same eligible months.
    """
    from ctl.continuous.series import columns_each as each

    return each(bars, policies, calendar_sessions)


def read_manifest(data: bytes) -> tuple[dict[str, Any], list[ManifestRoll]]:
    """Header and rolls of a roll manifest, of ours or an older one: a bare list has an empty header.

    Gaps come back with the sign that removes the jump; a manifest that subtracts them has a finding
    `INVERTED_ADJUSTMENT` under `findings` in its header. Raises InputError for anything else than a manifest.
    """
    from ctl.continuous.manifest import read_manifest as read

    return read(data)
