"""The GA4 connector on files as BigQuery exports them: typing, replaced days, duplicates, files and rows that do not fit."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion import quarantine
from ingestion.rawlog.accounting import TableCount
from salesgauge.errors import ConfigurationError, SourceError
from salesgauge.settings import Company

AT = 1_769_900_000_123_456  # 2026-01-31T22:53:20.123456Z


def _event(
    at: int | str = AT, day: str = "20260131", params: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    values = {"ga_session_id": 7, "page_location": "https://x.co/quote", **(params or {})}
    return {
        "event_date": day,
        "event_timestamp": str(at),
        "event_name": "page_view",
        "event_params": [
            {
                "key": key,
                "value": {"string_value": value}
                if isinstance(value, str)
                else {"string_value": None, "int_value": str(value)},
            }
            for key, value in values.items()
        ],
        "user_pseudo_id": "123.456",
        **more,
    }


@pytest.fixture
def folder(directory: Any) -> Path:
    directory.configure("ga4", folder="export")
    (directory.root / "data" / "export").mkdir()
    return directory.root / "data" / "export"


@pytest.fixture
def write(folder: Path) -> Callable[..., Path]:
    def write(name: str, *events: Any) -> Path:
        text = "".join((event if isinstance(event, str) else json.dumps(event)) + "\n" for event in events)
        path = folder / name
        path.write_bytes(gzip.compress(text.encode(), mtime=0) if name.endswith(".gz") else text.encode())
        return path

    return write


ORGANIC = {"manual_source": "google", "manual_medium": "organic", "manual_campaign_name": "(organic)"}
COLUMNS = (
    "event_day, event_at, event_name, user_pseudo_id, ga_session_id, page_location, source, medium, campaign, form_id"
)


def test_text_and_numbers_become_the_same_types(directory: Any, write: Any) -> None:
    plain = _event()
    numbers = _event(AT + 1) | {"event_timestamp": AT + 1}
    numbers["event_params"][0]["value"] = {"int_value": 7}
    write("events_20260131.jsonl", plain)
    write("events_20260201.jsonl.gz", numbers | {"event_date": "20260201"})
    landing, _, files = directory.run("ga4")

    assert (landing.counts["events"].loaded, files) == (2, 2)
    first = datetime(2026, 1, 31, 22, 53, 20, 123456)
    assert directory.query(f"select {COLUMNS} from raw_ga4.events order by event_at limit 1") == [
        (first.date(), first, "page_view", "123.456", 7, "https://x.co/quote", None, None, None, None)
    ]
    assert (
        directory.query("select ga_session_id, record ->> '$.event_params[0].key' from raw_ga4.events")
        == [(7, "ga_session_id")] * 2
    )
    assert directory.query("select count(distinct _row) from raw_ga4.events") == [(2,)]


@pytest.mark.parametrize(
    ("more", "params", "expected"),
    [
        ({}, {}, (None, None, None)),
        ({}, {"source": "mail", "medium": "email", "campaign": "may"}, ("mail", "email", "may")),
        (
            {"collected_traffic_source": {"manual_source": "bing", "manual_medium": "cpc"}},
            {"source": "mail"},
            ("bing", "cpc", None),
        ),
        (
            {"collected_traffic_source": {"gclid": "x", "manual_campaign_name": "c"}},
            {"source": "mail"},
            ("google", "cpc", "c"),
        ),
        (
            {
                "session_traffic_source_last_click": {
                    "manual_campaign": {"source": "a", "medium": "b", "campaign_name": "c"}
                },
                "collected_traffic_source": {"manual_source": "bing"},
            },
            {},
            ("a", "b", "c"),
        ),
        (
            {
                "session_traffic_source_last_click": {
                    "cross_channel_campaign": {"source": "(not set)", "medium": "x"},
                    "manual_campaign": {"source": "a", "medium": "b"},
                }
            },
            {},
            ("a", "b", None),
        ),
        # a click id makes a visit paid, wherever it stands
        ({"collected_traffic_source": {**ORGANIC, "gclid": "x"}}, {}, ("google", "cpc", None)),
        ({"collected_traffic_source": {**ORGANIC, "dclid": "x"}}, {}, ("google", "cpc", None)),
        ({"collected_traffic_source": ORGANIC}, {"gclid": "x"}, ("google", "cpc", None)),
        ({"collected_traffic_source": ORGANIC | {"gclid": ""}}, {}, ("google", "organic", "(organic)")),
        (
            {"collected_traffic_source": ORGANIC},
            {"page_location": "https://x.co/?a=1&GBRAID=y"},
            ("google", "cpc", None),
        ),
        (
            {},
            {"source": "google", "medium": "organic", "page_location": "https://x.co/?wbraid=y#top"},
            ("google", "cpc", None),
        ),
        ({}, {"page_location": "https://x.co/quote?msclkid=abc"}, ("bing", "cpc", None)),
        ({}, {"page_location": "https://x.co/quote?msclkid=&valid=1"}, (None, None, None)),
        (
            {},
            {"source": "facebook", "medium": "referral", "page_location": "https://x.co/?fbclid=z"},
            ("facebook", "referral", None),
        ),
        (
            {
                "collected_traffic_source": {
                    "manual_source": "partner",
                    "manual_medium": "paid_search",
                    "manual_campaign_name": "may",
                    "gclid": "x",
                }
            },
            {},
            ("partner", "paid_search", "may"),
        ),
        (
            {"collected_traffic_source": {"manual_source": "(direct)", "manual_medium": "(none)", "gclid": "x"}},
            {},
            ("google", "cpc", None),
        ),
        (
            {
                "session_traffic_source_last_click": {
                    "cross_channel_campaign": {"source": "google", "medium": "cpc", "campaign_name": "spring"}
                }
            },
            {"gclid": "x"},
            ("google", "cpc", "spring"),
        ),
    ],
)
def test_traffic_is_that_of_the_best_level(directory: Any, write: Any, more: Any, params: Any, expected: Any) -> None:
    write("events_20260131.jsonl", _event(params=params, **more))
    directory.run("ga4")

    assert directory.query("select source, medium, campaign from raw_ga4.events") == [expected]


def test_parquet_in_both_list_shapes(directory: Any, folder: Path) -> None:
    value = "{string_value: null::varchar, int_value: 7::bigint, float_value: null::double, double_value: null::double}"
    for day, params in (
        ("20260131", f"[{{key: 'ga_session_id', value: {value}}}]"),
        ("20260201", f"{{list: [{{element: {{key: 'ga_session_id', value: {value}}}}}]}}"),
    ):
        duckdb.sql(
            f"select '{day}' as event_date, {AT}::bigint as event_timestamp, 'page_view' as event_name, {params} as event_params, "
            "'1.2' as user_pseudo_id, {source: 'x', medium: 'y'} as traffic_source"
        ).write_parquet(str(folder / f"events_{day}.parquet"))
    directory.run("ga4")

    assert directory.query("select event_day::varchar, event_at, ga_session_id from raw_ga4.events order by 1") == [
        ("2026-01-31", datetime(2026, 1, 31, 22, 53, 20, 123456), 7),
        ("2026-02-01", datetime(2026, 1, 31, 22, 53, 20, 123456), 7),
    ]


@pytest.mark.parametrize("is_plain", [True, False], ids=["right from the files", "row by row"])
def test_days_in_parquet_give_what_the_same_days_give_as_lines(
    directory: Any, folder: Path, write: Any, is_plain: bool
) -> None:
    first = [_event(AT + one, params={"ga_session_id": one}) for one in range(50)]
    first += [first[3], first[7]]  # sent twice
    second = [_event(AT + one, "20260201", {"gclid": "x"}, collected_traffic_source={"manual_source": "flyer", "gclid": None}) for one in range(9)]  # fmt: skip
    mixed = write("events_20260202.jsonl", _event(AT, "20260202"))
    days = [write("events_20260131.jsonl", *first), write("events_20260201.jsonl", *second)]
    read = f"select {COLUMNS}, record from raw_ga4.events order by event_day, event_at"
    directory.run("ga4")
    expected = directory.query(f"select * exclude (record) from ({read})")
    shutil.rmtree(directory.root / "var")
    extra = "" if is_plain else ", 'x' as filename"
    for path in days:
        duckdb.sql(f"select *{extra} from read_json_auto('{path}')").write_parquet(str(path.with_suffix(".parquet")))
        path.unlink()
    landing, _, _ = directory.run("ga4")
    assert landing.counts["events"] == TableCount(62, 60, 0, 2) and mixed.exists()
    assert directory.query(f"select * exclude (record) from ({read})") == expected
    records = [json.loads(row[0]) for row in directory.query(f"select record from ({read})")]
    assert [record["event_timestamp"] for record in records[:50]] == [str(AT + one) for one in range(50)]
    assert "collected_traffic_source" not in records[0] and records[55]["collected_traffic_source"]["manual_source"] == "flyer"  # fmt: skip


def test_unchanged_files_are_not_read_and_a_changed_day_is_loaded_whole(directory: Any, write: Any) -> None:
    path = write("events_20260131.jsonl", _event(1 + AT), _event(2 + AT))
    write("events_20260201.jsonl", _event(3 + AT, "20260201"))
    directory.run("ga4")
    assert directory.run("ga4")[1:] == (None, 0)
    path.write_bytes(path.read_bytes())  # the same bytes, written anew
    assert directory.run("ga4")[1:] == (None, 0)

    write("events_20260131.jsonl", _event(1 + AT), _event(2 + AT), _event(9 + AT))
    landing, load_id, files = directory.run("ga4")

    assert load_id
    assert (landing.counts["events"].loaded, files) == (3, 1)
    assert directory.query(
        "select count(*) from raw_ga4.events where event_day = '2026-01-31' group by _load_id order by _load_id"
    ) == [
        (2,),
        (3,),
    ]


def test_intraday_files_count_until_the_daily_one_is_there(directory: Any, write: Any) -> None:
    write("events_intraday_20260131.jsonl", _event())
    directory.run("ga4")
    write("events_intraday_20260131.jsonl", _event(), _event(AT + 1))
    assert directory.run("ga4")[0].counts["events"].loaded == 2
    write("events_20260131.jsonl", _event(), _event(AT + 1), _event(AT + 2))
    assert directory.run("ga4")[0].counts["events"].loaded == 3
    write("events_intraday_20260131.jsonl", _event(), _event(AT + 7))

    assert directory.run("ga4")[1] is None


def test_shards_of_a_day_are_one_day_and_repeats_in_it_are_duplicates(directory: Any, write: Any) -> None:
    write("events_20260131_000000000000.jsonl", _event(), _event(), _event(AT + 1))
    write("events_20260131_000000000001.jsonl", _event(), _event(AT + 2))
    write("events_20260201.jsonl", _event() | {"event_date": "20260201"})
    landing, _, _ = directory.run("ga4")

    count = landing.counts["events"]
    assert (count.received, count.loaded, count.quarantined, count.duplicates) == (6, 4, 0, 2)


def test_rows_that_do_not_fit_are_quarantined_with_their_file(directory: Any, write: Any) -> None:
    write(
        "events_20260131.jsonl",
        _event(),
        _event("never"),
        _event(day="20260130"),
        {**_event(), "event_timestamp": None},
        {**_event(), "event_date": None},
        "[1, 2]",
        '{"event_date": "20260131", "event_timest',
        "",
        _event(AT + 5, params={"note": "y" * 2_500_000}),
        _event(AT + 6, params={"ga_session_id": "abc"}),
        {**_event(AT + 7), "event_params": "none"},
        {**_event(AT + 8), "event_params": None},
    )
    landing, _, _ = directory.run("ga4")

    count = landing.counts["events"]
    assert (count.received, count.loaded, count.quarantined) == (11, 4, 7)
    reasons = directory.query("select file, reason from raw_log.quarantine order by line")
    assert {file for file, _ in reasons} == {"events_20260131.jsonl"}
    assert directory.query("select line from raw_log.quarantine order by line") == [
        (2,),
        (3,),
        (4,),
        (5,),
        (6,),
        (7,),
        (10,),
    ]
    for place, part in enumerate(
        ("event_at", "20260130 is not the day", "event_at", "event_day", "event_day", "JSON", "ga_session_id")
    ):
        assert part in reasons[place][1]


def test_a_replayed_row_brings_its_whole_day_and_never_becomes_the_day(directory: Any, write: Any) -> None:
    write("events_20260131.jsonl", _event(), _event(AT + 1), _event("soon"))
    write("events_20260201.jsonl", _event(day="20260201"))
    directory.run("ga4")
    company = Company.open(directory.root, {})
    waiting = quarantine.waiting(company)
    outcome = quarantine.replay(company, waiting, received_at=datetime(2026, 8, 1))
    assert len(waiting) == 1 and outcome == quarantine.Replay(0, 0, 0, 1)
    days = "select event_day, count(*) from raw_ga4.events where (event_day, _load_id) in (select event_day, max(_load_id) from raw_ga4.events group by 1) group by 1 order by 1"
    expected = [(date(2026, 1, 31), 2), (date(2026, 2, 1), 1)]
    assert directory.query(days) == expected
    landing, _, files = directory.run("ga4")
    assert (files, landing.counts["events"]) == (1, TableCount(3, 2, 1, 0))
    assert directory.query(days) == expected and len(quarantine.waiting(company)) == 1
    assert directory.run("ga4")[2] == 0
    write("events_20260131.jsonl", _event(), _event(AT + 1), _event(AT + 2))
    directory.run("ga4")
    assert quarantine.waiting(company) == []


def test_bytes_that_are_no_text_spoil_only_their_row(directory: Any, folder: Path) -> None:
    good = json.dumps(_event()).encode()
    (folder / "events_20260131.jsonl").write_bytes(good + b"\n\xff\xfe\x00{\n" + good.replace(b"456", b"789") + b"\r\n")
    landing, _, _ = directory.run("ga4")

    assert (landing.counts["events"].loaded, landing.counts["events"].quarantined) == (2, 1)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("events_20260131.jsonl.gz", gzip.compress(b"x" * 5000, mtime=0)[:20]),
        ("events_20260131.jsonl.gz", b"{}"),
        ("events_20260131.parquet", b"PAR1 no"),
    ],
    ids=["gzip that ends early", "gzip that is none", "Parquet that is none"],
)
def test_a_file_that_cannot_be_read_is_refused_once(
    directory: Any, folder: Path, write: Any, name: str, content: bytes
) -> None:
    (folder / name).write_bytes(content)
    write("events_20260201.jsonl", _event(day="20260201"))
    landing, _, _ = directory.run("ga4")

    assert (landing.counts["events"].loaded, landing.counts["events"].quarantined) == (1, 1)
    rows = directory.query("select file, reason from raw_log.quarantine")
    assert rows[0][0] == name
    assert rows[0][1].startswith("the file can't be read")
    assert directory.run("ga4")[1] is None


def test_settings_and_folders_that_do_not_fit_are_refused(directory: Any, folder: Path, write: Any) -> None:
    write("events_20261301.jsonl", _event())
    with pytest.raises(SourceError, match="names no day"):
        directory.run("ga4")
    (folder / "events_20261301.jsonl").unlink()
    write("events_20260131.jsonl", _event())
    write("events_20260131.jsonl.gz", _event())
    with pytest.raises(SourceError, match="same day"):
        directory.run("ga4")
    directory.configure("ga4", folder="elsewhere")
    with pytest.raises(ConfigurationError, match="elsewhere"):
        directory.run("ga4")


def test_rows_come_in_one_order_whatever_the_threads_do(directory: Any, write: Any) -> None:
    many = [_event(AT + number, params={"ga_session_id": number}) for number in range(4_000)]
    for day in range(1, 5):
        events = [event | {"event_date": f"2026020{day}"} for event in many]
        write(f"events_2026020{day}.jsonl", *events, events[7], events[9])
    orders = []
    for _ in range(3):
        directory.run("ga4")
        orders.append(directory.query("select event_day, ga_session_id, _row from raw_ga4.events order by _row"))
        shutil.rmtree(directory.root / "var")
    assert orders[0] == orders[1] == orders[2] and len(orders[0]) == 16_000
    assert [row[1] for row in orders[0][:7]] == list(range(7))


def test_batches_with_bytes_that_are_no_text_are_kept_apart(
    directory: Any, folder: Path, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.sources.ga4.days._BATCH_BYTES", 1_000)
    for day in range(1, 6):
        path = write(f"events_2026020{day}.jsonl", *(_event(AT + number, day=f"2026020{day}") for number in range(10)))
        with path.open("ab") as file:
            file.write(b"\xff\xfe no text\n")
    landing, _, _ = directory.run("ga4")
    assert landing.counts["events"] == TableCount(55, 50, 5, 0)
    assert directory.query("select event_day, count(*) from raw_ga4.events group by 1 order by 1") == [
        (date(2026, 2, day), 10) for day in range(1, 6)
    ]
    assert sorted(directory.query("select file, line from raw_log.quarantine")) == [
        (f"events_2026020{day}.jsonl", 11) for day in range(1, 6)
    ]
