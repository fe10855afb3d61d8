"""Typeform → ``raw_typeform``: form definitions and responses, completed and partial. How they are read is in ``run``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ingestion.typeform.tables import TABLES
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from ingestion.landing import Landing
    from salesgauge.process import Process
    from salesgauge.settings import Company

__all__ = ["TABLES", "extract"]


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land what is new or changed in Typeform since the last committed load; see ``ingestion.typeform.run.run``.

    Returns the number of HTTP requests. ConfigurationError, SourceError.
    """
    from ingestion.typeform.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)
