"""One run of the bucket source, in a process of its own that the test kills."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from ingestion.run import extract
from salesgauge.process import Process
from salesgauge.settings import Company

root = Path(sys.argv[1])
extract(Company.open(root, {}), Process.load(root / "process.yml"), received_at=datetime(2026, 7, 1, 5), names=["crm"])
