"""Vendor files become canonical bars. The only room that knows vendor formats.

Every reader refuses what it cannot read with one InputError that names file, row (1-based line), column, what was
found and what was expected; a partly readable file yields nothing. Vendors are modules of `ctl.ingest.vendors`.
"""

from ctl.ingest.actions import read as read_actions
from ctl.ingest.actions import stated as stated_actions
from ctl.ingest.actions import written as written_actions
from ctl.ingest.frames import is_frame
from ctl.ingest.instrument_data import load as load_instruments
from ctl.ingest.instrument_data import own_values as own_instrument_values
from ctl.ingest.instrument_data import require_agreement
from ctl.ingest.kinds import by_kind
from ctl.ingest.mapping import named_or_at as mapping_named_or_at
from ctl.ingest.mapping import packaged as named_mapping
from ctl.ingest.readers import (
    find_files,
    formats,
    proposed_mapping,
    read_contracts,
    read_reference,
    read_series,
    read_session_bars,
    read_settlements,
)
from ctl.ingest.settled import settled
from ctl.ingest.vendors import format_of, format_texts

__all__ = [
    "by_kind",
    "find_files",
    "format_of",
    "format_texts",
    "formats",
    "is_frame",
    "load_instruments",
    "mapping_named_or_at",
    "named_mapping",
    "own_instrument_values",
    "proposed_mapping",
    "read_actions",
    "read_contracts",
    "read_reference",
    "read_series",
    "read_session_bars",
    "read_settlements",
    "require_agreement",
    "settled",
    "stated_actions",
    "written_actions",
]
