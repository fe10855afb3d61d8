"""Forms and what was sent off with them. Submissions have no id of a contact: the models join them by the e-mail address."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ingestion.connector.moments import epoch_ms
from ingestion.http.answers import Refused
from ingestion.landing.changes import Changes
from ingestion.landing.spool import dumps
from ingestion.sources.hubspot.api import FORM_TYPE_NOT_ALLOWED, MISSING_SCOPES, HubSpotApi, Record
from ingestion.sources.hubspot.tables import FORM_SUBMISSIONS, FORMS

_LOG = logging.getLogger(__name__)


@dataclass
class Forms:
    """How far forms were read. ``cursor``: form → ``newest`` submission (epoch ms), or ``is_refused`` where it has none to read."""

    refused: list[str] = field(default_factory=list)
    cursor: dict[str, Any] = field(default_factory=dict)


def read_forms(api: HubSpotApi, changes: Changes, overlap: timedelta, cursor: dict[str, Any] | None) -> Forms:
    """All forms, and per form its submissions back to the newest one known minus ``overlap``, to ``changes``.

    One request for the list (one more per 100 forms) and one per form that has submissions of its kind (one more per 50 new ones). Where the
    account has no forms, or the token may not read them, that is said, and nothing is read. A form of which the submissions are refused does not keep
    those of others away; it is in ``refused``.
    """
    found = Forms(cursor=dict(cursor or {}))
    try:
        for form in api.forms():
            changes.write(FORMS, [form])
            if isinstance(form, dict) and form.get("id") not in (None, ""):
                _submissions(api, changes, str(form["id"]), overlap, found)
    except Refused as error:
        if error.status not in (403, 404):
            raise
        _LOG.warning("%s; forms and their submissions are not read any further, everything else is", error)
    return found


def _submissions(api: HubSpotApi, changes: Changes, form_id: str, overlap: timedelta, found: Forms) -> None:
    state = found.cursor.get(form_id) or {}
    if state.get("is_refused"):
        return
    newest = mark = state.get("newest")
    floor = 0 if mark is None else mark - int(overlap.total_seconds() * 1_000)
    try:
        for page in _until(api.submissions(form_id), floor):
            newest = max((at for at in (newest, *map(_at, page)) if at is not None), default=None)
            changes.write(FORM_SUBMISSIONS, (_named(one, form_id) for one in page))
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
