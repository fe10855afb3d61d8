"""What a process does that publishes the marks ``first`` to ``last`` of a company, one after the other, until it is killed. It says each."""

from __future__ import annotations

from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import quality
from salesgauge.settings import Company
from tests.quality import small_warehouse as small


def main(said: Connection, root: Path, first: int, last: int) -> None:
    company = Company.open(root, environ={})
    for mark in range(first, last + 1):
        small.stamped(company, mark)
        quality.publish(
            company,
            as_of=small.AS_OF,
            audit=small.PASSED,
            semantic_manifest=small.semantic_manifest(company),
            created_at=small.AS_OF + timedelta(hours=mark),
        )
        said.send(mark)
