"""Tokens that end, change with every use or are refused; and what is kept of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ingestion.http.answers import ErrorReading, Refused
from ingestion.http.auth import Auth, Basic, ClientCredentials, Headers, Pair, RefreshToken, TokenStore
from ingestion.http.client import HttpClient
from ingestion.http.limits import RateLimit, RetryPolicy
from salesgauge.errors import ConfigurationError, SourceError
from salesgauge.settings import Company


class Vendor:
    """Gives tokens by client credentials or by a refresh token that dies with its use; data only for the newest access token."""

    def __init__(self, lasts: int | None = 3600) -> None:
        self.lasts, self.given, self.refresh, self.down = lasts, 0, "refresh-0", 0
        self.app = Starlette(
            routes=[Route("/token", self.token, methods=["POST"]), Route("/data", self.data), Route("/csv", self.csv)]
        )

    async def token(self, request: Request) -> Response:
        if self.down:
            self.down -= 1
            return Response("busy", status_code=503)
        form = {key: values[0] for key, values in parse_qs((await request.body()).decode()).items()}
        if form.get("client_secret") != "s3cret-value" or form.get("refresh_token", self.refresh) != self.refresh:
            return JSONResponse({"error": "invalid_grant", "error_description": "no s3cret-value"}, status_code=400)
        self.given += 1
        answer: dict[str, Any] = {"access_token": f"access-{self.given}"}
        if self.lasts is not None:
            answer["expires_in"] = self.lasts
        if form["grant_type"] == "refresh_token":
            self.refresh = answer["refresh_token"] = f"refresh-{self.given}"
        return JSONResponse(answer)

    async def data(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer access-{self.given}":
            return JSONResponse({"error": "expired"}, status_code=401)
        return JSONResponse({"ok": True})

    async def csv(self, request: Request) -> Response:
        return Response("a,b\n1,2\n" * 1000)


@pytest.fixture
def company(tmp_path: Path) -> Company:
    (tmp_path / "process.yml").write_text("company: {}\n")
    return Company.open(tmp_path, {})


def client(url: str, auth: Auth) -> HttpClient:
    policy = RetryPolicy(attempts=2, seconds=2, first_wait=0.01)
    limits = {"default": RateLimit(1000, 1.0)}
    return HttpClient("jobber", url, auth, limits, lambda *_: ErrorReading(), policy)


FORM = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "s3cret-value"}


def test_client_credentials_are_asked_once_and_renewed_after_a_401(serve: Callable[[Any], str]) -> None:
    vendor = Vendor()
    url = serve(vendor.app)
    http = client(url, ClientCredentials("jobber", f"{url}/token", FORM))
    with ThreadPoolExecutor(4) as pool:
        assert all(answer.body["ok"] for answer in pool.map(lambda _: http.get("/data"), range(20)))
    assert vendor.given == 1
    vendor.given = 7  # the vendor made our token invalid
    assert http.get("/data").body == {"ok": True}
    assert vendor.given == 8


def test_a_token_that_is_refused_again_ends_the_source(serve: Callable[[Any], str]) -> None:
    vendor = Vendor()
    url = serve(vendor.app)
    http = client(url, Headers({"Authorization": "Bearer old"}))
    with pytest.raises(Refused) as caught:
        http.get("/data")
    assert (caught.value.status, http.sent) == (401, 1)


def test_a_short_lived_token_is_not_asked_for_with_every_request(serve: Callable[[Any], str]) -> None:
    vendor = Vendor(lasts=5)
    url = serve(vendor.app)
    http = client(url, Pair(ClientCredentials("jobber", f"{url}/token", FORM), Headers({"X-Key": "k"})))
    for _ in range(3):
        http.get("/data")
    assert vendor.given == 1


def test_a_rotating_refresh_token_is_kept_before_it_is_used(serve: Callable[[Any], str], company: Company) -> None:
    vendor = Vendor()
    url = serve(vendor.app)

    def make(given: str = "refresh-0") -> RefreshToken:
        form = {"client_id": "me", "client_secret": "s3cret-value"}
        store = TokenStore(company.source("jobber"))
        return RefreshToken("jobber", f"{url}/token", refresh_token=given, form=form, store=store)

    first = make()
    assert first.headers() == {"Authorization": "Bearer access-1"}
    file = company.credentials_dir / "jobber.json"
    assert json.loads(file.read_text())["refresh_token"] == "refresh-1"
    assert file.stat().st_mode & 0o077 == 0
    assert make().headers() == {"Authorization": "Bearer access-2"}  # another run goes on with the stored one
    vendor.refresh = "refresh-new"
    assert make("refresh-new").headers() == {"Authorization": "Bearer access-3"}  # a person connected anew
    assert "refresh" not in repr(first)


def test_a_refresh_token_that_another_process_used_up_meanwhile_is_not_posted(
    serve: Callable[[Any], str], company: Company
) -> None:
    vendor = Vendor()
    url = serve(vendor.app)

    def make() -> RefreshToken:
        form = {"client_id": "me", "client_secret": "s3cret-value"}
        store = TokenStore(company.source("jobber"))
        return RefreshToken("jobber", f"{url}/token", refresh_token="refresh-0", form=form, store=store)

    run = make()
    before = run.headers()
    check = make()
    assert check.headers() == {"Authorization": "Bearer access-2"}
    assert run.renew(before) and run.headers() == {"Authorization": "Bearer access-3"}
    many = [make() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        given = list(pool.map(lambda one: one.headers()["Authorization"], many))
    assert len(set(given)) == 6


def test_wrong_credentials_are_a_matter_of_configuration_and_not_shown(serve: Callable[[Any], str]) -> None:
    url = serve(Vendor().app)
    with pytest.raises(ConfigurationError, match=r"refused the credentials with 400 \(invalid_grant") as caught:
        ClientCredentials("jobber", f"{url}/token", {**FORM, "client_secret": "other-value"}).headers()
    assert "other-value" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="must be https"):
        ClientCredentials("jobber", "http://login.example.com/token", FORM)


def test_a_busy_token_server_is_asked_again(serve: Callable[[Any], str]) -> None:
    vendor = Vendor()
    vendor.down = 2
    url = serve(vendor.app)
    assert ClientCredentials("jobber", f"{url}/token", FORM).headers() == {"Authorization": "Bearer access-1"}
    with pytest.raises(SourceError, match="got no answer"):
        ClientCredentials("jobber", "http://127.0.0.1:9/token", FORM).headers()


def test_a_download_is_whole(serve: Callable[[Any], str], tmp_path: Path) -> None:
    http = client(serve(Vendor().app), Basic("user", "password-1"))
    http.download("/csv", tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == "a,b\n1,2\n" * 1000
