"""``salesgauge sources init``: a commented mapping from what real files look like. The person who knows the data only corrects it.

What files are is found out by ``sampling`` and ``profiles``, what names mean stands in ``synonyms``; the options of a mapping are those of ``ingestion.files.mapping``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import duckdb

from ingestion.files.mapping.model import STAGE_COLUMN
from ingestion.files.profiles import Profile
from ingestion.files.proposing.columns import (
    column_lines,
    constant_lines,
    null_lines,
    number_lines,
    unmapped_lines,
    value_lines,
)
from ingestion.files.proposing.dates import date_lines, formats_text, forms_of, times_of
from ingestion.files.proposing.entry import Entry, Fit
from ingestion.files.proposing.fit import assigned_columns, ranked_fits
from ingestion.files.proposing.stage_words import proposed_stage
from ingestion.files.proposing.stages import add_plans, entered_stages, stage_lines
from ingestion.files.proposing.wording import path_text, some_of
from ingestion.files.sampling import Table
from ingestion.sql.text import identifier
from salesgauge.entities import ENTITIES
from salesgauge.process import Process
from salesgauge.yaml_file import as_yaml


def proposal(
    con: duckdb.DuckDBPyConnection, tables: Sequence[Table], problems: Sequence[str], process: Process, *, source: str
) -> str:
    """The text of ``sources/<source>.yml`` for ``tables``. ``problems``: files that could not be read."""
    fits = [(table, ranked_fits(con, table, process)) for table in tables]
    entities = {found[0].entity.name for _, found in fits if found}
    blocks = []
    for table, found in fits:
        if found:
            blocks.append(text_of(entry_of(con, table, found, process, source, entities)))
        else:
            blocks.append(_unjudged(table))
    head = [
        f"# Proposed by 'salesgauge sources init' from {some_of(list(dict.fromkeys(table.path for table in tables)))}. Correct what is wrong, then: salesgauge sources preview {source}",
        "# Left of a colon stands our name, right of it the file's. All options: salesgauge sources help",
        *(f"# NOT READ: {problem}" for problem in problems),
        "files:",
    ]
    return "\n".join(head) + "\n" + "\n\n".join(blocks) + "\n"


def entities_of(con: duckdb.DuckDBPyConnection, tables: Sequence[Table], process: Process) -> list[str | None]:
    """The entity as which each table is read; None where none fits."""
    found = [ranked_fits(con, table, process) for table in tables]
    return [fits[0].entity.name if fits else None for fits in found]


def entry_of(
    con: duckdb.DuckDBPyConnection, table: Table, fits: list[Fit], process: Process, source: str, entities: set[str]
) -> Entry:
    """The entry for ``table``, which can be read as ``fits``, the likeliest first."""
    entry = Entry(con, table, fits[0], fits[1:], process, source, entities)
    is_case = entry.entity.name in STAGE_COLUMN
    entry.stage = entry.fit.columns.pop(STAGE_COLUMN[entry.entity.name], None) if is_case else None
    add_plans(entry)
    entry.entered = dict(entered_stages(entry)) if is_case else {}
    entry.times = dict(times_of(entry))
    return entry


def text_of(entry: Entry) -> str:
    """The entry, and the one of the stages that snapshots show."""
    text = "\n".join(_lines(entry))
    if entry.fit.is_snapshot and entry.stage is not None:
        text += "\n\n" + "\n".join(snapshot_lines(entry))
    if entry.entity.name == "stage_events" and (cases := "\n".join(_cases(entry))):
        text += f"\n\n{cases}"
    return text


def _lines(entry: Entry) -> Iterator[str]:
    yield from top_lines(entry)
    yield f"    entity: {entry.entity.name:<30} # {ENTITIES[entry.entity.name].meaning}{_instead(entry)}"
    yield from key_lines(entry)
    yield from column_lines(entry)
    yield from constant_lines(entry)
    yield from value_lines(entry)
    yield from null_lines(entry)
    yield from number_lines(entry)
    yield from date_lines(entry)
    yield from stage_lines(entry)
    if entry.entity.name == "stage_events" and "source_order" not in entry.fit.columns:
        yield "    order: file                    # events of one moment keep the order of the file"
    yield from unmapped_lines(entry)


def top_lines(entry: Entry) -> Iterator[str]:
    """The head of an entry: which files, and how they are written."""
    table = entry.table
    many = f"{len(table.files)} files: {some_of(table.files)}; " if len(table.files) > 1 else ""
    more = "" if table.is_whole else "the first "
    yield f"  - path: {path_text(table.path)}  # {many}{more}{table.rows:,} rows were looked at"
    if not table.names_its_format:
        yield f"    format: {table.kind}"
    if table.encoding:
        guess = (
            "  # a guess: nothing in the file tells. Check names with accents in the preview"
            if table.guessed
            else "  # told by its bytes"
        )
        yield f"    encoding: {table.encoding}{guess}"
    if table.kind == "csv" and table.delimiter != ("\t" if table.path.lower().endswith(".tsv") else ","):
        yield f"    delimiter: {'tab' if table.delimiter == chr(9) else as_yaml(table.delimiter)}"
    if table.sheet is not None:
        yield f"    sheet: {as_yaml(table.sheet)}"
    if table.skip:
        yield f"    skip: {table.skip}                        # lines above the header"
    for text in table.bad:
        yield f"    # will be quarantined: {text}"


def _instead(entry: Entry) -> str:
    near = [fit.entity.name for fit in entry.others if fit.score > 0.7 * entry.fit.score][:2]
    return f"; or is it {' or '.join(near)}?" if near else ""


def key_lines(entry: Entry) -> Iterator[str]:
    """``key``, and why it is one."""
    fit, named = entry.fit, entry.fit.key
    if not named:
        yield "    # no column is unique: each row is a record of its own"
        return
    text = as_yaml(named[0]) if len(named) == 1 else f"[{', '.join(map(as_yaml, named))}]"
    where = f"the {entry.table.rows:,} rows" if entry.table.is_whole else f"the first {entry.table.rows:,} rows"
    why = f"unique in {where}" if len(entry.table.files) == 1 else "what identifies a record; its newest version counts"
    if fit.is_snapshot:
        why = "each export has the record again: its newest version counts"
    elif fit.doubts:
        why = fit.doubts[0]
    yield f"    key: {text}  # {why}"


def snapshot_lines(entry: Entry) -> Iterator[str]:
    """The entry that reads what snapshots show as entries into stages."""
    stage, at = entry.stage, entry.fit["updated_at"]
    assert stage is not None and at is not None and at.dates is not None
    kind = "lead" if entry.entity.name == "leads" else "deal"
    top = list(top_lines(entry))
    yield f"{top[0].partition('  #')[0]}  # once more: what a snapshot shows is a stage that was entered by its day"
    yield from (line for line in top[1:] if not line.lstrip().startswith("#"))
    yield "    entity: stage_events"
    yield "    columns:"
    yield f"      {kind}: {as_yaml(entry.fit.key[0])}"
    yield f"      stage: {as_yaml(stage.name)}"
    yield f"      at: {as_yaml(at.name)}"
    found = {word: proposed_stage(word, entry.process, kind) for word in stage.words}
    mapped = {word: key for word, key in found.items() if key is not None}
    if mapped:
        yield "    values:"
        yield "      stage:"
        yield from (f"        {as_yaml(word)}: {key}" for word, key in mapped.items())
    forms, _ = forms_of(entry, at, [])
    yield f"    dates: {{format: {formats_text(forms)}, timezone: {entry.process.company.timezone}}}"


def _cases(entry: Entry) -> Iterator[str]:
    """The entry for what an event log says of its cases: columns with one value a case."""
    subject, at = entry.fit["subject_id"], entry.fit["at"]
    assert subject is not None and at is not None
    entity = ENTITIES["leads" if entry.subject == "lead" else "deals"]
    if entity.name in entry.entities:
        return
    events = {profile.name for profile in entry.fit.columns.values()} | set(entry.fit.key)
    columns, _ = assigned_columns(
        replace(entry.table, profiles=tuple(one for one in entry.table.profiles if one.name not in events)), entity
    )
    columns = {
        name: one
        for name, one in columns.items()
        if name not in (entity.key, "updated_at", STAGE_COLUMN[entity.name]) and _is_of_case(entry, subject, one)
    }
    if not columns:
        return
    fit = Fit(entity, {**columns, "updated_at": at}, 0, key=[subject.name], is_snapshot=True)
    of_cases = entry_of(entry.con, entry.table, [fit], entry.process, entry.source, entry.entities)
    of_cases.entered = {}
    yield from _lines_of_cases(of_cases)


def _is_of_case(entry: Entry, subject: Profile, profile: Profile) -> bool:
    case, value = identifier(f"s:{subject.name}"), identifier(f"s:{profile.name}")
    row = entry.con.execute(
        f"select count(distinct ({case}, {value})), count(distinct {case}) from {entry.table.name}"
    ).fetchone()
    return bool(row and row[0] == row[1])


def _lines_of_cases(entry: Entry) -> Iterator[str]:
    """The entry of the cases of an event log: a row for each event, of which the newest counts."""
    top = list(top_lines(entry))
    yield f"{top[0].partition('  #')[0]}  # once more: what the rows say of the {entry.entity.name} themselves"
    yield from (line for line in top[1:] if not line.lstrip().startswith("#"))
    yield f"    entity: {entry.entity.name}"
    yield f"    key: {as_yaml(entry.fit.key[0])}  # a row for each event: the newest counts"
    yield from column_lines(entry)
    yield from value_lines(entry)
    yield from null_lines(entry)
    yield from number_lines(entry)
    yield from date_lines(entry)


def _unjudged(table: Table) -> str:
    columns = some_of([profile.name for profile in table.profiles], 40)
    return (
        f"  # {table.path}: ??? what its rows are can't be told by its columns: {columns}\n"
        f"  # - path: {path_text(table.path)}\n"
        "  #   entity: deals                # or another; all are listed by: salesgauge sources help\n"
        "  #   key: the column that identifies a record\n"
        "  #   columns: {}"
    )
