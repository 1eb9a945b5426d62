"""Count what the Bloomberg settlement files hold, with the standard library alone.

    python tests/answers/ingest_bloomberg_counts.py ../shared/data/contracts/bloomberg_settles \
        > tests/answers/ingest_bloomberg_counts.json

Shares no code with ctl. Delivery years are completed from the contract's last trade date, which the files state: the
delivery month is that month or later (ctl completes them from the bars instead).
"""

import csv
import hashlib
import json
import math
import sys
from pathlib import Path


def count(path: Path) -> dict:
    rows = list(csv.DictReader(path.read_text().splitlines()))
    bars: dict[str, list[dict]] = {}
    for row in rows:
        text = row["contract"].removesuffix(" Comdty").replace(" ", "")
        head = text.rstrip("0123456789")
        year, month = int(row["last_trade"][:4]), int(row["last_trade"][5:7])
        if "FGHJKMNQUVXZ".index(head[-1]) + 1 < month:
            year += 1
        bars.setdefault(f"{head}{year % 100:02d}", []).append(row)
    return {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "rows": len(rows),
        "contracts": {
            name: {
                "bars": len(found),
                "first": min(row["date"] for row in found),
                "last": max(row["date"] for row in found),
                "last_trade": max(row["last_trade"] for row in found),
            }
            for name, found in sorted(bars.items())
        },
        "null_volumes": sum(row["volume"] == "" for row in rows),
        "null_open_interests": sum(row["oi"] == "" for row in rows),
        "sum_of_settles": math.fsum(float(row["settle"]) for row in rows),
        "sum_of_volumes": int(math.fsum(float(row["volume"] or 0) for row in rows)),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    json.dump({path.stem: count(path) for path in sorted(folder.glob("*.csv"))}, sys.stdout, indent=1)
    sys.stdout.write("\n")
