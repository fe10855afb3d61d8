"""Files of GA4's export on their way to the raw log: as they are where all is well, else line by line. Which files belongs to ``days``."""

from __future__ import annotations

import gzip
import shutil
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb

from ingestion.landing.load import Landing
from ingestion.rawlog.parquet import names_of, shape_of
from ingestion.sources.ga4.days import DayFile
from ingestion.sources.ga4.events import events_of
from ingestion.sources.ga4.tables import EVENTS
from ingestion.sql.lines import read_lines, sanitise
from ingestion.sql.text import identifier, path_literal, quote

_FEW = 1_000  # repeats of a batch that are looked for one by one
_WITHOUT_REPEATS = """
select * from ga4_received
qualify row_number() over (partition by day, md5(record) order by file, line) = 1
order by day, file, line
"""


def land_files(landing: Landing, files: list[tuple[Path, DayFile]], work: Path) -> None:
    """Land what is in ``files`` (where to read it, what it is), one batch; ``work``: a folder for what has to be unpacked."""
    if not _land_clean(landing, files, work):
        _land_numbered(landing, files, work)


def _land_clean(landing: Landing, files: list[tuple[Path, DayFile]], work: Path) -> bool:
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


def _land_numbered(landing: Landing, files: list[tuple[Path, DayFile]], work: Path) -> None:
    """Land files whatever they hold: each event has its line, what does not fit goes to quarantine."""
    con = landing.con
    con.execute("create or replace temp table ga4_received (file varchar, day varchar, record varchar, line bigint)")
    texts: list[tuple[Path, DayFile]] = []
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


def _readable(path: Path, file: DayFile, work: Path) -> Path:
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


def _insert_lines(con: duckdb.DuckDBPyConnection, texts: list[tuple[Path, DayFile]], work: Path) -> None:
    texts = [(path, file) for path, file in texts if path.stat().st_size]
    if not texts:
        return
    try:
        _read_lines(con, texts, 0)
    except duckdb.InvalidInputException:  # bytes that are no UTF-8, or a line longer than the reader's buffer
        safe = [(sanitise(path, work), file) for path, file in texts]
        _read_lines(con, [(copy.path, file) for copy, file in safe], max(copy.longest for copy, _ in safe))


def _read_lines(con: duckdb.DuckDBPyConnection, texts: list[tuple[Path, DayFile]], longest: int) -> None:
    con.execute(
        f"""
        insert into ga4_received
        select file, day, record, place - min(place) over (partition by file) + 1
        from (select *, row_number() over () as place from ({_lines(texts, longest, blank=True)}))
        where record is not null
        order by place
        """
    )


def _lines(texts: list[tuple[Path, DayFile]], longest: int = 0, *, blank: bool = False) -> str:
    """SQL of the lines of ``texts`` in their order: ``record`` with the name and day of its ``file``; ``blank`` ones too.

    Names are found by position: a join would give the lines in any order.
    """
    reader = read_lines([path for path, _ in texts], longest).removesuffix(")")
    place = f"list_position({_list(str(path) for path, _ in texts)}, filename)"
    names, days = _list(file.name for _, file in texts), _list(f"{file.day:%Y%m%d}" for _, file in texts)
    sql = f"select {names}[{place}] as file, {days}[{place}] as day, line as record from {reader}, filename = true)"
    return sql if blank else f"{sql} where line is not null"


def _rows(tables: list[tuple[Path, DayFile, str | None]]) -> Iterator[str]:
    """SQL of the rows of Parquet files, as ``_lines`` of others. Files of one shape are read as one: a row has no columns of other files."""
    groups: dict[str | None, list[tuple[Path, DayFile]]] = {}
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
