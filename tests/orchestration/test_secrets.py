"""Secrets stay where they are kept: nothing that a run writes holds one, whether it goes well or fails in a way that invites to show them."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, quote_plus

import duckdb
import psycopg
import pytest

import demo.company
from demo.crms import CRMS, crm
from demo.log import CompanyLog
from demo.servers.ga4_data import server as ga4_data
from demo.servers.traffic import Loopback
from demo.simulation.simulate import simulate
from ingestion.catalogue import about
from ingestion.connector.about import About
from proofs.faults.play import SOURCES
from salesgauge.masking import hide, masked, masked_document
from salesgauge.settings import API_SOURCES
from tests.orchestration.canaries import MARKER, Doorman, canary, found_in, holds_canary, url_safe_canary

_SETTINGS = ("DAGSTER", "SALESGAUGE", "SOURCES__")
DATABASE = "old_crm"
# What the demo's servers call their secrets; client ids and the like are no secrets, but nobody needs to read them in a log either.
KEYS = {source.name: dict(source.secrets) for source in SOURCES}
# not used beside a token
KEYS["calendly"] |= {"client_id": "-", "client_secret": "--", "refresh_token": "---"}
KEYS["ga4"] = {"aws_access_key_id": "-", "aws_secret_access_key": "--"}  # of a bucket; its files are in a folder here
KEYS["ga4_data"] = {
    "client_id": ga4_data.CLIENT_ID,
    "client_secret": ga4_data.CLIENT_SECRET,
    "refresh_token": ga4_data.REFRESH_TOKEN,
    "service_account": "-",  # not used beside a token
}
# Runs commands with every logger open, short waits, and a copy of each file that it removes.
PROGRAM = """
import itertools, json, logging, os, sys, traceback
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
kept, numbers = os.environ["KEPT"], itertools.count()
def keep(path):
    try:
        os.link(path, f"{kept}/{next(numbers)}-{os.path.basename(path)}")
    except OSError:
        pass
def watch(event, arguments):
    if event in ("os.remove", "os.rename"):
        keep(os.fsdecode(arguments[0]))
    elif event == "shutil.rmtree":
        for folder, _, names in os.walk(arguments[0]):
            for name in names:
                keep(f"{folder}/{name}")
sys.addaudithook(watch)
from ingestion.http.limits import RetryPolicy
RetryPolicy.backoff = lambda policy, failures: 0.01
if os.environ.get("BREAK"):
    from ingestion.http.client import HttpClient
    def broken(client, call, response, kind):
        raise RuntimeError(f"cannot read the answer to {response.request.headers} {client.auth.secrets()!r}")
    HttpClient._document = broken
from orchestration.cli import main
codes = []
for arguments in json.loads(sys.argv[2]):
    try:
        main(["--company", sys.argv[1], *arguments])
    except SystemExit as end:
        codes.append(end.code or 0)
    except BaseException:
        traceback.print_exc()
        codes.append(1)
with open(os.environ["CODES"], "w") as file:
    json.dump(codes, file)
"""


@pytest.fixture(scope="module")
def log() -> CompanyLog:
    return simulate(7, 0.022, days=400)


@dataclass
class Scene:
    """A company with every API source and a database, whose secrets are canaries; ``root`` holds all that a run may write."""

    root: Path
    log: CompanyLog
    doors: dict[str, Doorman]
    urls: dict[str, str]
    database: str
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def company(self) -> Path:
        return self.root / "company"

    def write(self, urls: dict[str, str], database: str) -> None:
        """The company directory; ``urls``: where each source is."""
        for name in ("kept", "tmp", "home"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        demo.company.write(self.company, self.log, crm_url=urls["hubspot"], typeform_url=urls["typeform"])
        for name in CRMS:
            for path, content in crm(name).files().items():
                (self.company / path).write_text(content)
        (self.company / "sources" / f"{DATABASE}.yml").write_text(
            "tables:\n  - table: invoices\n    entity: invoices\n    key: no\n    columns: {invoice_id: no, amount: price, invoiced_at: at}\n"
            '    dates: {format: "%Y-%m-%d", timezone: America/Chicago}\n'
        )
        config = [f'[salesgauge]\nas_of = "{self.log.as_of.isoformat()}Z"', '[sources.ga4]\nfolder = "ga4"']
        for source in SOURCES:
            config.append(f"[sources.{source.name}]")
            config += [f"{key} = {json.dumps(value)}" for key, value in source.config(urls[source.name]).items()]
        first, url = (self.log.as_of - timedelta(days=5)).date(), urls["ga4_data"]
        config += [
            f'[sources.ga4_data]\nproperty_id = "{ga4_data.PROPERTY}"\nbase_url = "{url}"\ntoken_url = "{url}/token"\nstart_date = "{first}"'
        ]
        (self.company / ".dlt" / "config.toml").write_text("\n".join(config))
        secrets = [f'[salesgauge]\nalert_webhook_url = "http://127.0.0.1:9/hook/{url_safe_canary("webhook")}"']
        for name, keys in KEYS.items():
            secrets.append(f"[sources.{name}]")
            secrets += [f'{key} = "{canary(f"{name}.{key}")}"' for key in keys]
        secrets.append(f'[sources.{DATABASE}]\nconnection = "{database}"')
        (self.company / ".dlt" / "secrets.toml").write_text("\n".join(secrets))

    def command(self, *commands: list[str], **environ: str) -> tuple[list[int], str]:
        """``salesgauge`` on the company: exit codes, and what was printed, which is kept with everything else."""
        env = {key: value for key, value in os.environ.items() if not key.startswith(_SETTINGS)}
        env |= {"KEPT": str(self.root / "kept"), "TMPDIR": str(self.root / "tmp"), "HOME": str(self.root / "home")}
        env |= {"CODES": str(self.root / "codes.json"), **environ}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(self.company), json.dumps(commands)],
            env=env,
            capture_output=True,
            text=True,
            timeout=900,
        )
        (self.root / "printed.out").write_text(done.stdout)
        (self.root / "printed.err").write_text(done.stderr)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads((self.root / "codes.json").read_text()), done.stdout


def _servers(log: CompanyLog) -> dict[str, Doorman]:
    apps = {source.name: source.server(log, source.options).app for source in SOURCES}
    apps["ga4_data"] = ga4_data.Ga4DataServer(log).app
    return {
        name: Doorman(app, name, {own: canary(f"{name}.{key}") for key, own in KEYS[name].items()})
        for name, app in apps.items()
    }


@pytest.fixture
def scene(tmp_path: Path, log: CompanyLog, postgres: str) -> Iterator[Scene]:
    password = canary("database.password")
    with psycopg.connect(postgres, autocommit=True) as con:
        con.execute("drop table if exists invoices; drop role if exists canary_reader")
        con.execute("create table invoices (no int primary key, price numeric, at text)")
        con.execute("insert into invoices select n, 10 * n, '2026-01-15' from generate_series(1, 20) n")
        con.execute(f"create role canary_reader login password '{password}'")
        con.execute("grant select on invoices to canary_reader")
    place = postgres.rpartition("@")[2]
    with ExitStack() as stack:
        doors, urls = _servers(log), {}
        for name, door in doors.items():
            loop = Loopback(door)
            urls[name] = loop.start()
            stack.callback(loop.stop)
        yield Scene(tmp_path, log, doors, urls, f"postgresql://canary_reader:{quote(password, safe='')}@{place}")


SECRETS_FILE, TOKEN_STORE = "company/.dlt/secrets.toml", "company/var/credentials/jobber.json"


def _leaks(scene: Scene) -> list[str]:
    """Where canaries are that should not be; the search has to find those that people and the token store keep."""
    found = found_in(scene.root)
    assert SECRETS_FILE in found
    # copies of the token store, which is written beside its place and moved there
    stored = [name for name in found if name == TOKEN_STORE or re.fullmatch(r"kept/\d+-jobber\.json\.new", name)]
    for name in stored:
        assert stat.S_IMODE((scene.root / name).stat().st_mode) == 0o600
    return [name for name in found if name != SECRETS_FILE and name not in stored]


@pytest.mark.slow
def test_a_run_that_goes_well_shows_no_secret(scene: Scene) -> None:
    scene.write(scene.urls, scene.database)
    codes, printed = scene.command(["run"], ["sources", "check"], ["sources"])
    assert codes == [0, 0, 0], printed[-3000:]
    assert re.findall(r"^ +(\w+) +(failed|loaded) ", printed, re.MULTILINE) == [
        (name, "loaded") for name in [*API_SOURCES, DATABASE]
    ]
    for name, door in scene.doors.items():
        assert door.let_in >= 1, f"{name} was never asked with its canary"
    assert _leaks(scene) == []
    assert MARKER in (scene.root / TOKEN_STORE).read_text()
    assert (scene.company / "var" / "dagster").is_dir() and any((scene.root / "kept").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("how", ["401", "500", "refused", "exception", "malformed"])
def test_a_run_that_fails_shows_no_secret(scene: Scene, how: str) -> None:
    urls, database = scene.urls, scene.database
    wrong = canary("database.wrong")
    for door in scene.doors.values():
        door.says, door.only_data = {"401": 401, "500": 500}.get(how, 0), how == "500"
    place = database.rpartition("@")[2]
    if how == "refused":
        urls = dict.fromkeys(urls, "http://127.0.0.1:9")
        database = f"{database.rpartition('@')[0]}@127.0.0.1:9/postgres"
    elif how == "malformed":
        database = f"postgresql://canary_reader:a@{url_safe_canary('host')}@{place}"
    else:
        database = f"postgresql://canary_reader:{quote(wrong, safe='')}@{place}"
    scene.write(urls, database)
    if how == "malformed":  # a line break in each key
        secrets = scene.company / ".dlt" / "secrets.toml"
        secrets.write_text(secrets.read_text().replace(f'"{MARKER}', f'"{MARKER}\\n'))
    environ = {"BREAK": "yes", f"SOURCES__{DATABASE.upper()}__CONNECTION": database} if how == "exception" else {}
    (ran, checked, listed), printed = scene.command(["run"], ["sources", "check"], ["sources"], **environ)
    assert (ran in (2, 3), checked, listed) == (True, 2, 0), printed[-3000:]
    assert "MISSING" in printed and "what to do" in printed
    assert _leaks(scene) == []
    if how in ("401", "500"):
        assert all(door.sent_away for door in scene.doors.values())
        assert "***" in printed


def test_an_alert_does_not_log_its_address(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """The address of a webhook is a secret, and the HTTP library logs paths."""

    from orchestration.alerts import send_alert
    from salesgauge.settings import Company

    asked = []

    async def app(scope: object, receive: object, send: object) -> None:
        asked.append(scope["path"])  # type: ignore[index]
        await send({"type": "http.response.start", "status": 500, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]

    loop = Loopback(app)
    (tmp_path / "process.yml").write_text("company: {}\n")
    with caplog.at_level("DEBUG"):
        for url in (loop.start(), "http://127.0.0.1:9"):
            company = Company.open(tmp_path, {"SALESGAUGE__ALERT_WEBHOOK_URL": f"{url}/{url_safe_canary('hook')}"})
            said = send_alert(company, at=datetime(2026, 7, 1), title="t", reasons=["r"], run_id="1")
            assert not holds_canary(said.encode())
    loop.stop()
    assert len(asked) == 1 and MARKER in asked[0]
    assert not holds_canary(caplog.text.encode() + "".join(capfd.readouterr()).encode())
    assert found_in(tmp_path) == []


def test_every_secret_of_every_source_is_a_canary() -> None:
    for name in API_SOURCES:
        known = about(name)
        assert isinstance(known, About)
        assert {setting.key for setting in known.settings if setting.is_secret} <= set(KEYS.get(name, {})), name


def test_what_is_hidden_is_masked_in_every_form() -> None:
    secret = canary("masking")
    hide(secret, "short")
    forms = [secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret), repr(secret)]
    forms += [
        base64.b64encode(f"{before}{secret}:".encode()).decode() for before in ("", "u", "us", "user:", "userab:")
    ]
    for form in forms:
        assert holds_canary(form.encode()) and not holds_canary(masked(f"<{form}>").encode()), form
    assert masked("a short word") == "a short word"
    assert masked_document({secret: [{"a": [secret, 1, None]}]}) == {"***": [{"a": ["***", 1, None]}]}


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """The control: a canary in every place where one could hide."""
    secret = canary("control")
    places = {
        "plain.log": secret.encode(),
        "address.txt": quote(secret, safe="").encode(),
        "half.txt": secret[: len(secret) // 2].encode(),
        "wide.bin": secret.encode("utf-16-le"),
        "basic.txt": b"Basic " + base64.b64encode(f"user:{secret}".encode()),
        "log.gz": gzip.compress(b"x" * 9000 + secret.encode()),
    }
    for name, content in places.items():
        (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.gz", gzip.compress(secret.encode()))
    with duckdb.connect(str(tmp_path / "a.duckdb")) as con:
        con.execute(
            "create schema s; create table s.t as select i, repeat(?, 3) as text from range(3000) r(i)", [secret]
        )
        # long, so that no statistics show it
        con.execute(
            f"copy (select {{'inner': [repeat('y', 400) || text]}} as one from s.t) to '{tmp_path}/a.parquet' (compression gzip)"
        )
    base = sqlite3.connect(tmp_path / "a.db")
    base.execute("create table t (a)")
    base.execute("insert into t values (?)", ["y" * 5000 + secret])
    base.commit()
    base.close()
    (tmp_path / f"name-{MARKER}.txt").write_text("")
    (tmp_path / "clean.txt").write_text("nothing here")
    packed = {"a.zip", "a.duckdb", "a.parquet", "a.db", f"name-{MARKER}.txt"}
    assert set(found_in(tmp_path)) == {*places, *packed}
    for name in ("log.gz", "a.zip", "a.parquet"):  # found by reading it, not by its bytes
        assert MARKER.encode() not in (tmp_path / name).read_bytes()
