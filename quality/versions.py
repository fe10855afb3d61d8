"""Published versions: which there are, which is served, moving the pointer, going back, and what is kept.

A version is a folder that never changes. The pointer is a symbolic link, so it moves in one step and readers see the old or the new version,
never a mixture. Writing a version belongs to ``quality.publish``.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from salesgauge.errors import ConfigurationError
from salesgauge.settings import Company

DATABASE_FILE = "salesgauge.duckdb"
MANIFEST = "manifest.json"
HISTORY = "history.jsonl"
KEEP = 10
HELD_BY_READERS = timedelta(hours=1)
LOCK_SECONDS = 120
TEMPORARY = ".tmp-"
_ERASURE = ".erasure"
_NAME = re.compile(r"(\d{6,})-(\d{8}T\d{6}Z)")


@dataclass(frozen=True)
class Version:
    """One published version. Times are UTC, naive. ``unchanged``: publishing found nothing new and gave the version served before."""

    name: str
    number: int
    path: Path
    as_of: datetime
    created_at: datetime
    is_current: bool
    manifest: dict[str, Any]
    unchanged: bool = False

    @property
    def database(self) -> Path:
        """The DuckDB file of this version."""
        return self.path / DATABASE_FILE

    @property
    def hashes(self) -> dict[str, str]:
        """Content hash by table (``schema.table``)."""
        return {name: table["hash"] for name, table in self.manifest["tables"].items()}


def versions(company: Company) -> list[Version]:
    """All published versions, oldest first."""
    name = _served(company)
    found = (_read(path, path.name == name) for path in _folders(company))
    return sorted((version for version in found if version is not None), key=lambda version: version.number)


def current(company: Company) -> Version | None:
    """The version that is served, None where nothing was published yet."""
    return next((version for version in versions(company) if version.is_current), None)


def rollback(
    company: Company, version: str | int | Version | None = None, *, at: datetime | None = None, by: str | None = None
) -> Version:
    """Serve ``version`` (name or number; None: the one before the current) from now on, and note who did it and when.

    ``at`` (UTC, naive; default: now) and ``by`` (default: the user of the process) are only written to the history.
    The next publish goes on counting. ConfigurationError where there is no such version.
    """
    with exclusive(company):
        finish_interrupted(company)
        target = _target(versions(company), version)
        if not target.database.is_file():
            raise ConfigurationError(f"version {target.name} has no {DATABASE_FILE} any more. Choose another version.")
        if not target.is_current:
            serve(company, target.name, action="rollback", at=at or _now(), by=by)
    return replace(target, is_current=True)


def serve(company: Company, name: str, *, action: str, at: datetime, by: str | None = None) -> None:
    """Move the pointer to version ``name``, after noting it in the history. The caller holds :func:`exclusive`.

    The note comes first: if the process dies between the two, :func:`finish_interrupted` moves the pointer.
    """
    record = {"at": _stamp(at), "by": by or _user(), "action": action, "from": _served(company), "to": name}
    _append_history(company, record)
    _point(company, name)


def finish_interrupted(company: Company) -> None:
    """Clear what a killed process left: half-written or half-deleted folders, a finished version that was never served, a pointer not moved yet.

    The caller holds :func:`exclusive`.
    """
    folder = company.published_dir / "versions"
    for path in [*folder.glob(f"{TEMPORARY}*"), *company.published_dir.glob(f"{TEMPORARY}*")]:
        _delete(path)
    history = _history(company)
    if history and history[-1]["to"] != _served(company) and (folder / history[-1]["to"] / MANIFEST).is_file():
        _point(company, history[-1]["to"])
    # A version that was never noted was never served. Only the one after the last can be such a rest of a crash:
    # whatever else is not in the history (a lost log, say) is left alone.
    noted = [number_of(record["to"]) for record in history] + [number_of(_served(company) or "")]
    for path in _folders(company):
        if number_of(path.name) == max(noted) + 1 or not (path / MANIFEST).is_file():
            _delete(path)


def next_number(company: Company) -> int:
    """One more than any version that exists or was ever served."""
    names = [path.name for path in _folders(company)] + [record["to"] for record in _history(company)]
    return max((number_of(name) for name in names), default=0) + 1


def number_of(name: str) -> int:
    """The number at the begin of a version's name; 0 for anything else."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else 0


def delete_old(company: Company, *, keep: int, now: datetime) -> list[str]:
    """Delete all but the newest ``keep`` versions; names of the deleted ones. ``now``: UTC, naive. The caller holds :func:`exclusive`.

    Never the current one, nor one that was made, or served, within the last hour: readers may hold it.
    """
    left_at = {record["from"]: _parse(record["at"]) for record in _history(company) if record["from"]}
    deleted = []
    for version in versions(company)[: -max(keep, 1)]:
        last_used = max(version.created_at, left_at.get(version.name, version.created_at))
        if not version.is_current and now - last_used >= HELD_BY_READERS:
            _delete(version.path)
            deleted.append(version.name)
    return deleted


def announce_erasure(company: Company) -> None:
    """Somebody is being erased: all versions there are now go as soon as a newer run has published (:func:`finish_erasure`)."""
    company.published_dir.mkdir(parents=True, exist_ok=True)
    (company.published_dir / _ERASURE).touch()
    sync(company.published_dir)


def is_erasure_announced(company: Company) -> bool:
    """Whether versions wait to be deleted by :func:`finish_erasure`."""
    return (company.published_dir / _ERASURE).exists()


def finish_erasure(company: Company) -> list[str]:
    """After a publish: where an erasure was announced, delete all versions but the one that is served; their names."""
    mark = company.published_dir / _ERASURE
    if not mark.exists():
        return []
    with exclusive(company):
        older = [version for version in versions(company) if not version.is_current]
        for version in older:
            _delete(version.path)
        mark.unlink()
    return [version.name for version in older]


@contextmanager
def exclusive(company: Company) -> Iterator[None]:
    """Held by whoever changes ``var/published``; a killed process lets go of it. ConfigurationError after two minutes of waiting."""
    (company.published_dir / "versions").mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(company.published_dir / ".lock", timeout=LOCK_SECONDS):
            yield
    except Timeout as error:
        raise ConfigurationError(
            f"another process has been publishing in {company.published_dir} for more than {LOCK_SECONDS} seconds. Wait for it, or end it."
        ) from error


def sync(path: Path) -> None:
    """Force the file or folder ``path`` to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _point(company: Company, name: str) -> None:
    folder = company.published_dir
    link = folder / f"{TEMPORARY}pointer-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(Path("versions") / name / DATABASE_FILE)
    link.replace(company.pointer)
    sync(folder)


def _served(company: Company) -> str | None:
    """The name of the version that the pointer names, None where it names none that exists."""
    if not company.pointer.is_symlink() or not company.pointer.exists():
        return None
    return company.pointer.readlink().parent.name


def _folders(company: Company) -> list[Path]:
    folder = company.published_dir / "versions"
    return [path for path in folder.iterdir() if number_of(path.name)] if folder.is_dir() else []


def _read(path: Path, is_current: bool) -> Version | None:
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None  # deleted meanwhile: the manifest goes first
    return Version(
        name=path.name,
        number=number_of(path.name),
        path=path,
        as_of=_parse(manifest["as_of"]),
        created_at=_parse(manifest["created_at"]),
        is_current=is_current,
        manifest=manifest,
    )


def _target(known: list[Version], wanted: str | int | Version | None) -> Version:
    names = ", ".join(version.name for version in known) or "none"
    if wanted is None:
        served = next((version.number for version in known if version.is_current), 0)
        earlier = [version for version in known if version.number < served]
        if not earlier:
            raise ConfigurationError(f"there is no version before the one served. Versions: {names}.")
        return earlier[-1]
    text = wanted.name if isinstance(wanted, Version) else str(wanted)
    for version in known:
        if text == version.name or (text.isdecimal() and int(text) == version.number):
            return version
    raise ConfigurationError(f"there is no version '{text}'. Versions: {names}.")


def _history(company: Company) -> list[dict[str, Any]]:
    path = company.published_dir / HISTORY
    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue  # cut off by a crash: what it announced was not done yet
    return records


def _append_history(company: Company, record: dict[str, Any]) -> None:
    path = company.published_dir / HISTORY
    with path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        torn = size > 0 and _last_byte(path) != b"\n"
        file.write((b"\n" if torn else b"") + json.dumps(record).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)


def _delete(path: Path) -> None:
    """Delete a folder or a link. The manifest goes first, so that a half-deleted version is none."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
        return
    (path / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(path)


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def _stamp(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
