"""A bucket on loopback (moto's S3 server) whose requests tests see, hold up and answer before the server does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from moto.server import ThreadedMotoServer

from ingestion import SourceResult
from ingestion.run import extract
from salesgauge.process import Process
from salesgauge.settings import Company

RECEIVED_AT = datetime(2026, 7, 1, 5)
BUCKET, PREFIX = "exports", "crm/daily"
PROCESS = """
company: {name: Test, currency: USD, timezone: America/Chicago}
process:
  versions: [{key: baseline, effective_from: 2025-01-01}]
  stages:
    - {key: inquiry, object: lead}
    - {key: won, kind: won}
    - {key: lost, kind: lost}
"""
MAPPING = f"""
location: s3://{BUCKET}/{PREFIX}
files:
  - path: leads_*.csv
    entity: leads
    key: id
    columns: {{last_name: name, created_at: at}}
    dates: {{format: iso8601, timezone: UTC}}
"""


class Service:
    """The server, with a hook before each request of the source, ``before(method, path)``, and one that changes the content of objects on the way."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        self.seen: list[tuple[str, str]] = []
        self.before: Callable[[str, str], None] | None = None
        self.change: Callable[[bytes], bytes] | None = None
        server = self._server._server
        assert server is not None
        inner = server.app

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
            if "aiobotocore" in environ.get("HTTP_USER_AGENT", "").lower():
                self.seen.append((method, path))
                if self.before is not None:
                    self.before(method, path)
                if (
                    self.change is not None
                    and method == "GET"
                    and path.count("/") > 1
                    and "prefix=" not in environ["QUERY_STRING"]
                ):
                    return [self.change(b"".join(inner(environ, start_response)))]
            return inner(environ, start_response)

        server.app = app

    def stop(self) -> None:
        self._server.stop()

    def reset(self) -> None:
        requests.post(f"{self.url}/moto-api/reset", timeout=10)
        requests.post(f"{self.url}/moto-api/reset-auth", data=b"inf", timeout=10)
        self.seen.clear()
        self.before = self.change = None

    def client(self, service: str = "s3", key: str = "admin", secret: str = "admin-secret") -> Any:
        return boto3.client(
            service, endpoint_url=self.url, aws_access_key_id=key, aws_secret_access_key=secret, region_name="us-east-1", config=Config(proxies={}),
        )  # fmt: skip

    def user(self, *actions: str) -> tuple[str, str]:
        """The key of a new user with the rights ``actions``. From now on every request needs rights."""
        iam = self.client("iam")
        name = f"user{len(iam.list_users()['Users'])}"
        iam.create_user(UserName=name)
        if actions:
            document = {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
            }
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def guard(self) -> None:
        """From now on rights are checked."""
        requests.post(f"{self.url}/moto-api/reset-auth", data=b"0", timeout=10)

    def counts(self) -> Counter[str]:
        """Requests of the source by kind: GET of an object, HEAD, LIST."""
        return Counter("LIST" if path.strip("/") == BUCKET else method for method, path in self.seen)


class BucketCompany:
    """A company whose file source ``crm`` lies in the bucket."""

    def __init__(self, root: Path, service: Service) -> None:
        root.mkdir()
        (root / ".dlt").mkdir()
        (root / "sources").mkdir()
        (root / "data").mkdir()
        (root / "process.yml").write_text(PROCESS, encoding="utf-8")
        self.root, self.service = root, service
        self.mapping(MAPPING)
        self.configure()

    def mapping(self, text: str) -> None:
        (self.root / "sources" / "crm.yml").write_text(text, encoding="utf-8")

    def configure(self, key: str = "reader", secret: str = "reader-secret", name: str = "crm", **settings: str) -> None:
        settings = {"endpoint_url": self.service.url, **settings}
        lines = [f'{setting} = "{value}"' for setting, value in settings.items()]
        (self.root / ".dlt" / "config.toml").write_text("\n".join([f"[sources.{name}]", *lines]))
        (self.root / ".dlt" / "secrets.toml").write_text(
            f'[sources.{name}]\naws_access_key_id = "{key}"\naws_secret_access_key = "{secret}"\n'
        )

    @property
    def company(self) -> Company:
        return Company.open(self.root, {})

    def put(self, name: str, text: str | bytes, prefix: str = PREFIX) -> None:
        self.service.client().put_object(
            Bucket=BUCKET, Key=f"{prefix}/{name}", Body=text if isinstance(text, bytes) else text.encode()
        )

    def run(self, name: str = "crm") -> SourceResult:
        self.service.seen.clear()
        process = Process.load(self.root / "process.yml")
        (result,) = extract(self.company, process, received_at=RECEIVED_AT, names=[name])
        return result

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        from ingestion.catalogue import create_views
        from salesgauge.warehouse import connect

        with connect(":memory:") as con:
            create_views(con, self.company, ())
            return con.execute(sql).fetchall()


@pytest.fixture(scope="session")
def _service() -> Iterator[Service]:
    one = Service()
    yield one
    one.stop()


@pytest.fixture
def service(_service: Service) -> Service:
    _service.reset()
    _service.client().create_bucket(Bucket=BUCKET)
    return _service


@pytest.fixture
def bucket(service: Service, tmp_path: Path) -> BucketCompany:
    return BucketCompany(tmp_path / "company", service)
