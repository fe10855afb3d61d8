"""Run as a program: publishes marks ``first`` to ``last`` of a company, one after the other, until it is killed. ``say`` each on a line."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import quality
from salesgauge.settings import Company
from tests.quality import small_warehouse as small


def main(root: str, first: str, last: str) -> None:
    company = Company.open(Path(root), environ={})
    for mark in range(int(first), int(last) + 1):
        small.stamped(company, mark)
        quality.publish(
            company,
            as_of=small.AS_OF,
            audit=small.PASSED,
            semantic_manifest=small.semantic_manifest(company),
            created_at=small.AS_OF + timedelta(hours=mark),
        )
        sys.stdout.write(f"{mark}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
