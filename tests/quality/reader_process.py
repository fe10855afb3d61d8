"""Run as a program: opens the published version again and again, as a BI tool would, and says how often and what it saw.

Ends when the file ``stop`` exists. Every version holds one mark in all of its tables: two marks in one answer are a mixture.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import duckdb

TABLES = ("marts.fct_deal", "marts.fct_lead", "kpi.kpi_volume", "quality.scores")


def main(pointer: str, stop: str) -> None:
    query = " union ".join(f"select mark, count(*) from {table} group by mark" for table in TABLES)
    polls, seen = 0, []
    while not Path(stop).exists():
        con = duckdb.connect(pointer, read_only=True)
        rows = con.execute(query).fetchall()
        con.close()
        if len(rows) != 1:
            sys.exit(f"a mixture of versions: {rows}")
        polls += 1
        if rows[0][0] not in seen:
            seen.append(rows[0][0])
        time.sleep(0.1)
    sys.stdout.write(f"{polls} {' '.join(map(str, seen))}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
