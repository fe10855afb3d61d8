"""Persons who were erased: keyed hashes of their e-mail, telephone number and record ids, and how records of theirs are found in what is loaded.

The list holds no address and no number, only hashes with a key that never leaves the company directory. Erasing itself belongs to ``erasure``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ingestion.privacy.phones import LENGTH, SHORTEST, national, phone_keys
from ingestion.rawlog.parquet import metadata_of_copy, original_of, rows
from ingestion.sql.text import identifier, quote
from salesgauge.settings import Company

_PARQUET = "format parquet, compression zstd, string_dictionary_page_size_limit 1000"
_DIGITS = LENGTH  # of a telephone number, from its end: country codes and leading zeros are written or not
# The whole local part that RFC 5322 allows, and one without the signs that more often part an address from what is before it (``?email=``, ``**``).
_DOMAIN = r"@[\p{L}\p{M}\p{N}-]+(?:\.[\p{L}\p{M}\p{N}-]+)+"
_EMAILS = (
    r"[\p{L}\p{N}_+&!$^%=/?{|}*#`~][\p{L}\p{M}\p{N}_+&!$^%=/?{|}*#`~.'-]*" + _DOMAIN,
    r"[\p{L}\p{N}_+&!$^%][\p{L}\p{M}\p{N}_+&!$^%.'-]*" + _DOMAIN,
)
# Digits and what people put between them; which numbers there are in it is for ``phones_in`` to say.
_RUNS = r"\+?[(]?[0-9][0-9() ./-]*[0-9]"
_NO_PHONE = r"\b(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])(?:\b|t)|\s/\s"  # dates, and what parts two numbers
_HYPHENS, _BLANKS = "\u2010\u2011\u2012\u2013\u2014\u2212\uff0d", "\u00a0\u2002\u2003\u2007\u2009\u202f"
# What may stand before the last ten digits where no plus says so: a trunk zero, an international prefix, a country code with what is more than ten.
_BEFORE = re.compile(
    r"0[0-9]?|00[0-9]{1,3}|1|(?:7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])[0-9]?"
    r"|(?:2[1-689]|3[578]|42|5[09]|6[789]|8[058]|9[67])[0-9]|99[2-8]"
)
# A file may be called by a person's address; its ending is no part of it.
_ENDINGS = "(?:csv|tsv|txt|jsonl?|ndjson|xlsx?|parquet|gz|zip|bz2|zst)"
ERASED = "[erased]"
_LOCK = threading.Lock()


def normal_email(text: str) -> str:
    """An e-mail address as it is compared."""
    return unicodedata.normalize("NFC", text.strip().lower().replace("%40", "@"))


def normal_phone(text: str) -> str:
    """A telephone number as the models compare it; empty where ``text`` is none, or one that names nobody."""
    return next(iter(phone_keys(text)), "")


def phones_in(run: str) -> set[str]:
    """The normal telephone numbers that ``run``, digits and what parts them, may be read to hold.

    A number of ten digits begins and ends with a group of digits, so that others may stand beside it, or follows a country code. A shorter one is
    the whole run, with or without its country code and leading zero: part of it is part of somebody else's.
    """
    groups = re.findall("[0-9]+", run)
    found = set()
    for first in range(len(groups)):
        digits = ""
        for group in groups[first:]:
            digits += group
            if len(digits) > 15:
                break
            before = digits[:-_DIGITS]
            has_plus = first == 0 and run.startswith("+")
            if len(digits) == _DIGITS or (before and (has_plus or _BEFORE.fullmatch(before))):
                found.add(digits[-_DIGITS:])
    if 7 <= len(whole := "".join(groups)) < _DIGITS:
        found.add(whole)
    if SHORTEST <= len(number := national(whole, has_plus=run.startswith("+"))) <= _DIGITS:
        found.add(number)
    return found


def scrubbed(text: str, found: Found) -> str:
    """``text`` (a message, the name of a file) with ``[erased]`` for each e-mail and telephone number of ``found``, as people write them."""
    for email in sorted(found.emails):
        text = re.sub(
            rf"(?<![\w.+&%'-]){re.escape(email)}(?![\w@-]|\.(?!\W|$)(?!{_ENDINGS}(?![\w@-])))",
            ERASED,
            text,
            flags=re.IGNORECASE,
        )
    for phone in sorted(found.phones):
        between = r"[() ./\u00a0\u2010-\u2015-]{0,3}"
        number = between.join(phone)
        text = re.sub(rf"(?<![\w])(?:\+?[0-9]{{1,5}}{between}(?:\(0\){between})?)?\(?{number}(?![\w])", ERASED, text)
    return text


@dataclass(frozen=True)
class Found:
    """What of a load belongs to erased persons, in plain: only ever in memory. ``keys``: record keys of one table."""

    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.emails or self.phones or self.keys)


class Suppressions:
    """The suppression list of a company, in ``var/credentials``: ``suppression.key`` and ``suppressed.json``, readable by the owner only."""

    def __init__(self, company: Company) -> None:
        self._folder = company.credentials_dir
        self._file = company.suppressed_file
        self._hashes: frozenset[str] = frozenset(self._read())

    def __len__(self) -> int:
        return len(self._hashes)

    def hash(self, kind: str, value: str) -> str:
        """The keyed hash of ``value`` (``kind``: email, phone or key)."""
        return hmac.new(self._key(), f"{kind}|{value}".encode(), hashlib.sha256).hexdigest()

    def add(self, *, emails: Iterable[str] = (), phones: Iterable[str] = (), keys: Iterable[str] = ()) -> int:
        """Add normal e-mails and phones, and record keys (``source|table|key``); how many are new."""
        new = {self.hash("email", one) for one in emails} | {self.hash("phone", one) for one in phones}
        new |= {self.hash("key", one) for one in keys}
        added = new - self._hashes
        if added:
            self._hashes |= added
            write(self._file, json.dumps(sorted(self._hashes)))
        return len(added)

    def find(self, con: duckdb.DuckDBPyConnection, file: Path, place: str, key: Sequence[str]) -> Found:
        """What of the Parquet file ``file`` is suppressed. ``place``: ``source|table``; ``key``: the key columns of its table."""
        if not self._hashes:
            return Found()
        emails, phones = candidates(con, file)
        return Found(
            frozenset(one for one in emails if self.hash("email", one) in self._hashes),
            frozenset(one for one in phones if self.hash("phone", one) in self._hashes),
            frozenset(self.find_keys(con, file, place, key)),
        )

    def find_keys(self, con: duckdb.DuckDBPyConnection, file: Path, place: str, key: Sequence[str]) -> set[str]:
        """The record keys of the Parquet file ``file`` that are suppressed; ``place`` and ``key`` as in ``find``."""
        if not self._hashes:
            return set()
        return {one for one in keys_of(con, file, key) if self.hash("key", f"{place}|{one}") in self._hashes}

    def _read(self) -> list[str]:
        try:
            return list(json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return []

    def _key(self) -> bytes:
        file = self._folder / "suppression.key"
        with _LOCK:
            if not file.is_file():
                write(file, secrets.token_hex(32))
            return bytes.fromhex(file.read_text(encoding="utf-8"))


def candidates(con: duckdb.DuckDBPyConnection, file: Path) -> tuple[set[str], set[str]]:
    """The distinct e-mails and phones that stand anywhere in the rows of ``file``, normal."""
    text = f"(select {_row_text(con, file)} as text from {_read(file)})"
    emails = con.execute(f"select distinct unnest({_emails('text')}) from {text} where contains(text, '@')").fetchall()
    runs = con.execute(f"select distinct unnest({_runs('text')}) from {text}").fetchall()
    return {normal_email(row[0]) for row in emails}, {phone for row in runs for phone in phones_in(row[0])}


def count_of(con: duckdb.DuckDBPyConnection, file: Path, found: Found, key: Sequence[str]) -> int:
    """How many rows of ``file`` belong to ``found``: those that ``without`` would take out."""
    row = con.execute(f"select count(*) from {_read(file)} where {matching(con, file, found, key)}").fetchone()
    return int(row[0]) if row else 0


def without(con: duckdb.DuckDBPyConnection, file: Path, found: Found, key: Sequence[str]) -> list[str | None]:
    """Rewrite ``file`` without the rows of ``found``, in one step; the keys of those that went (null where the file has none)."""
    condition = matching(con, file, found, key)
    of_key = key_text(key) if key and set(key) <= set(columns(con, file)) else "cast(null as varchar)"
    gone = con.execute(f"select {of_key} from {_read(file)} where {condition}").fetchall()
    if gone:
        rewrite(con, file, f"select {_placed(con, file)} from {_read(file)} where not {condition}")
    return [row[0] for row in gone]


def matching(con: duckdb.DuckDBPyConnection, file: Path, found: Found, key: Sequence[str]) -> str:
    """SQL condition for the rows of ``file`` that belong to ``found``; never null."""
    text = _row_text(con, file)
    parts = [
        f"list_has_any({_emails(text)}, {_list(found.emails)})" if found.emails else "false",
        f"list_has_any({_runs(text)}, {_list(_runs_with(con, file, text, found.phones))})" if found.phones else "false",
        f"{own_key} in (select unnest({_list(found.keys)}))"
        if found.keys and (own_key := _own_key(con, file, key))
        else "false",
    ]
    return f"coalesce({' or '.join(parts)}, false)"


def columns(con: duckdb.DuckDBPyConnection, file: Path) -> list[str]:
    """The columns of a Parquet file."""
    return [row[0] for row in con.execute(f"describe select * from {_read(file, False)}").fetchall()]


def key_text(key: Sequence[str]) -> str:
    """SQL of a record's key: its parts joined by ``|``, a missing one as nothing."""
    return " || '|' || ".join(f"coalesce(cast({identifier(name)} as varchar), '')" for name in key)


def keys_of(con: duckdb.DuckDBPyConnection, file: Path, key: Sequence[str], where: str = "true") -> set[str]:
    """The whole keys of the records of ``file``; none of those that are only a place in a file: somebody else may stand there next."""
    own_key = _own_key(con, file, key)
    if not own_key:
        return set()
    rows = con.execute(f"select distinct {own_key} from {_read(file)} where {where}").fetchall()
    return {row[0] for row in rows if row[0] is not None and is_whole(row[0])}


def rewrite(con: duckdb.DuckDBPyConnection, file: Path, query: str) -> None:
    """Put the rows of ``query`` in the place of ``file``, in one step."""
    beside = file.with_name(f".{file.name}.new")
    con.execute(f"copy ({query}) to {quote(str(beside))} ({', '.join([_PARQUET, *metadata_of_copy(file)])})")
    with beside.open("rb+") as written:
        os.fsync(written.fileno())
    original = original_of(file)
    beside.replace(file)
    if original:  # what is left of it stands in the new file
        original.unlink(missing_ok=True)


def _own_key(con: duckdb.DuckDBPyConnection, file: Path, key: Sequence[str]) -> str:
    """SQL of a record's key, null where it is a place in a file (``files.mapping.sql`` makes such keys); empty where the file has no key."""
    names = set(columns(con, file))
    if not key or not set(key) <= names:
        return ""
    line = {"_line": "_line", "_first_line": "_first_line + file_row_number"}
    lines = [sql for name, sql in line.items() if name in names]
    if "_file" in names and lines:
        place = f"_file || ':' || coalesce({', '.join(lines)})"
    elif {"file", "line", "record_key"} <= names:
        place = "file || ':' || line"
    else:
        return key_text(key)
    return f"case when cast({identifier(key[-1])} as varchar) is distinct from {place} then {key_text(key)} end"


def is_whole(key: str) -> bool:
    """Whether all parts of a key are there: half a key may be anybody's."""
    return all(key.split("|"))


def _emails(text: str) -> str:
    """SQL of the list of all e-mails that ``text`` may be read to hold."""
    return f"list_concat({', '.join(f'regexp_extract_all({text}, {quote(one)})' for one in _EMAILS)})"


def _runs(text: str) -> str:
    """SQL of the list of what of ``text`` may be telephone numbers, for ``phones_in``."""
    plain = f"regexp_replace(regexp_replace({text}, '[{_HYPHENS}]', '-', 'g'), '[{_BLANKS}]', ' ', 'g')"
    return f"regexp_extract_all(regexp_replace({plain}, {quote(_NO_PHONE)}, chr(10), 'g'), {quote(_RUNS)})"


def _runs_with(con: duckdb.DuckDBPyConnection, file: Path, text: str, phones: frozenset[str]) -> list[str]:
    """The runs in ``file`` that hold one of ``phones``."""
    digits = "regexp_replace(run, '[^0-9]', '', 'g')"
    wanted = " or ".join(f"contains({digits}, {quote(phone)})" for phone in sorted(phones))
    runs = con.execute(
        f"select distinct run from (select unnest({_runs(text)}) as run from {_read(file)}) where {wanted}"
    ).fetchall()
    return [row[0] for row in runs if phones_in(row[0]) & phones]


def _row_text(con: duckdb.DuckDBPyConnection, file: Path) -> str:
    """All that a row says, as lower-case text as people read it: JSON's and URLs' ways to write a character undone."""
    described = con.execute(f"describe select * from {_read(file, False)}").fetchall()
    values = [
        # as JSON a struct says where a backslash is one
        _unescaped(f"cast({f'to_json({identifier(name)})' if '(' in kind else identifier(name)} as varchar)")
        for name, kind, *_ in described
        if not name.startswith("_")
    ]
    values += [
        f"regexp_replace({identifier(name)}, {quote(f'[.]{_ENDINGS}($|[^a-z0-9@-])')}, ' ', 'gi')"
        for name, *_ in described
        if name in ("_file", "file")
    ]
    text = f"concat_ws(' | ', {', '.join(values)})"
    for step in (_of_urls, "lower({0})".format, "nfc_normalize({0})".format):
        text = step(text)
    return text


def _unescaped(value: str) -> str:
    """SQL of ``value`` without JSON's escapes, where it is JSON (also broken JSON); what is no JSON may have a backslash of its own."""
    steps = (
        ("\\\\\\\\", " "),
        (r"\\[nrtbf]", "\n"),
        (r'\\"', '"'),
        (r"\\/", "/"),
        (r"\\u([0-9a-fA-F]{4})", "\x01\\1"),
        (r"\\", " "),
    )
    text = "v"
    for pattern, put in steps:
        text = f"regexp_replace({text}, {quote(pattern)}, {quote(put)}, 'g')"
    # the characters themselves: as one JSON text, in which nothing else needs an escape
    as_json = "'\"' || replace(regexp_replace(t, '[\\x00\\x02-\\x1f\"]', chr(10), 'g'), chr(10), '\\n') || '\"'"
    undone = (
        f"coalesce(try(json_extract_string(replace({as_json}, chr(1), '\\u'), '$')), "
        "regexp_replace(t, '\\x01[0-9a-fA-F]{4}', ' ', 'g'))"
    )
    decoded = f"list_transform([{text}], lambda t: case when contains(t, chr(1)) then {undone} else t end)[1]"
    is_json = "contains(v, '\\') and regexp_matches(v, '^\\s*[{\\[\"]')"
    return f"list_transform([{value}], lambda v: case when {is_json} then {decoded} else v end)[1]"


def _of_urls(value: str) -> str:
    """SQL of ``value`` with ``%40`` and the like as their characters; only the usual ones where the rest is no UTF-8."""
    usual = "v"
    codes = {
        "40": "@",
        "2[bB]": "+",
        "5[fF]": "_",
        "2[eE]": ".",
        "2[dD]": "-",
        "26": "&",
        "3[dD]": "=",
        "[0-3][0-9a-fA-F]": " ",
    }
    for code, sign in codes.items():
        usual = f"regexp_replace({usual}, '%{code}', '{sign}', 'g')"
    return (
        f"list_transform([{value}], lambda v: case when regexp_matches(v, '%[0-9a-fA-F]{{2}}') "
        f"then coalesce(try(url_decode(v)), {usual}) else v end)[1]"
    )


def _placed(con: duckdb.DuckDBPyConnection, file: Path) -> str:
    """All columns, with the places of the rows that stay written out: they would be counted anew where they follow from the position."""
    names = columns(con, file)
    rules = {
        "_base": "_base + file_row_number + 1 as _row",
        "_first_line": "_first_line + file_row_number as _line",
    }
    derived = {"_base": "_row", "_first_line": "_line"}
    dropped = [name for name in ("_base", "_first_line") if name in names and derived[name] not in names]
    values = [identifier(name) for name in names if name not in dropped]
    return ", ".join([*values, *(rules[name] for name in dropped)])


def _read(file: Path, numbered: bool = True) -> str:
    return f"({rows([file])})" if numbered else f"(select * exclude (file_row_number) from ({rows([file])}))"


def _list(values: Iterable[str]) -> str:
    return "[" + ", ".join(quote(value) for value in sorted(values)) + "]::varchar[]"


def write(file: Path, text: str) -> None:
    """Replace ``file`` by ``text`` in one step; only the owner may read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(file)
