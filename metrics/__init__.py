"""Metric queries on a published version: one definition per metric, those of ``dbt_project/models/semantic``.

MetricFlow runs in process. Definitions of metrics do not belong here, nor anything that writes to a version; the SQL of questions is kept beside.
"""

from __future__ import annotations

from metrics.answers import Answer, Column
from metrics.compare import COMPARISONS, compared, newest_periods
from metrics.render import FORMATS, explained, render
from metrics.saved import asked
from metrics.store import GRAINS, MetricStore

__all__ = [
    "COMPARISONS",
    "FORMATS",
    "GRAINS",
    "Answer",
    "Column",
    "MetricStore",
    "asked",
    "compared",
    "explained",
    "newest_periods",
    "render",
]
