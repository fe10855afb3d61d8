"""Erasing a person: the raw log first, then a run that publishes without them, then what older files still held. Its parts belong to
``ingestion.privacy.erasure`` and ``quality.versions``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import quality
from ingestion.catalogue import raw_tables
from ingestion.privacy.erasure import Erasure, erase, mentions
from orchestration import pipeline
from orchestration.locking import run_lock
from salesgauge.progress import SILENT, Reporter
from salesgauge.settings import Company


@dataclass
class ErasureOutcome:
    """What an erasure did. ``left``: files of ``var/`` that still hold an identifier as plain text (none, if all went well)."""

    erasure: Erasure
    run: pipeline.RunOutcome | None = None
    deleted_files: list[Path] = field(default_factory=list)
    left: list[Path] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0: erased everywhere; else that of the run that could not publish anew, or 1 where something is left."""
        if self.run is not None and self.run.exit_code not in (0, 3):
            return self.run.exit_code
        return 1 if self.left else 0


def erase_person(
    company: Company,
    *,
    emails: Iterable[str] = (),
    phones: Iterable[str] = (),
    is_trial: bool = False,
    reporter: Reporter = SILENT,
) -> ErasureOutcome:
    """Erase a person everywhere below ``var/`` and publish anew; with ``is_trial`` only say what would go.

    ConfigurationError while a run is active, or where no identifier is usable. After a crash the same call goes on where it was; the next run
    of any kind removes the older published versions.
    """
    emails, phones = list(emails), list(phones)
    if is_trial:
        return ErasureOutcome(erase(company, raw_tables(), emails=emails, phones=phones, is_trial=True))
    with run_lock(company):
        quality.announce_erasure(company)
        reporter.step("erase")
        erasure = erase(company, raw_tables(), emails=emails, phones=phones)
        reporter.done("erase", f"{erasure.total:,} rows")
    outcome = ErasureOutcome(erasure)
    shutil.rmtree(company.reports_dir, ignore_errors=True)  # made anew by the run
    outcome.run = pipeline.run(company, reporter=reporter, is_full=True)
    texts = [*(one.strip().lower() for one in emails), *phones]
    for path in _mentioning(company.var, texts):
        if company.logs_dir in path.parents or company.work_dir in path.parents:
            path.unlink()
            outcome.deleted_files.append(path)
        else:
            outcome.left.append(path)
    return outcome


def _mentioning(folder: Path, texts: list[str]) -> list[Path]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return [path for path in files if mentions(path, texts)]
