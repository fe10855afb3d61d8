"""A loopback GA4 Data API: ``:runReport`` and ``metadata`` of one property over the company's web traffic, and Google's token server.

Spoken: dimensions and metrics of the sheet by day (``dateRanges`` of one day or more), ``orderBys`` dimensions, ``limit`` and ``offset`` as text, positional rows, no
``rows`` and no ``rowCount`` where there is nothing, ``propertyQuota``, thresholding, sampling, ``(other)``, restricted cost; 401, 403, 400 and 429 in Google's
words. Tokens: a JWT of the service account (RS256, checked), or a refresh token. Cost of ads is invented from paid sessions: the log has none.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pandas as pd
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.ga4 import CHANNEL, REWRITTEN_DAYS
from demo.log import CompanyLog
from demo.servers.traffic import Traffic, application

PROPERTY, EMAIL = "310001234", "reader@northside-demo.iam.gserviceaccount.com"
REFRESH_TOKEN, CLIENT_ID, CLIENT_SECRET = "1//demo-refresh", "demo-client", "demo-client-secret"
SCOPE = "https://www.googleapis.com/auth/analytics.readonly"
NOT_SET, OTHER = "(not set)", "(other)"
_PRICE = {"search_brand": 1.35, "search_hvac": 9.42, "search_plumbing": 7.18, "fb_tuneup": 0.87, "fb_financing": 1.04}
_SESSION_DIMENSIONS = (
    "sessionDefaultChannelGroup",
    "sessionSource",
    "sessionMedium",
    "sessionCampaignName",
    "landingPagePlusQueryString",
)
_DIMENSIONS = ("date", *_SESSION_DIMENSIONS, "eventName")
_TYPES = {
    "sessions": "TYPE_INTEGER", "engagedSessions": "TYPE_INTEGER", "totalUsers": "TYPE_INTEGER", "newUsers": "TYPE_INTEGER",
    "eventCount": "TYPE_INTEGER", "keyEvents": "TYPE_FLOAT", "advertiserAdCost": "TYPE_CURRENCY",
    "advertiserAdClicks": "TYPE_INTEGER", "advertiserAdImpressions": "TYPE_INTEGER",
}  # fmt: skip
_MOST_ROWS = 250_000


@dataclass(frozen=True)
class Ga4DataOptions:
    """``with_late``: late events have arrived. Days (``YYYYMMDD``) on which rows of fewer than ``least_users`` users are withheld (``thresholded``), that are
    counted from a sample, of which all but ``most_rows`` rows are one row ``(other)``. ``refuse``: number of a report's request → the message of its 429.
    ``tokens``: of the day, one per request. ``hides_cost``: the account may not see cost. ``incompatible``: a metric that no report may name.
    """

    with_late: bool = True
    thresholded: frozenset[str] = frozenset()
    least_users: int = 2
    sampled: frozenset[str] = frozenset()
    overflowing: frozenset[str] = frozenset()
    most_rows: int = 3
    refuse: dict[int, str] = field(default_factory=dict)
    tokens: int = 200_000
    hides_cost: bool = False
    incompatible: str = ""


@cache
def _private_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def service_account_key() -> str:
    """The JSON key file of the service account that the server knows. Made anew in each process."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = _private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps({"type": "service_account", "private_key_id": "k1", "private_key": pem, "client_email": EMAIL})


class Ga4DataState:
    """Sessions and events of a log as a property counts them; ``frame(kind)``: one row per session, event or paid session."""

    def __init__(self, log: CompanyLog, with_late: bool) -> None:
        self.as_of, self.zone = log.as_of, log.timezone
        events = log.web_events
        newest = sorted(events["event_date"].unique())[-REWRITTEN_DAYS:]
        if not with_late:
            events = events[~(events["is_late"] & events["event_date"].isin(newest))]
        events = events[events["ga_session_id"].notna() & events["user_pseudo_id"].notna()]
        self.sessions = _sessions(events)
        self.events = events.assign(
            date=events["event_date"],
            eventName=events["event_name"],
            user=events["user_pseudo_id"],
            eventCount=1,
            keyEvents=(events["event_name"] == "generate_lead").astype(int),
        )
        self.clicks = self.sessions[self.sessions["sessionMedium"].isin(["cpc", "paid_social"])]


def _sessions(events: pd.DataFrame) -> pd.DataFrame:
    ordered = events.sort_values("event_timestamp", kind="stable")
    groups = ordered.groupby(["user_pseudo_id", "ga_session_id"], sort=False)
    first = groups.first()
    views = ordered[ordered["event_name"] == "page_view"].groupby(["user_pseudo_id", "ga_session_id"], sort=False)
    names = ordered.assign(
        is_engaged=ordered["event_name"] == "user_engagement", is_key=ordered["event_name"] == "generate_lead"
    ).groupby(["user_pseudo_id", "ga_session_id"], sort=False)
    frame = pd.DataFrame(
        {
            "date": first["event_date"],
            "sessionSource": first["source"],
            "sessionMedium": first["medium"],
            "sessionCampaignName": first["campaign"].astype(object),
            "landingPagePlusQueryString": views["page_location"].first().map(lambda url: urlsplit(url).path),
            "engagedSessions": names["is_engaged"].max().astype(int),
            "keyEvents": names["is_key"].sum().astype(int),
            "at": first["event_timestamp"],
        }
    ).reset_index()
    frame = frame.rename(columns={"user_pseudo_id": "user"}).sort_values("at", kind="stable", ignore_index=True)
    groups_of = zip(frame["sessionSource"], frame["sessionMedium"], strict=True)
    frame["sessionDefaultChannelGroup"] = [CHANNEL.get(origin, "Unassigned") for origin in groups_of]
    plain = {"organic": "(organic)", "(none)": "(direct)", "referral": "(referral)"}
    campaign = frame["sessionCampaignName"].where(
        frame["sessionCampaignName"].notna(), frame["sessionMedium"].map(plain)
    )
    frame["sessionCampaignName"] = campaign
    for name in _SESSION_DIMENSIONS:
        frame[name] = frame[name].where(frame[name].notna(), NOT_SET)
    frame["sessions"] = 1
    frame["newUsers"] = (~frame["user"].duplicated()).astype(int)
    return frame


class Ga4DataServer:
    """The application over a ``Ga4DataState``. ``revoke`` ends all tokens given so far."""

    def __init__(self, log: CompanyLog, options: Ga4DataOptions | None = None) -> None:
        self.traffic = Traffic()
        self.reports = 0
        self._tokens: set[str] = set()
        self._given = 0
        self.replace(log, options or Ga4DataOptions())
        self.app = application(
            [
                Route("/token", self._token, methods=["POST"]),
                Route("/v1beta/properties/{number}/metadata", self._guarded(self._metadata)),
                Route("/v1beta/properties/{number}:runReport", self._guarded(self._report), methods=["POST"]),
            ],
            self.traffic,
            lambda: self.state.as_of,
        )

    def replace(self, log: CompanyLog, options: Ga4DataOptions) -> None:
        """Answer from ``log`` from now on."""
        self.options, self.state = options, Ga4DataState(log, options.with_late)
        self.reports = 0

    def revoke(self) -> None:
        """No token given so far is good any more."""
        self._tokens.clear()

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        grant = form.get("grant_type", "")
        if grant.endswith("jwt-bearer"):
            why = _jwt_problem(form.get("assertion", ""), str(request.url))
        else:
            wanted = {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}  # fmt: skip
            why = None if form == wanted else "Token has been expired or revoked."
        if why is not None:
            return JSONResponse({"error": "invalid_grant", "error_description": why}, 400)
        self._given += 1
        token = f"ya29.demo-{self._given}"
        self._tokens.add(token)
        self.traffic.count("token")
        return JSONResponse({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def _guarded(self, handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def guarded(request: Request) -> Response:
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            if token not in self._tokens:
                self.traffic.refused["401"] += 1
                return _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
            if request.path_params["number"] != PROPERTY:
                return _error(403, "PERMISSION_DENIED", "User does not have sufficient permissions for this property.")
            answer: Response = await handler(request)
            return answer

        return guarded

    async def _metadata(self, request: Request) -> Response:
        self.traffic.count("metadata")
        return JSONResponse({"name": f"properties/{PROPERTY}/metadata", "dimensions": [{"apiName": name} for name in _DIMENSIONS], "metrics": [{"apiName": name} for name in _TYPES]})  # fmt: skip

    async def _report(self, request: Request) -> Response:
        asked = await request.json()
        self.reports += 1
        message = self.options.refuse.get(self.reports)
        if message is None and self.reports > self.options.tokens:
            message = "Exhausted property tokens per day. These quota tokens will return in under 24 hours."
        if message is not None:
            self.traffic.refused["429"] += 1
            return _error(429, "RESOURCE_EXHAUSTED", message)
        dimensions = [one["name"] for one in asked["dimensions"]]
        metrics = [one["name"] for one in asked["metrics"]]
        unknown = [name for name in dimensions if name not in _DIMENSIONS] + [
            name for name in metrics if name not in _TYPES or name == self.options.incompatible
        ]
        limit = int(asked.get("limit", 10_000))
        if unknown or not 0 < limit <= _MOST_ROWS or len(dimensions) > 9 or len(metrics) > 10:
            return _error(400, "INVALID_ARGUMENT", f"Please remove {', '.join(unknown) or 'limit'} to make the request compatible.")  # fmt: skip
        (span,) = asked["dateRanges"]
        days = _days(span["startDate"], span["endDate"])
        rows, metadata = self._rows(days, dimensions, metrics)
        order = [dimensions.index(one["dimension"]["dimensionName"]) for one in asked.get("orderBys", [])]
        rows.sort(key=lambda row: [row[0][place] for place in order])
        offset = int(asked.get("offset", 0))
        page = rows[offset : offset + limit]
        self.traffic.count("report", None, ["|".join(values) for values, _ in page])
        body: dict[str, Any] = {
            "dimensionHeaders": [{"name": name} for name in dimensions],
            "metricHeaders": [{"name": name, "type": _TYPES[name]} for name in metrics],
            "metadata": metadata,
            "kind": "analyticsData#runReport",
        }
        if asked.get("returnPropertyQuota"):
            left = max(0, self.options.tokens - self.reports)
            body["propertyQuota"] = {"tokensPerDay": {"consumed": 1, "remaining": left}}
        if page:
            body["rows"] = [
                {
                    "dimensionValues": [{"value": one} for one in values],
                    "metricValues": [{"value": one} for one in numbers],
                }
                for values, numbers in page
            ]
        if rows:
            body["rowCount"] = len(rows)
        return JSONResponse(body)

    def _rows(
        self, days: list[str], dimensions: list[str], metrics: list[str]
    ) -> tuple[list[tuple[list[str], list[str]]], dict[str, Any]]:
        """The rows as (dimension values, metric values), and the metadata."""
        options = self.options
        is_cost = any(name.startswith("advertiser") for name in metrics)
        frame = (
            self.state.clicks if is_cost else self.state.events if "eventName" in dimensions else self.state.sessions
        )
        frame = frame[frame["date"].isin(days)]
        metadata: dict[str, Any] = {"currencyCode": "USD", "timeZone": self.state.zone}
        groups = [(list(key), rows) for key, rows in frame.groupby(dimensions, sort=True)]
        if options.thresholded & set(days) and not is_cost:
            groups = [(key, rows) for key, rows in groups if rows["user"].nunique() >= options.least_users]
            metadata["subjectToThresholding"] = True
        if options.sampled & set(days):
            metadata["samplingMetadatas"] = [{"samplesReadCount": "4200", "samplingSpaceSize": "10000"}]
        if options.overflowing & set(days) and len(groups) > options.most_rows:
            groups.sort(key=lambda group: -len(group[1]))
            rest = groups[options.most_rows :]
            values = [value if name == "date" else OTHER for name, value in zip(dimensions, rest[0][0], strict=True)]
            groups = [*groups[: options.most_rows], (values, pd.concat([rows for _, rows in rest]))]
            metadata["dataLossFromOtherRow"] = True
        if is_cost and options.hides_cost:
            metadata["schemaRestrictionResponse"] = {"activeMetricRestrictions": [{"metricName": "advertiserAdCost", "restrictedMetricTypes": ["COST_DATA"]}]}  # fmt: skip
            groups = []
        return [(key, [_metric(name, rows) for name in metrics]) for key, rows in groups], metadata


def _metric(name: str, rows: pd.DataFrame) -> str:
    if name == "totalUsers":
        return str(rows["user"].nunique())
    if name == "advertiserAdCost":
        return repr(round(sum(_PRICE.get(campaign, 1.0) for campaign in rows["sessionCampaignName"]), 2))
    if name == "advertiserAdClicks":
        return str(len(rows))
    if name == "advertiserAdImpressions":
        return str(18 * len(rows))
    total = int(rows[name].sum())
    return f"{total:.1f}" if _TYPES[name] == "TYPE_FLOAT" else str(total)


def _days(first: str, last: str) -> list[str]:
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return [f"{begin + timedelta(days=number):%Y%m%d}" for number in range((end - begin).days + 1)]


def _jwt_problem(assertion: str, audience: str) -> str | None:
    """What Google would say of the JWT, or None."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    try:
        header, claims, signature = assertion.split(".")
        said = json.loads(_decoded(claims))
        _private_key().public_key().verify(
            _decoded(signature), f"{header}.{claims}".encode(), PKCS1v15(), hashes.SHA256()
        )
    except (ValueError, InvalidSignature):
        return "Invalid JWT Signature."
    if said["iss"] != EMAIL:
        return "Invalid grant: account not found"
    if said["scope"] != SCOPE or not audience.endswith(urlsplit(said["aud"]).path[-6:]):
        return "Invalid scope or audience."
    return None if 0 < said["exp"] - said["iat"] <= 3600 else "Invalid JWT: Token must be a short-lived token"


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": status, "message": message, "status": code}}, status)
