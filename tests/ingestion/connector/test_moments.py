"""Times as APIs write them."""

from __future__ import annotations

from datetime import datetime

import pytest

from ingestion.connector.moments import moment


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-02-01T09:00:00-06:00", datetime(2026, 2, 1, 15)),
        ("2026-02-01T09:00:00.120Z", datetime(2026, 2, 1, 9, 0, 0, 120_000)),
        (1_769_936_400_000, datetime(2026, 2, 1, 9)),
        ("9999-12-31T23:59:59-06:00", None),  # UTC has no such year
        ("0001-01-01T00:00:00+05:00", None),
        ("soon", None),
        (True, None),
        (None, None),
    ],
)
def test_what_a_time_means(written: object, meant: datetime | None) -> None:
    assert moment(written) == meant
