"""GA4 → ``raw_ga4.events``: the daily files of the BigQuery export in a folder or bucket, each day replaced when its files change.

Sessions, channels and what an event means belong to the models. Counts of the Data API, which has neither users nor sessions, are ``ga4_data``.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import re
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb

from ingestion import rawlog
from ingestion.connector.about import About, Finding, Setting
from ingestion.connector.buckets import Bucket, is_location
from ingestion.connector.places import Folder, Place, Stored
from ingestion.landing.load import Landing
from ingestion.landing.spool import spool_folder
from ingestion.rawlog.declarations import RawColumn, RawTable
from ingestion.rawlog.parquet import names_of, shape_of
from ingestion.sources.ga4.events import events_of
from ingestion.sql.lines import identifier, path_literal, quote, read_lines, sanitise
from salesgauge.errors import ConfigurationError, SalesgaugeError, SourceError
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from ingestion.landing.quarantine import Waiting
    from salesgauge.process import Process
    from salesgauge.settings import Company, SourceSettings

SOURCE = "ga4"
ABOUT = About(
    name=SOURCE,
    label="Google Analytics 4 (export files)",
    kind="web",
    settings=(
        Setting(
            "folder",
            "folder below data/, or s3://bucket/prefix, with the files of the BigQuery export",
            is_required=True,
        ),
        Setting("aws_access_key_id", "of a bucket", is_secret=True),
        Setting("aws_secret_access_key", "of a bucket", is_secret=True),
        Setting("endpoint_url", "of a bucket that is not Amazon's"),
        Setting("region", "of a bucket, default us-east-1"),
    ),
    provides={"web_events": "every event of the export, days replaced as late events arrive"},
    requests_when_unchanged="no request; of a bucket 2, and one more per 1,000 files",
)
_LOG = logging.getLogger(__name__)
_UNREAD = [-1, 0, ""]  # the state of no file: it is read with the next run
_BATCH_BYTES = 48_000_000
_FEW = 1_000  # repeats of a batch that are looked for one by one
_PACKED = 16  # how many times larger the events are than a compressed file of them, about
_NAME = re.compile(r"events_(?P<intraday>intraday_)?(?P<day>\d{8})(?:[_-]\d+)?\.(?P<format>jsonl|parquet)(?P<gz>\.gz)?")

_DAY = "cast(coalesce(try_strptime({value}, '%Y%m%d'), try_cast({value} as date)) as date)"
_MICROSECONDS = "make_timestamp(try_cast({value} as bigint))"

EVENTS = RawTable(
    SOURCE,
    "events",
    (
        RawColumn("event_day", "date", "$.event_date", required=True, convert=_DAY),
        RawColumn("event_at", "timestamp", "$.event_timestamp", required=True, convert=_MICROSECONDS),
        RawColumn("event_name", "varchar", "$.event_name", required=True),
        RawColumn("user_pseudo_id", "varchar", "$.user_pseudo_id"),
        RawColumn("ga_session_id", "bigint", "$.event_params"),
        RawColumn("page_location", "varchar", "$.event_params"),
        RawColumn("source", "varchar", "$"),
        RawColumn("medium", "varchar", "$"),
        RawColumn("campaign", "varchar", "$"),
        RawColumn("form_id", "varchar", "$.event_params"),
    ),
    (),
    day="event_day",
)
TABLES: tuple[RawTable, ...] = (EVENTS,)


@dataclass(frozen=True)
class _File:
    stored: Stored
    day: date
    is_intraday: bool
    format: str
    is_compressed: bool

    @property
    def name(self) -> str:
        return self.stored.name


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land every day whose files are new or changed; returns the number of files read.

    ``[sources.ga4] folder`` (relative to the data folder, or a bucket) holds ``events_YYYYMMDD[_<shard>].jsonl[.gz]`` or ``.parquet`` and, for days
    without such a file, ``events_intraday_YYYYMMDD…``. A load holds all rows of each day that it holds; the newest load of a day is the
    day. Exact duplicates within a day are left out and counted; rows of another day or without a time go to quarantine; a file that
    can't be read is refused. A day whose files are gone stays. ``source, medium, campaign`` are the first complete level of: the session's
    last click (cross-channel, then manual), the event's collected source, the event's parameters. With a click id of an ad network the visit is paid (cpc).
    """
    place = _place(company.source(SOURCE))
    try:
        return _extract(company, place, landing, reporter)
    finally:
        place.close()


def read_again(company: Company, landing: Landing, records: Iterable[Waiting]) -> None:
    """Note that the next run has to read the files of quarantined ``records``, changed or not."""
    files = {one.file for one in records}
    cursor: dict[str, dict[str, list[Any]]] = rawlog.last_cursor(company, SOURCE, "events") or {}
    landing.cursor(
        "events",
        {
            day: {name: _UNREAD if name in files else state for name, state in states.items()}
            for day, states in cursor.items()
        },
    )


def _extract(company: Company, place: Place, landing: Landing, reporter: Reporter) -> int:
    known: dict[str, dict[str, list[Any]]] = rawlog.last_cursor(company, SOURCE, "events") or {}
    days = _days(place.find("events_*"))
    if not days:
        _LOG.warning("%s: there is no events_YYYYMMDD file in %s", SOURCE, place.words)
    changed, cursor = [], dict(known)
    done = 0
    with spool_folder(company.work_dir, SOURCE) as work:
        for day, files in sorted(days.items()):
            before = known.get(day.isoformat(), {})
            state = {file.name: _state(place, file.stored, before.get(file.name), work) for file in files}
            if state != before:
                changed.extend(files)
                cursor[day.isoformat()] = state
        for batch in _batches(changed):
            try:
                for name, day in _land(landing, place, batch, work):
                    cursor[day.isoformat()][name] = _UNREAD
            except OSError as error:
                raise SourceError(
                    f"ga4: a file of {batch[0].day} to {batch[-1].day} in {place.words} can't be read: {error.strerror or error}. "
                    "Nothing of this load was kept; run again later."
                ) from error
            done += len(batch)
            reporter.advance(SOURCE, done, len(changed), "files")
    if cursor:
        landing.cursor("events", cursor)
    return len(changed)


def _place(settings: SourceSettings) -> Place:
    name = str(settings.get("folder", "ga4"))
    if is_location(name):
        try:
            return Bucket(name, settings)
        except ValueError as error:
            raise ConfigurationError(f".dlt/config.toml: [sources.ga4] folder = {name!r} {error}.") from None
    folder = settings.data_dir / name
    if not folder.is_dir():
        raise ConfigurationError(
            f".dlt/config.toml: [sources.ga4] folder = {name!r} is no folder of {settings.data_dir.name}/. "
            "Export the GA4 tables there, or correct the setting."
        )
    return Folder(folder, folder.name)


def _days(stored: list[Stored]) -> dict[date, list[_File]]:
    """The files of each day: the daily ones, or the intraday ones where the day has no other."""
    days: dict[date, list[_File]] = {}
    for one in stored:
        match = _NAME.fullmatch(one.name)
        if match is None:
            continue
        try:
            day = datetime.strptime(match["day"], "%Y%m%d").date()
        except ValueError as error:
            raise SourceError(f"ga4: {one.name} names no day. Rename it like events_20260201.jsonl.") from error
        days.setdefault(day, []).append(_File(one, day, bool(match["intraday"]), match["format"], bool(match["gz"])))
    for day, files in days.items():
        chosen = [file for file in files if not file.is_intraday] or files
        if len({(file.format, file.is_compressed) for file in chosen}) > 1:
            raise SourceError(f"ga4: {chosen[0].name} and {chosen[-1].name} hold the same day. Remove one of them.")
        days[day] = chosen
    return days


def _state(place: Place, file: Stored, known: list[Any] | None, work: Path) -> list[Any]:
    """``[size, modified (ns), hash]`` of a file. Size and time as known: not read. Read and found the same: the known state.

    In a bucket the etag is the hash: ``[size, null, etag]``, and nothing is read.
    """
    if file.etag is not None:
        return [file.size, None, file.etag]
    if known is not None and known[:2] == [file.size, file.mtime_ns]:
        return known
    with place.fetched(file, work) as (path, file), path.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    return known if known is not None and known[2] == digest else [file.size, file.mtime_ns, digest]


def _batches(files: list[_File]) -> Iterator[list[_File]]:
    """``files`` in batches of whole days: their size bounds the memory that a load needs."""
    batch: list[_File] = []
    size = 0
    for file in files:
        if batch and size > _BATCH_BYTES and file.day != batch[-1].day:
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.stored.size * (_PACKED if file.is_compressed or file.format == "parquet" else 1)
    if batch:
        yield batch


def _land(landing: Landing, place: Place, files: list[_File], work: Path) -> list[tuple[str, date]]:
    """Land one batch of files; (name, day) of those that became others while they were read. Its working files go with it."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(dir=work)))
        paths = [stack.enter_context(place.fetched(file.stored, work)) for file in files]
        _land_read(landing, [(path, file) for (path, _), file in zip(paths, files, strict=True)], work)
        return [
            (file.name, file.day)
            for (_, now), file in zip(paths, files, strict=True)
            if now.etag != file.stored.etag or place.is_changed(file.stored)
        ]


def _land_read(landing: Landing, files: list[tuple[Path, _File]], work: Path) -> None:
    if not _land_clean(landing, files, work):
        _land_numbered(landing, files, work)


def _land_clean(landing: Landing, files: list[tuple[Path, _File]], work: Path) -> bool:
    """Land files that hold only events of their day, right from the files; False, and nothing landed, where they don't."""
    con = landing.con
    tables = [(path, file, shape_of(path)) for path, file in files if file.format == "parquet"]
    if not all(shape for _, _, shape in tables):
        return False
    try:
        texts = [(_readable(path, file, work), file) for path, file in files if file.format != "parquet"]
        texts = [(path, file) for path, file in texts if path.stat().st_size]
        if not texts and not tables:
            return True
        sources = [_lines(texts)] if texts else []
        if tables:
            # read once: most of the time goes into opening them
            con.execute(f"create or replace temp table ga4_rows as {' union all '.join(_rows(tables))}")
            sources.append("select * from ga4_rows")
        lines = " union all ".join(sources)
        received, repeats = _repeats(con, lines)
        if repeats > _FEW:
            return False
        if repeats:
            # no join, as it would give rows in any order; nor a list of literals, which becomes one
            (hashes,) = con.execute("select list(hash order by hash) from ga4_twice").fetchone() or ([],)
            lines = (
                f"select * from ({lines}) where not list_contains({hashes}::ubigint[], hash(record)) "
                "union all select file, day, record from ga4_repeated"
            )
        events = events_of(f"(select *, cast(null as bigint) as line from ({lines}))")
        return landing.relation_if_clean(EVENTS, events, received=received - repeats, duplicates=repeats)
    except (duckdb.Error, EOFError, zlib.error, gzip.BadGzipFile):
        return False  # it is found out which file, and which line


def _repeats(con: duckdb.DuckDBPyConnection, lines: str) -> tuple[int, int]:
    """How many records ``lines`` has, and how many of them repeat another of their day.

    Where there are any, ``ga4_twice`` has the hashes of what may be repeated (64 bits, so others may have them too), and ``ga4_repeated`` all records
    with these hashes, each once a day.
    """
    con.execute(
        "create or replace temp table ga4_twice as "
        f"select day, hash(record) as hash, count(*) as times from ({lines}) group by all"
    )
    received, distinct = con.execute("select coalesce(sum(times), 0), count(*) from ga4_twice").fetchone() or (0, 0)
    if received == distinct:
        return received, 0
    con.execute("delete from ga4_twice where times = 1")
    con.execute(
        "create or replace temp table ga4_repeated as select min(file) as file, day, record, count(*) as times "
        f"from ({lines}) where hash(record) in (select hash from ga4_twice) group by day, record order by day, file, record"
    )
    (repeats,) = con.execute("select coalesce(sum(times - 1), 0) from ga4_repeated").fetchone() or (0,)
    return received, repeats


def _land_numbered(landing: Landing, files: list[tuple[Path, _File]], work: Path) -> None:
    """Land files whatever they hold: each event has its line, what does not fit goes to quarantine."""
    con = landing.con
    con.execute("create or replace temp table ga4_received (file varchar, day varchar, record varchar, line bigint)")
    texts: list[tuple[Path, _File]] = []
    for path, file in files:
        try:
            if file.format == "parquet":
                con.execute(
                    "insert into ga4_received select ?, ?, cast(to_json(event) as varchar), row_number() over () "
                    f"from read_parquet({path_literal(path)}) as event",
                    [file.name, f"{file.day:%Y%m%d}"],
                )
            else:
                texts.append((_readable(path, file, work), file))
        except (duckdb.Error, EOFError, zlib.error, gzip.BadGzipFile) as error:
            landing.refuse(EVENTS.name, file.name, f"the file can't be read: {str(error).splitlines()[0][:200]}")
    _insert_lines(con, texts, work)
    received, distinct = con.execute(
        "select count(*), count(distinct (day, md5(record))) from ga4_received"
    ).fetchone() or (0, 0)
    if received > distinct:
        con.execute(f"create or replace temp table ga4_received as {_WITHOUT_REPEATS}")
    landing.relation(EVENTS, events_of("ga4_received"), received=distinct, duplicates=received - distinct)
    con.execute("drop table ga4_received")


def _readable(path: Path, file: _File, work: Path) -> Path:
    """The path of ``file`` without compression."""
    if not file.is_compressed:
        return path
    target = work / file.name.removesuffix(".gz")
    if target.exists():
        return target
    unfinished = work / f"{target.name}.part"
    with gzip.open(path) as packed, unfinished.open("wb") as plain:
        shutil.copyfileobj(packed, plain, 1 << 20)
    return unfinished.replace(target)


def _insert_lines(con: duckdb.DuckDBPyConnection, texts: list[tuple[Path, _File]], work: Path) -> None:
    texts = [(path, file) for path, file in texts if path.stat().st_size]
    if not texts:
        return
    try:
        _read_lines(con, texts, 0)
    except duckdb.InvalidInputException:  # bytes that are no UTF-8, or a line longer than the reader's buffer
        safe = [(sanitise(path, work), file) for path, file in texts]
        _read_lines(con, [(copy.path, file) for copy, file in safe], max(copy.longest for copy, _ in safe))


def _read_lines(con: duckdb.DuckDBPyConnection, texts: list[tuple[Path, _File]], longest: int) -> None:
    con.execute(
        f"""
        insert into ga4_received
        select file, day, record, place - min(place) over (partition by file) + 1
        from (select *, row_number() over () as place from ({_lines(texts, longest, blank=True)}))
        where record is not null
        order by place
        """
    )


def _lines(texts: list[tuple[Path, _File]], longest: int = 0, *, blank: bool = False) -> str:
    """SQL of the lines of ``texts`` in their order: ``record`` with the name and day of its ``file``; ``blank`` ones too.

    Names are found by position: a join would give the lines in any order.
    """
    reader = read_lines([path for path, _ in texts], longest).removesuffix(")")
    place = f"list_position({_list(str(path) for path, _ in texts)}, filename)"
    names, days = _list(file.name for _, file in texts), _list(f"{file.day:%Y%m%d}" for _, file in texts)
    sql = f"select {names}[{place}] as file, {days}[{place}] as day, line as record from {reader}, filename = true)"
    return sql if blank else f"{sql} where line is not null"


def _rows(tables: list[tuple[Path, _File, str | None]]) -> Iterator[str]:
    """SQL of the rows of Parquet files, as ``_lines`` of others. Files of one shape are read as one: a row has no columns of other files."""
    groups: dict[str | None, list[tuple[Path, _File]]] = {}
    for path, file, shape in tables:
        groups.setdefault(shape, []).append((path, file))
    for members in groups.values():
        columns = ", ".join(f"{identifier(name)} := {identifier(name)}" for name in names_of(members[0][0]))
        names, days = _list(file.name for _, file in members), _list(f"{file.day:%Y%m%d}" for _, file in members)
        paths = ", ".join(path_literal(path) for path, _ in members)
        place = "cast(file_index as bigint) + 1"
        yield (
            f"select {names}[{place}] as file, {days}[{place}] as day, cast(to_json(struct_pack({columns})) as varchar) as record "
            f"from read_parquet([{paths}], hive_partitioning = false)"
        )


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(quote(value) for value in values)}]"


_WITHOUT_REPEATS = """
select * from ga4_received
qualify row_number() over (partition by day, md5(record) order by file, line) = 1
order by day, file, line
"""


def check(settings: SourceSettings) -> list[Finding]:
    """Whether the folder, or the bucket, is there and may be read."""
    folder = settings.get("folder")
    if not folder:
        advice = "Name the folder below data/, or a bucket, under 'folder' in [sources.ga4] of .dlt/config.toml."
        return [Finding("a folder of export files", is_ok=False, advice=advice)]
    what = f"export files in {folder if is_location(str(folder)) else f'data/{folder}'}"
    try:
        place = _place(settings)
    except SalesgaugeError as error:
        return [Finding(what, is_ok=False, advice=str(error))]
    try:
        files = [file for several in _days(place.find("events_*")).values() for file in several]
        if not files:
            return [Finding(what, is_ok=False, advice="There is no events_YYYYMMDD file there. Export the GA4 tables.")]
        place.try_reading(files[-1].stored)
    except SalesgaugeError as error:
        return [Finding(what, is_ok=False, advice=str(error))]
    except OSError as error:
        return [Finding(what, is_ok=False, advice=f"{files[-1].name} can't be read: {error.strerror or error}.")]
    finally:
        place.close()
    return [Finding(f"{what}: {len(files):,} files", is_ok=True)]
