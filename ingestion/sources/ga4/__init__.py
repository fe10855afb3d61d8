"""GA4 → ``raw_ga4.events``: the daily files of the BigQuery export in a folder or bucket, each day replaced when its files change.

Sessions, channels and what an event means belong to the models. Counts of the Data API, which has neither users nor sessions, are ``ga4_data``.
``tables`` says what is read, ``days`` which files, ``rows`` and ``events`` how, ``run`` what is read again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING

from ingestion.connector.about import About, Finding, Setting
from ingestion.sources.ga4.tables import SOURCE, TABLES
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from ingestion.landing.load import Landing
    from ingestion.landing.quarantine import Waiting
    from salesgauge.process import Process
    from salesgauge.settings import Company, SourceSettings

__all__ = ["ABOUT", "SOURCE", "TABLES", "check", "extract", "extract_days", "read_again"]

ABOUT = About(
    name=SOURCE,
    label="Google Analytics 4 (export files)",
    kind="web",
    settings=(
        Setting(
            "folder",
            "folder below data/, or s3://bucket/prefix, with the files of the BigQuery export",
            is_required=True,
        ),
        Setting("aws_access_key_id", "access key of the bucket", is_secret=True),
        Setting("aws_secret_access_key", "secret key of the bucket", is_secret=True),
        Setting("endpoint_url", "endpoint of a bucket outside Amazon"),
        Setting("region", "region of the bucket, default us-east-1"),
    ),
    provides={"web_events": "every event of the export; a day is replaced when late events arrive"},
    requests_when_unchanged="no request; of a bucket 2, and one more per 1,000 files",
)


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land every day whose files are new or changed; see ``ingestion.sources.ga4.run.run``. Returns the number of files read.

    ConfigurationError, SourceError.
    """
    from ingestion.sources.ga4.run import run

    return run(company, landing, reporter=reporter)


def extract_days(
    company: Company,
    process: Process | None,
    landing: Landing,
    *,
    days: Collection[date],
    received_at: datetime,
    reporter: Reporter = SILENT,
) -> int:
    """Land ``days`` again, changed or not, and no other day; see ``extract``."""
    from ingestion.sources.ga4.run import run

    return run(company, landing, reporter=reporter, again=days)


def read_again(company: Company, landing: Landing, records: Iterable[Waiting]) -> None:
    """Note that the next run has to read the files of quarantined ``records``, changed or not."""
    from ingestion.sources.ga4.run import ask_again

    ask_again(company, landing, records)


def check(settings: SourceSettings) -> list[Finding]:
    """Whether the folder, or the bucket, is there and may be read."""
    from ingestion.sources.ga4.run import findings

    return findings(settings)
