"""Quality and publishing: expectation suites, scores, the audit gate, and the versions that people read.

Rules about a single model are dbt's tests; what fields should be filled is ``process.yml``'s matter. Only ``quality.gx`` imports Great Expectations,
and only when a suite runs.
"""

from quality.audit import audit, audit_checks, dbt_failures
from quality.publish import publish
from quality.results import AuditOutcome, Check, DbtTestResult, Failure
from quality.versions import Version, announce_erasure, current, finish_erasure, rollback, versions

__all__ = [
    "AuditOutcome",
    "Check",
    "DbtTestResult",
    "Failure",
    "Version",
    "announce_erasure",
    "audit",
    "audit_checks",
    "current",
    "dbt_failures",
    "finish_erasure",
    "publish",
    "rollback",
    "versions",
]
