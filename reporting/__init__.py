"""Reports for people, as HTML and PDF, from a published version and nothing else.

Numbers are read, never computed again: definitions belong to ``dbt_project``, quality gates to ``quality``. Imports only ``salesgauge``.
"""

from reporting.leadership import ReportFiles, leadership_report

__all__ = ["ReportFiles", "leadership_report"]
