"""How a company's records come as files changes no KPI: their order, their number of files, exports that say again what is known, the case of segments.

Of values without their time of day only what needs a time of day may change.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.properties.companies import Files, files
from tests.properties.compiled import build, kpis

AS_OF = datetime(2026, 6, 1, 6, 30)
TABLES = (
    "kpi_volume",
    "kpi_win_loss",
    "kpi_overall_conversion",
    "kpi_stage_conversion",
    "kpi_sales_cycle",
    "kpi_speed_to_lead",
    "kpi_crm_completeness",
    "kpi_pipeline",
    "kpi_unmapped_stages",
    "kpi_unmapped_values",
    "kpi_contradictions",
    "kpi_reconciliation",
)
_SPELLINGS: tuple[Callable[[str], str], ...] = (str.upper, str.title, lambda text: f" {text} ")
# A build takes a second or two; the seed is fixed, so that a run is a function of the code.
few = settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def of(company: Files) -> dict[str, pd.DataFrame]:
    with TemporaryDirectory() as folder, build(company.write(Path(folder)), AS_OF) as con:
        return kpis(con, TABLES)


def assert_same(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    for table in TABLES:
        pd.testing.assert_frame_equal(found[table], expected[table], obj=table)


def shuffled(company: Files, seed: int) -> Files:
    pick = random.Random(seed)
    leads, deals, calls = (pick.sample(list(rows), len(rows)) for rows in (company.leads, company.deals, company.calls))
    return replace(company, leads=leads, deals=deals, calls=calls)


@few
@given(files(), st.integers(0, 99))
def test_the_order_of_rows_changes_nothing(company: Files, seed: int) -> None:
    assert_same(of(shuffled(company, seed)), of(company))


@few
@given(files(), st.integers(2, 4))
def test_one_export_or_many_is_the_same(company: Files, parts: int) -> None:
    assert_same(of(replace(company, parts=parts)), of(company))


@few
@given(files(), st.integers(0, 99))
def test_an_export_that_says_again_what_is_known_changes_nothing(company: Files, seed: int) -> None:
    again = {kind: list(getattr(shuffled(company, seed), kind))[:5] for kind in ("leads", "deals", "calls")}
    assert_same(of(replace(company, again=again)), of(company))


@few
@given(files(), st.integers(0, 99))
def test_the_case_of_segments_changes_nothing(company: Files, seed: int) -> None:
    pick = random.Random(seed)

    def other_case(row: dict) -> dict:
        changed = {name: pick.choice(_SPELLINGS)(row[name]) for name in ("branch", "channel") if row.get(name)}
        return {**row, **changed}

    # a record that comes first says how a segment is written
    first = {
        "id": "first",
        "created": datetime(2026, 1, 1, 9),
        "status": None,
        "phone": None,
        "branch": None,
        "owner": None,
    }
    known = [{**first, "id": f"first {channel}", "channel": channel} for channel in ("paid_search", "referral")]
    plain = replace(company, leads=[*known, *company.leads])
    mixed = replace(
        plain, leads=[*known, *map(other_case, company.leads)], deals=[other_case(row) for row in company.deals]
    )
    assert_same(of(mixed), of(plain))


@few
@given(files())
def test_without_the_time_of_day_only_what_needs_one_changes(company: Files) -> None:
    days, moments = of(company.of_days()), of(company)
    for table in (
        "kpi_volume",
        "kpi_win_loss",
        "kpi_pipeline",
        "kpi_reconciliation",
        "kpi_unmapped_stages",
        "kpi_unmapped_values",
        "kpi_crm_completeness",
    ):
        pd.testing.assert_frame_equal(_timeless(days[table]), _timeless(moments[table]), obj=table)
    counts = {
        "kpi_overall_conversion": ["n", "customers", "conversion_rate", "open_share", "deals_won"],
        "kpi_stage_conversion": ["mode", "from_stage", "to_stage", "n", "reached"],
        "kpi_speed_to_lead": ["n", "contacted", "never_contacted"],
        "kpi_sales_cycle": ["n", "negative_cycles", "undated"],
    }
    for table, columns in counts.items():
        keys = ["period_grain", "period_start_date", "segment_type", "segment"]
        known = [column for column in [*keys, *columns] if column in moments[table].columns]
        assert len(known) > len(keys), table
        pd.testing.assert_frame_equal(
            days[table][known].sort_values(known, ignore_index=True),
            moments[table][known].sort_values(known, ignore_index=True),
            obj=table,
        )
    total = days["kpi_sales_cycle"].query("segment_type == 'total' and period_grain == 'all'")["mean_days"].dropna()
    exact = moments["kpi_sales_cycle"].query("segment_type == 'total' and period_grain == 'all'")["mean_days"].dropna()
    assert len(total) == len(exact)
    assert all(abs(a - b) < 1 for a, b in zip(total, exact, strict=True))


def _timeless(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the ages and hours that a time of day makes exact."""
    return frame.drop(columns=[column for column in frame.columns if column.endswith(("_age_days", "timeliness_rate"))])
