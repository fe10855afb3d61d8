"""Files in a bucket: read once, replaced like local files, never half, and each thing that can be wrong in words."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ingestion import TableCount
from ingestion.files.run import check
from ingestion.sources.ga4 import check as check_ga4
from orchestration.cli import main
from salesgauge.process import Process

HEADER = "id,name,at\n"


def leads(*names: str) -> str:
    return HEADER + "".join(f"{name},{name},2026-01-01T00:00:00Z\n" for name in names)


def names(bucket: Any) -> list[str]:
    return [row[0] for row in bucket.rows("select last_name from raw_files.leads order by 1")]


def test_once_then_nothing_then_what_changed(bucket: Any) -> None:
    for number in range(3):
        bucket.put(f"leads_{number}.csv", leads(f"a{number}", f"b{number}"))
    bucket.put("other.csv", "x\n1\n")
    bucket.put("deeper/leads_9.csv", leads("deep"))
    first = bucket.run()
    assert (first.state, first.error, first.total) == ("loaded", None, TableCount(6, 6, 0, 0))
    assert bucket.service.counts()["GET"] == 3
    assert bucket.rows("select distinct _file from raw_files.leads order by 1") == [
        (f"leads_{n}.csv",) for n in range(3)
    ]
    again = bucket.run()
    assert (again.state, again.requests, again.total) == ("unchanged", 0, TableCount())
    assert dict(bucket.service.counts()) == {"LIST": 2}
    bucket.put("leads_1.csv", leads("c1"))
    bucket.put("leads_3.csv", leads("a3"))
    bucket.service.client().delete_object(Bucket="exports", Key="crm/daily/leads_0.csv")
    third = bucket.run()
    assert (third.state, third.requests, third.total) == ("loaded", 2, TableCount(2, 2, 0, 0))
    assert bucket.service.counts()["GET"] == 2
    assert names(bucket) == ["a0", "a2", "a3", "b0", "b2", "c1"]  # a file that was moved away keeps its rows
    assert (bucket.run().state, dict(bucket.service.counts())) == ("unchanged", {"LIST": 2})


def test_equal_content_that_was_written_again_is_not_downloaded(bucket: Any) -> None:
    bucket.put("leads_1.csv", leads("a"))
    bucket.run()
    bucket.put("leads_1.csv", leads("a"))
    assert bucket.run().state == "unchanged" and bucket.service.counts()["GET"] == 0


def test_a_file_that_two_entries_name_is_downloaded_once(bucket: Any) -> None:
    text = (bucket.root / "sources" / "crm.yml").read_text()
    bucket.mapping(text + "  - {path: leads_1.csv, entity: contacts, key: id, columns: {last_name: name}}\n")
    bucket.put("leads_1.csv", leads("a", "b"))
    assert bucket.run().total.loaded == 4
    assert bucket.service.counts()["GET"] == 1
    assert bucket.run().state == "unchanged"


def test_patterns_reach_into_folders(bucket: Any) -> None:
    text = (bucket.root / "sources" / "crm.yml").read_text()
    bucket.mapping(text.replace("leads_*.csv", "'**/leads_*.csv'"))
    bucket.put("leads_0.csv", leads("top"))
    bucket.put("2026/01/leads_1.csv", leads("deep"))
    assert bucket.run().error is None and names(bucket) == ["deep", "top"]


def test_no_match_is_told(bucket: Any) -> None:
    result = bucket.run()
    assert result.state == "failed" and "no file matches 'leads_*.csv' in s3://exports/crm/daily" in result.error


def test_an_object_that_changes_while_it_is_read_comes_whole(bucket: Any) -> None:
    bucket.put("leads_1.csv", leads("old", "older"))
    swapped: list[str] = []

    def swap(method: str, path: str) -> None:
        if method == "GET" and path.endswith("leads_1.csv") and not swapped:
            swapped.append(path)
            bucket.put("leads_1.csv", leads("new1", "new2", "new3"))

    bucket.service.before = swap
    assert bucket.run().error is None and names(bucket) == ["new1", "new2", "new3"]
    assert bucket.run().state == "unchanged"


def test_an_object_that_changes_all_the_time_is_told_and_keeps_its_rows(bucket: Any) -> None:
    bucket.put("leads_1.csv", leads("first"))
    bucket.put("leads_2.csv", leads("second"))
    bucket.run()
    bucket.put("leads_1.csv", leads("x"))
    count = iter(range(100))

    def swap(method: str, path: str) -> None:
        if method == "GET" and path.endswith("leads_1.csv"):
            bucket.put("leads_1.csv", leads(f"x{next(count)}"))

    bucket.service.before = swap
    result = bucket.run()
    assert result.state == "failed" and "leads_1.csv: can't be read: it changes while it is read" in result.error
    assert names(bucket) == ["first", "second"]
    bucket.service.before = None
    assert bucket.run().error is None and len(names(bucket)) == 2 and "first" not in names(bucket)


def test_a_large_object_comes_in_parts(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.connector.buckets._BLOCK", 1 << 16)
    rows = [f"n{number:06}" for number in range(10_000)]
    bucket.put("leads_1.csv", leads(*rows))
    assert bucket.run().total == TableCount(10_000, 10_000, 0, 0)
    assert bucket.service.counts()["GET"] > 5
    assert names(bucket) == rows


def test_nothing_is_left_of_what_was_downloaded(bucket: Any) -> None:
    bucket.put("leads_1.csv", leads("a"))
    bucket.run()
    assert not [path for path in (bucket.root / "var" / "work").rglob("*") if path.is_file()]


def _advice(bucket: Any) -> str:
    findings = check(bucket.company, Process.load(bucket.company.process_file), "crm")
    return " ".join(finding.advice for finding in findings if not finding.is_ok)


def test_what_is_wrong_is_said_in_words(bucket: Any, tmp_path: Any) -> None:
    bucket.put("leads_1.csv", leads("a"))
    assert [finding.is_ok for finding in check(bucket.company, Process.load(bucket.company.process_file), "crm")] == [
        True,
        True,
    ]
    good = bucket.service.user("s3:ListBucket", "s3:GetObject")
    listing, reading = bucket.service.user("s3:ListBucket"), bucket.service.user("s3:GetObject")
    bucket.service.guard()
    text = (bucket.root / "sources" / "crm.yml").read_text()
    for key, settings, location, words in (
        (("AKIAWRONG", "wrong-secret-1"), {}, "exports", "the key is not accepted"),
        ((good[0], "wrong-secret-1"), {}, "exports", "the key is not accepted (SignatureDoesNotMatch)"),
        (reading, {}, "exports", "no right to list it (AccessDenied). Grant s3:ListBucket"),
        (listing, {}, "exports", "has no right to read it ("),
        (good, {}, "missing-bucket", "there is no bucket 'missing-bucket' at 127.0.0.1"),
        (good, {"endpoint_url": "http://127.0.0.1:9"}, "exports", "127.0.0.1:9 does not answer"),
        (good, {"endpoint_url": "http://s3.example.com"}, "exports", "plain http"),
        (good, {"endpoint_url": "s3.example.com"}, "exports", "endpoint_url must look like"),
        ((good[0], ""), {}, "exports", "the secret 'aws_secret_access_key' of source 'crm' is missing"),
    ):
        bucket.configure(*key, **settings)
        bucket.mapping(text.replace("s3://exports/", f"s3://{location}/"))
        advice, result = _advice(bucket), bucket.run()
        assert words in advice, words
        assert result.state == "failed" and words in result.error, words
        assert key[1] == "" or key[1] not in result.error + advice
    bucket.configure(*good)
    bucket.mapping(text)
    assert bucket.run().state == "loaded"


def test_one_object_that_can_not_be_read_does_not_hold_up_the_others(bucket: Any) -> None:
    bucket.put("leads_1.csv", leads("anna"))
    bucket.service.client().put_object(Bucket="exports", Key="crm/daily/leads_2.csv", Body=leads("cold").encode(), StorageClass="GLACIER")  # fmt: skip
    bucket.put("leads_3.csv", leads("carl"))
    result = bucket.run()
    assert names(bucket) == ["anna", "carl"] and not result.is_misconfigured
    assert "leads_2.csv: can't be read: it is in an archive (InvalidObjectState)" in result.error
    bucket.put("leads_2.csv", leads("warm"))
    assert bucket.run().error is None and names(bucket) == ["anna", "carl", "warm"]


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("ftp://bucket/x", "must begin with one of: s3://"),
        ("s3://key:secret@bucket/x", "keys belong into .dlt/secrets.toml"),
        ("s3://bucket/*/x", "patterns belong into `path`"),
        ("gs://bucket/x", "Install the package gcsfs"),
    ],
)
def test_locations_that_can_not_be(bucket: Any, location: str, words: str) -> None:
    text = (bucket.root / "sources" / "crm.yml").read_text()
    bucket.mapping(text.replace("s3://exports/crm/daily", location))
    result = bucket.run()
    assert result.state == "failed" and result.is_misconfigured and words in result.error


def test_a_killed_download_is_healed_by_the_next_run(bucket: Any) -> None:
    for number in range(3):
        bucket.put(f"leads_{number}.csv", leads(f"a{number}"))
    reached, go_on = threading.Event(), threading.Event()

    def hold(method: str, path: str) -> None:
        if method == "GET" and path.endswith("leads_1.csv"):
            reached.set()
            go_on.wait(60)

    bucket.service.before = hold
    child = subprocess.Popen([sys.executable, str(Path(__file__).with_name("killed_run.py")), str(bucket.root)])
    try:
        assert reached.wait(60)
    finally:
        child.kill()
        child.wait()
        go_on.set()
        bucket.service.before = None
    assert list((bucket.root / "var" / "work").rglob("*")), "it was killed in the middle"
    result = bucket.run()
    assert (result.state, result.total) == ("loaded", TableCount(3, 3, 0, 0))
    assert names(bucket) == ["a0", "a1", "a2"]
    assert not [path for path in (bucket.root / "var" / "work").rglob("*") if path.is_file()]


def test_the_environment_does_not_say_where_to_read(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put("leads_1.csv", leads("a"))
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert bucket.run().state == "loaded"


def test_export_files_of_ga4_in_a_bucket(bucket: Any) -> None:
    def event(day: int, place: int) -> str:
        return json.dumps({"event_date": f"202602{day:02}", "event_timestamp": str(1769950000000000 + day * 86_400_000_000 + place), "event_name": "page_view"}) + "\n"  # fmt: skip

    bucket.configure(name="ga4", folder="s3://exports/web")
    bucket.put("events_20260201.jsonl", event(1, 1), "web")
    bucket.put("events_20260202.jsonl.gz", gzip.compress((event(2, 1) + event(2, 2)).encode()), "web")
    bucket.put("readme.txt", "no export", "web")
    first = bucket.run("ga4")
    assert (first.state, first.error, first.total) == ("loaded", None, TableCount(3, 3, 0, 0))
    again = bucket.run("ga4")
    assert (again.state, again.requests) == ("unchanged", 0) and dict(bucket.service.counts()) == {"LIST": 2}
    bucket.put("events_20260201.jsonl", event(1, 1) + event(1, 2), "web")
    assert bucket.run("ga4").total == TableCount(2, 2, 0, 0)
    assert bucket.service.counts()["GET"] == 1
    assert not [path for path in (bucket.root / "var" / "work").rglob("*") if path.is_file()]
    assert [one.is_ok for one in check_ga4(bucket.company.source("ga4"))] == [True]
    bucket.configure(name="ga4", folder="s3://nowhere/web")
    assert "there is no bucket 'nowhere'" in (bucket.run("ga4").error or "")
    (finding,) = check_ga4(bucket.company.source("ga4"))
    assert not finding.is_ok and "there is no bucket 'nowhere'" in finding.advice


def test_what_arrives_damaged_is_copied_again(bucket: Any) -> None:
    bucket.put("leads_1.csv", leads("anna"))
    damaged = iter([True, True, False])
    bucket.service.change = lambda content: content.replace(b"anna", b"aNNa") if next(damaged, False) else content
    assert bucket.run().error is None and names(bucket) == ["anna"]
    bucket.put("leads_1.csv", leads("bert"))
    bucket.service.change = lambda content: content.replace(b"bert", b"bErt")
    result = bucket.run()
    assert result.state == "failed" and "leads_1.csv: can't be read: it arrived damaged" in result.error
    assert names(bucket) == ["anna"]


def test_an_etag_that_is_no_hash_of_the_content_is_no_damage(bucket: Any) -> None:
    """Objects that are encrypted with a key of their own have one that looks like a hash."""
    key = bucket.service.client("kms").create_key()["KeyMetadata"]["KeyId"]
    bucket.service.client().put_object(Bucket="exports", Key="crm/daily/leads_1.csv", Body=leads("anna").encode(), ServerSideEncryption="aws:kms", SSEKMSKeyId=key)  # fmt: skip
    bucket.service.change = lambda content: content.replace(b"anna", b"bert")  # the etag is that of other content
    assert bucket.run().error is None and names(bucket) == ["bert"]


def test_a_public_bucket_needs_no_key(bucket: Any) -> None:
    client = bucket.service.client()
    client.put_bucket_acl(Bucket="exports", ACL="public-read")
    client.put_object(Bucket="exports", Key="crm/daily/leads_1.csv", Body=leads("a").encode(), ACL="public-read")
    text = (bucket.root / "sources" / "crm.yml").read_text()
    bucket.mapping(text.replace("s3://exports/crm/daily", "s3://exports").replace("leads_*.csv", "crm/*/leads_1.csv"))
    bucket.configure("", "", anonymous="true")
    assert bucket.run().error is None
    assert bucket.rows("select _file from raw_files.leads") == [("crm/daily/leads_1.csv",)]


def test_the_command_line_tells_of_the_bucket(bucket: Any) -> None:
    bucket.put("leads_1.csv", leads("a"))
    arguments = ["--company", str(bucket.root), "sources"]
    shown = CliRunner().invoke(main, [*arguments, "check", "crm"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0 and "leads_*.csv in s3://exports/crm/daily: 1 file for leads" in shown.output
    assert "files in s3://exports/crm/daily" in CliRunner().invoke(main, arguments, env={"COLUMNS": "300"}).output
    bucket.configure(endpoint_url="http://127.0.0.1:9")
    shown = CliRunner().invoke(main, [*arguments, "check"], env={"COLUMNS": "200"})
    assert shown.exit_code == 2 and "127.0.0.1:9 does not answer" in shown.output


def test_a_file_that_the_mapping_names_no_longer_loses_its_rows(bucket: Any) -> None:
    for number in range(3):
        bucket.put(f"leads_{number}.csv", leads(f"a{number}"))
    bucket.run()
    bucket.service.client().delete_object(Bucket="exports", Key="crm/daily/leads_0.csv")
    text = (bucket.root / "sources" / "crm.yml").read_text()
    bucket.mapping(text.replace("leads_*.csv", "leads_1.csv"))
    assert bucket.run().error is None
    assert names(bucket) == ["a0", "a1"]  # what was moved away stays, what is there but not named goes
    assert bucket.run().state == "unchanged"


def test_no_connection_goes_anywhere_else(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put("leads_1.csv", leads("a"))
    connect, reached = socket.socket.connect, set()

    def noted(self: socket.socket, address: Any) -> Any:
        if self.family != socket.AF_UNIX:
            reached.add(address[:2])
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    assert bucket.run().error is None and bucket.run().state == "unchanged"
    host, _, port = bucket.service.url.removeprefix("http://").partition(":")
    assert reached == {(host, int(port))}
