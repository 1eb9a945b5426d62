"""Same request, same bytes: whatever the hash seed and the number of threads."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
from certify_market import Market
from ctl.certification import certify
market = Market()
reference = market.reference([i + k % 3 for k, i in enumerate(market.gap_sessions())], {5: 8.0, 20: -3.5})
others = {"B": market.bars(), "A": market.bars()}
request = market.request(reference=reference, rebuild=lambda _: market.canonical(), other_contracts=others)
certificate = certify(request)
print(certificate.decision, certificate.sha256)
for name in certificate.tables:
    print(name, certificate.tables[name].write_csv())
"""


def output(seed: str, threads: str) -> str:
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "POLARS_MAX_THREADS": threads,
        "NUMBA_NUM_THREADS": threads,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    return done.stdout


def test_certificates_do_not_depend_on_hash_seed_or_threads() -> None:
    first = output("0", "1")
    assert first.startswith(("WATCH ", "ACCEPT "))
    assert output("12345", "2") == first
