"""Links from the rows behind a number into their source."""

from __future__ import annotations

from pathlib import Path

import pytest

from metrics import Answer, Column
from orchestration.links import with_links
from salesgauge.errors import ConfigurationError
from salesgauge.settings import Company

CONFIG = """
[sources.hubspot]
portal_id = 123
[sources.salesforce]
instance_url = "https://my.example.com/"
[sources.jobber]
[sources.typeform]
[sources.crm.pages]
deal_id = "https://crm.example.com/deals/{id}"
"""


def _company(root: Path, config: str = CONFIG) -> Company:
    for path, text in ((".dlt/config.toml", config), ("sources/crm.yml", "{}"), ("process.yml", "{}")):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return Company.open(root)


def _links(company: Company, columns: list[str], *rows: list) -> tuple[list, tuple[str, ...]]:
    answer = with_links(company, Answer(tuple(Column(name) for name in columns), list(rows)))
    assert answer.names == [*columns, "link"]
    return [row[-1] for row in answer.rows], answer.notes


def test_a_row_leads_to_the_page_of_its_first_record_that_has_one(tmp_path: Path) -> None:
    found, notes = _links(
        _company(tmp_path),
        ["response_id", "lead_id", "deal_id"],
        ["typeform:a:b", "hubspot:7", "hubspot:8"],
        ["typeform:c", None, "hubspot:8"],
        [None, None, "salesforce:006A0"],
        [None, None, "crm:N 1/2"],
        [None, "jobber:9", None],
    )
    assert found == [
        "https://app.hubspot.com/contacts/123/record/0-1/7",
        "https://app.hubspot.com/contacts/123/record/0-3/8",
        "https://my.example.com/006A0",
        "https://crm.example.com/deals/N%201%2F2",
        None,
    ]
    assert notes == ()


def test_a_record_of_the_quality_of_data_is_a_lead_or_a_deal(tmp_path: Path) -> None:
    company = _company(tmp_path, CONFIG.replace("portal_id", 'lead_object = "leads"\nportal_id'))
    found, _ = _links(company, ["object", "record_id"], ["lead", "hubspot:7"], ["deal", "hubspot:8"])
    assert [link.split("/record/")[1] for link in found] == ["0-136/7", "0-3/8"]


def test_why_there_is_no_link_is_said(tmp_path: Path) -> None:
    company = _company(tmp_path, CONFIG.replace("portal_id = 123", ""))
    found, notes = _links(company, ["lead_id"], ["hubspot:7"], ["hubspot:8"], ["jobber:1"])
    assert found == [None] * 3
    assert notes == (
        "No page is known of lead_id of hubspot: portal_id is missing in [sources.hubspot] of .dlt/config.toml.",
        'No page is known of lead_id of jobber: [sources.jobber.pages] of .dlt/config.toml can name one: lead_id = "https://…/{id}".',
    )


def test_an_address_without_an_id_is_refused(tmp_path: Path) -> None:
    company = _company(tmp_path, CONFIG.replace("deals/{id}", "deals"))
    with pytest.raises(ConfigurationError, match=r"\[sources.crm.pages\]: expected addresses with \{id\}"):
        _links(company, ["deal_id"], ["crm:1"])
