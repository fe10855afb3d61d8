"""Forms and what was sent off with them. Submissions have no id of a contact: the models join them by the e-mail address."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from ingestion.connector.moments import epoch_ms
from ingestion.http.answers import Refused
from ingestion.landing.spool import Spool, dumps
from ingestion.sources.hubspot.api import FORM_TYPE_NOT_ALLOWED, MISSING_SCOPES, HubSpotApi, Record
from ingestion.sources.hubspot.known import Lookup

_LOG = logging.getLogger(__name__)


@dataclass
class Forms:
    """What was read: new and changed forms, new submissions. ``cursor``: form → ``newest`` (epoch ms), or ``is_refused`` where it has none to read."""

    forms: Path
    submissions: Path
    duplicates: int = 0
    refused: list[str] = field(default_factory=list)
    cursor: dict[str, Any] = field(default_factory=dict)


def read_forms(
    api: HubSpotApi, lookup: Lookup, folder: Path, overlap: timedelta, cursor: dict[str, Any] | None
) -> Forms:
    """Forms that differ from what is known, and per form its submissions back to the newest one known minus ``overlap``.

    One request for the list (one more per 100 forms) and one per form that has submissions of its kind (one more per 50 new ones). Where the
    account has no forms, or the token may not read them, that is said, and nothing is read. A form of which the submissions are refused does not keep
    those of others away; it is in ``refused``.
    """
    found = Forms(folder / "forms.jsonl", folder / "form_submissions.jsonl", cursor=dict(cursor or {}))
    known = lookup.records("forms", "id")
    with Spool(found.forms) as forms, Spool(found.submissions) as spool:
        try:
            for form in api.forms():
                is_record = isinstance(form, dict) and form.get("id") not in (None, "")
                if not is_record or known.get((str(form["id"]),)) != dumps(form):
                    forms.write([form])
                if is_record:
                    _submissions(api, lookup, str(form["id"]), overlap, found, spool)
        except Refused as error:
            if error.status not in (403, 404):
                raise
            _LOG.warning("%s; forms and their submissions are not read any further, everything else is", error)
    return found


def _submissions(api: HubSpotApi, lookup: Lookup, form_id: str, overlap: timedelta, found: Forms, spool: Spool) -> None:
    state = found.cursor.get(form_id) or {}
    if state.get("is_refused"):
        return
    mark = state.get("newest")
    floor = 0 if mark is None else mark - int(overlap.total_seconds() * 1_000)
    newest, seen = mark, set[str]()
    try:
        for page in _until(api.submissions(form_id), floor):
            records = [_named(one, form_id) for one in page]
            if mark is not None:
                ids = [record["conversionId"] for record in records if isinstance(record, dict)]
                seen |= lookup.submissions(form_id, ids)
            for record in records:
                at = _at(record)
                if at is not None:
                    newest = at if newest is None else max(newest, at)
                if isinstance(record, dict) and record["conversionId"] in seen:
                    found.duplicates += 1
                    continue
                if isinstance(record, dict):
                    seen.add(record["conversionId"])
                spool.write([record])
    except Refused as error:
        if error.code == FORM_TYPE_NOT_ALLOWED:
            found.cursor[form_id] = {"is_refused": True}
        elif error.status in (403, 404) and error.code != MISSING_SCOPES:
            found.refused.append(form_id)  # deleted meanwhile, or not for this token; it is asked for again next time
        else:
            raise
        return
    if newest is not None:
        found.cursor[form_id] = {"newest": newest}


def _until(pages: Iterator[list[Any]], floor: int) -> Iterator[list[Any]]:
    """``pages``, newest first, up to the one that goes back past ``floor``."""
    for page in pages:
        yield page
        moments = [at for at in map(_at, page) if at is not None]
        if moments and min(moments) < floor:
            return


def _at(one: Any) -> int | None:
    return epoch_ms(one.get("submittedAt")) if isinstance(one, dict) else None


def _named(one: Any, form_id: str) -> Record | Any:
    """A submission with its form; one without an id gets one from what it holds."""
    if not isinstance(one, dict):
        return one
    given = one.get("conversionId") or hashlib.blake2b(dumps([form_id, one]).encode(), digest_size=16).hexdigest()
    return {**one, "formId": form_id, "conversionId": str(given)}
