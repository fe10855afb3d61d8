"""From sources to the raw log: one module per source, landing with quarantine and accounting, and the views over the log.

Nothing here knows marts or KPIs; canonical meaning begins in ``dbt_project`` (the file source only renames and casts, as its mapping says).
"""

from __future__ import annotations

from ingestion import rawlog
from ingestion.accounting import SourceResult, TableCount
from ingestion.run import extract, load_new

__all__ = ["SourceResult", "TableCount", "extract", "load_new", "rawlog"]
