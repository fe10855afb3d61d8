"""From sources to the raw log. Rooms, of which each knows only those to its right:

``run``, ``quarantine``, ``catalogue`` → ``sources``, ``files`` → ``connector`` → ``http``, and ``connector`` → ``landing`` → ``privacy`` → ``rawlog`` → ``sql``.

Nothing here knows marts or KPIs; canonical meaning begins in ``dbt_project`` (the file source only renames and casts, as its mapping says).
"""

from __future__ import annotations

from ingestion import rawlog
from ingestion.rawlog.accounting import SourceResult, TableCount
from ingestion.run import extract, load_days, load_new

__all__ = ["SourceResult", "TableCount", "extract", "load_days", "load_new", "rawlog"]
