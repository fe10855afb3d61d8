"""Another process file for the same company: every KPI has a target, and what the demo's own file leaves out is in it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from ruamel.yaml import YAML

KPIS = [
    "speed_to_lead_median_minutes",
    "speed_to_lead_p90_minutes",
    "speed_to_lead_within_5_minutes_rate",
    "speed_to_lead_within_target_rate",
    "speed_to_lead_never_contacted_rate",
    "stage_conversion_rate",
    "overall_conversion_rate",
    "period_conversion_rate",
    "sales_cycle_days_mean",
    "sales_cycle_days_median",
    "sales_cycle_days_p90",
    "win_rate",
    "win_rate_by_amount",
    "win_loss_ratio",
    "leads_created",
    "deals_created",
    "deals_won",
    "deals_lost",
    "won_amount",
    "lost_amount",
    "survey_responses",
    "forecast_wape",
    "forecast_bias",
    "forecast_accuracy",
    "forecast_coverage_rate",
    "crm_completeness",
    "crm_complete_record_rate",
    "nps",
    "csat",
]
SEGMENTS = {"rep": "Aisha Rahman", "branch": "denver", "service_line": "hvac"}
NO_FORECAST = {
    "channel": "paid_search",
    "customer_type": "(none)",
    "process_version": "optimized",
    "pipeline": "default",
}


def vary(path: Path) -> None:
    """Write another process into ``path``: other zone, hours, versions, exclusions, required fields, placeholders and targets."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    process = yaml.load(path)
    company, stages = process["company"], {stage["key"]: stage for stage in process["process"]["stages"]}
    company["timezone"] = "America/Los_Angeles"
    company["branches"]["denver"] |= {
        "open": {"tue": "11:00-12:30", "sat-sun": "00:00-24:00"},
        "holidays": [date(2025, 12, 27)],
    }
    del company["branches"]["naperville"]["open"]
    process["process"]["versions"] = [
        {"key": "first", "effective_from": date(2024, 10, 1)},
        {"key": "baseline", "effective_from": date(2025, 1, 15)},
        {"key": "optimized", "effective_from": date(2026, 2, 4)},
        {"key": "planned", "effective_from": date(2027, 1, 1)},
    ]
    stages["inquiry"]["limits"] = {"first_touch_minutes": 45}
    stages["inquiry"]["required"] |= {"created_by": 0.5, "campaign": 0.25}
    stages["consultation_held"]["required"] |= {"amount": 1.5, "branch": 1}
    stages["lost"]["required"] = {"loss_reason": 2}
    stages["disqualified"]["required"] = {"customer_type": 1}
    process["exclusions"] = {
        "spam": "lead.channel = 'direct' and not (lead.campaign is not null or lead.service_line in ('hvac', 'plumbing'))",
        **process["exclusions"],
    }
    process["placeholders"] = ["N/A", "repair", "unknown", "0"]
    process["targets"] = [
        {"kpi": kpi, "target": 0.5, **segment}
        for kpi in KPIS
        for segment in (
            {},
            *({"segment_type": kind, "segment": name} for kind, name in SEGMENTS.items()),
            *(
                {"segment_type": kind, "segment": name}
                for kind, name in NO_FORECAST.items()
                if not kpi.startswith("forecast_")
            ),
        )
    ]
    process["targets"] += [
        {"kpi": "stage_conversion_rate", "from": "inquiry", "to": "won", "before": 0.1, "target": 0.2},
        {
            "kpi": "stage_pair_conversion_rate",
            "from": "qualification",
            "to": "proposal",
            "target": 0.4,
            "direction": "down",
        },
        {"kpi": "win_rate", "target": 0.9, "effective_from": date(2026, 1, 1)},
        {"kpi": "win_rate", "target": 0.1, "effective_from": date(2026, 12, 1)},
    ]
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(process, file)
