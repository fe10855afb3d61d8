"""A small HubSpot account in memory, for tests that need to say what each record is. The demo's whole account is in ``demo.servers.hubspot``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ingestion.sources.hubspot.tables import OBJECTS

START = datetime(2026, 1, 1, tzinfo=UTC)
MODIFIED = {kind.name: kind.modified for kind in OBJECTS}


def iso_text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Portal:
    """A HubSpot account in memory with the API's paging, caps and batch sizes. ``faults`` are answered first, by path."""

    def __init__(self, version: str = "v3") -> None:
        self.objects: dict[str, dict[str, dict[str, Any]]] = {kind.name: {} for kind in OBJECTS}
        self.archived: dict[str, dict[str, dict[str, Any]]] = {kind.name: {} for kind in OBJECTS}
        self.links: dict[tuple[str, str], dict[str, list[Any]]] = {}
        self.owner_list = [{"id": "77", "email": "a@b.co", "firstName": "Ann", "lastName": "Lee", "archived": False}]
        self.pipeline_list: list[dict[str, Any]] = [
            {"id": "default", "label": "Sales", "stages": [{"id": "quote_sent", "label": "Quote"}]}
        ]
        self.custom: list[dict[str, Any]] = [{"name": "branch", "hubspotDefined": False}]
        self.calls: Counter[str] = Counter()
        self.reads: list[str] = []
        self.faults: list[tuple[str, Callable[[], Response]]] = []
        self.cap = 10_000
        self.uncounted = 0
        self.clock = "Wed, 01 Jul 2026 05:00:00 GMT"
        objects = "/crm/v3/objects/{kind}" if version == "v3" else f"/crm/objects/{version}/{{kind}}"
        links = "/crm/v4/associations" if version == "v3" else f"/crm/associations/{version}"

        def area(name: str) -> str:
            return f"/crm/v3/{name}" if version == "v3" else f"/crm/{name}/{version}"

        self._app = Starlette(
            routes=[
                Route(objects, self._list),
                Route(objects + "/search", self._search, methods=["POST"]),
                Route(objects + "/batch/read", self._read, methods=["POST"]),
                Route(links + "/{origin}/{target}/batch/read", self._links, methods=["POST"]),
                Route(area("owners"), self._owners),
                Route(area("pipelines") + "/{kind}", lambda request: self._json({"results": self.pipeline_list})),
                Route(area("properties") + "/{kind}", lambda request: self._json({"results": self.custom})),
            ]
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        self.calls[
            path.rsplit("/", 1)[-1] if path.endswith(("search", "read")) else path.split("/")[2 if "20" in path else 3]
        ] += 1
        for place, (part, answer) in enumerate(self.faults):
            if part in path:
                del self.faults[place]
                await answer()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def put(self, kind: str, number: int, minutes: float = 0, **properties: Any) -> None:
        """Create or edit a record, last modified ``minutes`` after the start."""
        at = iso_text(START + timedelta(minutes=minutes))
        one = str(number)
        before = self.objects[kind].get(one) or {"properties": {}, "createdAt": at}
        values = {**before["properties"], "hs_object_id": one, MODIFIED[kind]: at, **properties}
        self.objects[kind][one] = {
            "id": one,
            "properties": values,
            "createdAt": before["createdAt"],
            "updatedAt": at,
            "archived": False,
        }

    def archive(self, kind: str, number: int, minutes: float) -> None:
        record = self.objects[kind].pop(str(number))
        at = iso_text(START + timedelta(minutes=minutes))
        self.archived[kind][str(number)] = {**record, "archived": True, "archivedAt": at}

    def restore(self, kind: str, number: int) -> None:
        record = self.archived[kind].pop(str(number))
        record.pop("archivedAt")
        self.objects[kind][str(number)] = {**record, "archived": False}

    def link(self, origin: str, number: int, target: str, *to: int) -> None:
        self.links.setdefault((origin, target), {})[str(number)] = [
            {"toObjectId": one, "associationTypes": [{"typeId": 1}]} for one in to
        ]

    def _json(self, body: Any, status: int = 200) -> Response:
        headers = {
            "Date": self.clock,
            "X-HubSpot-RateLimit-Max": "100000",
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        }
        return JSONResponse(body, status_code=status, headers=headers)

    def _shown(self, kind: str, record: dict[str, Any], properties: list[str], history: list[str]) -> dict[str, Any]:
        shown = {**record, "properties": {name: record["properties"].get(name) for name in properties}}
        if history:
            value = record["properties"]
            shown["propertiesWithHistory"] = {
                name: [{"value": value.get(name), "timestamp": record["updatedAt"]}] for name in history
            }
        return shown

    async def _list(self, request: Request) -> Response:
        query, kind = request.query_params, request.path_params["kind"]
        history = [name for name in query.get("propertiesWithHistory", "").split(",") if name]
        limit = int(query.get("limit", 10))
        if limit > (50 if history else 100):
            return self._json({"status": "error", "message": "limit", "category": "VALIDATION_ERROR"}, 400)
        source = self.archived if query.get("archived") == "true" else self.objects
        found = sorted(
            (one for one in source[kind].values() if int(one["id"]) > int(query.get("after", 0))),
            key=lambda one: int(one["id"]),
        )
        body: dict[str, Any] = {
            "results": [self._shown(kind, one, query["properties"].split(","), history) for one in found[:limit]]
        }
        if len(found) > limit:
            body["paging"] = {"next": {"after": found[limit - 1]["id"]}}
        return self._json(body)

    async def _search(self, request: Request) -> Response:
        body, kind = await request.json(), request.path_params["kind"]
        if body["limit"] == 1:  # how many there are
            self.calls["search"] -= 1
            self.calls["count"] += 1
            (test,) = body["filterGroups"][0]["filters"]
            assert (test["propertyName"], test["operator"]) == ("hs_object_id", "LTE")
            total = sum(int(one) <= int(test["value"]) for one in self.objects[kind])
            return self._json({"total": total + self.uncounted, "results": []})
        offset, limit = int(body.get("after", 0)), body["limit"]
        if offset + limit > self.cap or limit > 200 or len(body["sorts"]) != 1:
            return self._json({"status": "error", "message": "cap", "category": "VALIDATION_ERROR"}, 400)

        def value(record: dict[str, Any], name: str) -> int:
            return int(record["id"]) if name == "hs_object_id" else _epoch_ms(record["updatedAt"])

        tests = {"GTE": int.__ge__, "EQ": int.__eq__, "GT": int.__gt__}
        found = list(self.objects[kind].values())
        for one in body["filterGroups"][0]["filters"]:
            found = [
                record
                for record in found
                if tests[one["operator"]](value(record, one["propertyName"]), int(one["value"]))
            ]
        found.sort(key=lambda record: value(record, body["sorts"][0]["propertyName"]))
        answer: dict[str, Any] = {
            "total": len(found),
            "results": [self._shown(kind, one, body["properties"], []) for one in found[offset : offset + limit]],
        }
        if offset + limit < len(found):
            answer["paging"] = {"next": {"after": str(offset + limit)}}
        return self._json(answer)

    async def _read(self, request: Request) -> Response:
        body, kind = await request.json(), request.path_params["kind"]
        ids = [one["id"] for one in body["inputs"]]
        history = body.get("propertiesWithHistory", [])
        if len(ids) > (50 if history else 100):
            return self._json({"status": "error", "message": "batch", "category": "VALIDATION_ERROR"}, 400)
        self.reads.extend(f"{kind}/{one}" for one in ids)
        source = (self.archived if request.query_params.get("archived") == "true" else self.objects)[kind]
        answer: dict[str, Any] = {
            "results": [self._shown(kind, source[one], body["properties"], history) for one in ids if one in source]
        }
        missing = [one for one in ids if one not in source]
        if missing:
            answer |= {"numErrors": 1, "errors": [{"category": "OBJECT_NOT_FOUND", "context": {"ids": missing}}]}
        return self._json(answer, 207 if missing else 200)

    async def _links(self, request: Request) -> Response:
        origin, target = request.path_params["origin"], request.path_params["target"]
        inputs = (await request.json())["inputs"]
        assert len(inputs) <= 1000
        known, results, errors = self.links.get((origin, target), {}), [], []
        for one in inputs:
            links = known.get(one["id"], [])
            offset = int(one.get("after", 0))
            element: dict[str, Any] = {"from": {"id": one["id"]}, "to": links[offset : offset + 500]}
            if offset + 500 < len(links):
                element["paging"] = {"next": {"after": str(offset + 500)}}
            if links:
                results.append(element)
            else:
                errors.append({"category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"})
        return self._json({"results": results, "errors": errors, "numErrors": len(errors)}, 207 if errors else 200)

    async def _owners(self, request: Request) -> Response:
        archived = request.query_params.get("archived") == "true"
        return self._json({"results": [owner for owner in self.owner_list if owner["archived"] is archived]})


def _epoch_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
