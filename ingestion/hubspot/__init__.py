"""HubSpot → ``raw_hubspot``: contacts, companies, deals with history, activities, owners, pipelines, links; live and archived.

``tables`` says what is read, ``api`` speaks HTTP, ``known`` looks up what the raw log holds, ``run`` and ``objects`` decide what is read again.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ingestion.hubspot.tables import TABLES
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from ingestion.landing import Landing
    from salesgauge.process import Process
    from salesgauge.settings import Company

__all__ = ["TABLES", "extract"]


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land what is new or changed in HubSpot since the last committed load; see ``ingestion.hubspot.run.run``.

    Returns the number of HTTP requests. ConfigurationError, SourceError.
    """
    from ingestion.hubspot.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)
