"""Secrets that are easy to find again: making them, letting the demo's servers take them for their own, and looking for them in all that was written."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import sqlite3
import zipfile
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb

MARKER = "Zq7xKwBv9TnLr3"  # in every canary, twice: half a canary is found too
_PACKED = 3  # archives within archives
_PLAIN = frozenset(
    {"BOOLEAN", "DATE", "DECIMAL", "DOUBLE", "FLOAT", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}
    | {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")} | {"INTEGER", "UINTEGER"}
)  # fmt: skip


def canary(name: str) -> str:
    """A secret for ``name`` with signs that addresses and JSON write in another way."""
    return f"{MARKER}/+{name}=&{MARKER}"


def url_safe_canary(name: str) -> str:
    """One without such signs, for a path or where two encodings meet."""
    return f"{MARKER}.{name}.{MARKER}"


def _needles() -> tuple[bytes, ...]:
    raw = MARKER.encode()
    found = [raw, raw.hex().encode(), raw.hex().upper().encode(), raw.decode().encode("utf-16-le"), raw[::-1]]
    for start in range(3):
        text = base64.b64encode(b"\0" * start + raw).decode().rstrip("=")
        found.append(text[4 if start else 0 : -2].encode())
    return tuple(found)


NEEDLES = _needles()


def holds_canary(data: bytes) -> bool:
    """Whether the bytes hold a piece of a canary: as it is, in hex, UTF-16 or base64; what is packed in them too."""
    return any(needle in part for part in _unpacked(data, _PACKED) for needle in NEEDLES)


def found_in(folder: Path) -> list[str]:
    """The files below ``folder`` (relative) that hold a canary, in their bytes or in what a database or Parquet reader sees; also in their names."""
    found = []
    with duckdb.connect() as con:
        search = _Search(con)
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if (
                MARKER in name
                or (path.is_symlink() and MARKER in str(path.readlink()))
                or (path.is_file() and not path.is_symlink() and search.finds_in(path))
            ):
                found.append(name)
    return found


class _Search:
    """Looks into files, once into those with the same bytes: many are copies of what was moved or removed later. ``con`` reads Parquet."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._known: dict[bytes, bool] = {}

    def finds_in(self, path: Path) -> bool:
        data = path.read_bytes()
        key = hashlib.sha256(data).digest()
        if key not in self._known:
            self._known[key] = any(holds_canary(part) for part in _contents(path, data, self._con))
        return self._known[key]


def _contents(path: Path, data: bytes, con: duckdb.DuckDBPyConnection) -> Iterator[bytes]:
    yield data
    if data[:4] == b"PAR1":
        place = str(path).replace("'", "''")
        yield _text(con, f"read_parquet('{place}')")
    elif data.startswith(b"SQLite format 3"):
        base = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        base.text_factory = bytes
        for (table,) in base.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in base.execute(f'select * from "{table.decode()}"'):
                yield b"\n".join(one if isinstance(one, bytes) else str(one).encode() for one in row)
        base.close()
    elif data[8:12] == b"DUCK":
        duck = duckdb.connect(str(path), read_only=True)
        tables = duck.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = current_database()"
        ).fetchall()
        for schema, table in tables:
            yield _text(duck, f'"{schema}"."{table}"')
        duck.close()


def _text(con: duckdb.DuckDBPyConnection, relation: str) -> bytes:
    """All cells of ``relation`` as text, but those that are numbers, times or booleans."""
    columns = con.execute(f"describe select * from {relation}").fetchall()
    names = ['"' + name.replace('"', '""') + '"' for name, kind, *_ in columns if kind.partition("(")[0] not in _PLAIN]
    if not names:
        return b""
    result, parts = con.execute(f"select {', '.join(names)} from {relation}"), []
    while rows := result.fetchmany(10_000):
        parts.append("\n".join(map(str, chain.from_iterable(rows))))
    return "\n".join(parts).encode("utf-8", "surrogatepass")


def _unpacked(data: bytes, depth: int) -> Iterator[bytes]:
    yield data
    if depth == 0:
        return
    if data[:2] == b"\x1f\x8b":
        try:
            yield from _unpacked(gzip.decompress(data), depth - 1)
        except (OSError, EOFError):
            return
    elif data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from _unpacked(archive.read(name), depth - 1)


class Doorman:
    """A demo server behind a door. Outside of it the keys are canaries (``keys``: the server's own → canary), and so are the tokens that it issues.

    ``says``: a status that is answered instead, with the request's headers and body in every text that a vendor's error could have;
    ``only_data``: requests for tokens are let through all the same. ``let_in`` and ``sent_away`` count.
    """

    def __init__(self, app: Any, source: str, keys: Mapping[str, str]) -> None:
        self.app, self.source, self.keys = app, source, dict(keys)
        self.says, self.only_data = 0, False
        self.let_in = self.sent_away = self._issued = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if self.says and not (self.only_data and scope["path"].endswith("/token")):
            self.sent_away += 1
            await self._echo(scope, bytes(body), send)
            return
        headers = [(name, self._inside(name, value)) for name, value in scope["headers"]]
        inside = self._replaced(bytes(body))
        self.let_in += headers != scope["headers"] or inside != bytes(body)

        async def again() -> Any:
            return {"type": "http.request", "body": inside, "more_body": False}

        is_token = scope["path"].endswith("/token")
        await self.app({**scope, "headers": headers}, again, self._outside(send) if is_token else send)

    def _inside(self, name: bytes, value: bytes) -> bytes:
        kind, _, given = value.partition(b" ")
        if name == b"authorization" and kind == b"Basic":
            return b"Basic " + base64.b64encode(self._replaced(base64.b64decode(given)))
        return self._replaced(value)

    def _replaced(self, data: bytes) -> bytes:
        from urllib.parse import quote_plus

        for own, outside in self.keys.items():
            data = data.replace(outside.encode(), own.encode()).replace(
                quote_plus(outside).encode(), quote_plus(own).encode()
            )
        return data

    def _outside(self, send: Any) -> Any:
        start: dict[str, Any] = {}

        async def changed(message: Any) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            answer = json.loads(message["body"])
            for name in ("access_token", "refresh_token"):
                if name in answer:
                    self._issued += 1
                    self.keys[answer[name]] = answer[name] = canary(f"{self.source}.issued.{name}.{self._issued}")
            body = json.dumps(answer).encode()
            headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
            await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
            await send({"type": "http.response.body", "body": body})

        return changed

    async def _echo(self, scope: Any, body: bytes, send: Any) -> None:
        text = " ".join(value.decode("latin-1") for _, value in scope["headers"]) + f" {body.decode()} "
        text += base64.b64encode(text.encode()).decode()
        # a vendor's message that is cut where a secret stands: half of it must not be shown either
        long = "x" * 150 + " " + text
        names = ("message", "error_description", "description", "title", "code", "errorType", "category", "policyName")
        answer: Any = dict.fromkeys(names, text) | {"error": long, "detail": long, "errors": {"all": [text]}}
        if self.source == "salesforce":
            answer = [{"message": text, "errorCode": text}]
        elif self.source == "surveymonkey":
            answer["error"] = {"id": text, "message": text}
        content = json.dumps(answer).encode()
        sent = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": self.says, "headers": [*sent, *scope["headers"][-1:]]})
        await send({"type": "http.response.body", "body": content})
