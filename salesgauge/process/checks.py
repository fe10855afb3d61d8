"""What of a process file names something that does not exist, or says something that can't be: every mistake with its place.

The shape of each part is ``model``'s. These checks read the document as it was written, so that they find what they can also where a part of it has
another shape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from sqlglot.expressions import Column

from salesgauge.kpis import Kpi, dimensions, kpis
from salesgauge.names import suggest
from salesgauge.process.expressions import Columns, parse_condition, read_condition

Place = tuple[int | str, ...]
Mistake = tuple[Place, str]

# In place of a stage: the activity is none. It stays in the process map and leaves the ledger.
IGNORE = "ignore"
SEGMENT_TYPES = (
    "branch", "rep", "team", "channel", "campaign", "service_line", "job_type", "customer_type", "process_version", "pipeline",
)  # fmt: skip
FORECAST_SEGMENT_TYPES = ("branch", "rep", "service_line")
# Words of kpi.kpi_reconciliation and of the models that say why a record does not count: a rule of that name would be counted as something else.
RESERVED_REASONS = frozenset(
    {
        "received", "loaded", "counted", "quarantined", "rejected", "duplicate", "duplicates", "superseded", "deleted", "merged", "erased",
        "after_as_of", "undated", "unmapped", "excluded", "ignored", "filtered", "refused_file", "earlier_reading",
    }
)  # fmt: skip
# Shares of 0–1 that people may write as per cent.
_RANGES = {"share": (0.0, 1.0), "points": (-100.0, 100.0)}


def mistakes(document: Any, excluding: Columns, columns: Columns) -> Iterator[Mistake]:
    """Every mistake as its place in the document and what is wrong there.

    ``excluding``: the columns by object that an exclusion may name; ``columns``: those that any other condition may.
    """
    yield from _stage_mapping(document)
    yield from _targets(document)
    yield from _questions(document)
    yield from _exclusions(document, excluding)
    yield from _qualification(document, excluding)
    yield from _exchange_rates(document)
    yield from _identity(document)


def unread(document: Any) -> list[str]:
    """Keys of the document that describe the process and that no KPI reads, in the order in which they stand there."""
    found = []
    for branch in _dict(_dict(_dict(document).get("company")).get("branches")).values():
        found += [key for key in ("on_call",) if key in _dict(branch)]
    process = _dict(_dict(document).get("process"))
    for version in _list(process.get("versions")):
        found += [key for key in ("cost",) if key in _dict(version)]
    for stage in _list(process.get("stages")):
        found += [key for key in ("owner_role", "tools", "exit", "reasons", "playbook") if key in _dict(stage)]
    found += [key for key in ("gross_margin",) if key in _dict(document)]
    return list(dict.fromkeys(found))


def stage_word(text: str) -> str:
    """A stage's name in a source, as it is compared (``dbt_project/macros/stages.sql`` has the same)."""
    return text.strip().lower().replace(" ", "_")


def _stages(document: Any) -> dict[str, str]:
    """Kind by stage, in the order of the process."""
    stages = _list(_dict(_dict(document).get("process")).get("stages"))
    return {
        str(stage["key"]): str(stage.get("kind", "open"))
        for stage in stages
        if isinstance(stage, dict) and "key" in stage
    }


def _stage_mapping(document: Any) -> Iterator[Mistake]:
    known = _stages(document)
    for source, pipelines in _dict(_dict(document).get("stage_mapping")).items():
        for pipeline, mapping in _dict(pipelines).items():
            alike: dict[str, tuple[str, Any]] = {}
            for source_stage, stage in _dict(mapping).items():
                place = ("stage_mapping", source, pipeline, source_stage)
                other, meant = alike.setdefault(stage_word(str(source_stage)), (str(source_stage), stage))
                if meant != stage:
                    yield (
                        place,
                        f"{_dotted(place)} is written like '{other}' but for case and blanks, and names another stage; expected '{meant}', or one of the two taken out",
                    )
                if str(source_stage) == "*" and stage != IGNORE:
                    yield place, f"{_dotted(place)}: what is not named can only be ignored; expected '*': {IGNORE}"
                elif isinstance(stage, str) and stage not in {*known, IGNORE}:
                    yield (
                        place,
                        f"{_dotted(place)} names the stage '{stage}', which process.stages does not have{suggest(stage, known)}",
                    )


def _targets(document: Any) -> Iterator[Mistake]:
    targets = [
        (at, target) for at, target in enumerate(_list(_dict(document).get("targets"))) if isinstance(target, dict)
    ]
    keys = ("kpi", "from", "to", "segment_type", "segment", "effective_from")
    counts = Counter(tuple(str(target.get(key)) for key in keys) for _, target in targets)
    for at, target in targets:
        for key, text in _target(document, target):
            place: Place = ("targets", at, key) if key in target else ("targets", at)
            yield place, f"targets[{at}].{key}: {text}"
        if counts.pop(tuple(str(target.get(key)) for key in keys), 1) > 1:
            yield ("targets", at), f"targets[{at}]: another target is about the same KPI, stages, segment and day"


def _target(document: Any, target: dict[str, Any]) -> Iterator[tuple[str, str]]:
    name = target.get("kpi")
    if isinstance(name, str) and name not in kpis():
        yield "kpi", f"no target is possible for '{name}'{suggest(name, kpis())}"
    kpi = kpis().get(str(name))
    for key in ("target", "before"):
        if kpi is not None and (text := _out_of_range(kpi, target.get(key))):
            yield key, text
    yield from _target_stages(_stages(document), str(name), target)
    yield from _target_segment(document, str(name), target)


def _out_of_range(kpi: Kpi, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    low, high = _RANGES.get(kpi.unit, (0.0, float("inf")))
    low = -1.0 if kpi.is_signed else low
    if low <= value <= high:
        return ""
    if kpi.unit == "share":
        hint = f"; {value:g} % is {value / 100:g}" if 1 < value <= 100 else ""
        return f"'{kpi.name}' is a share: expected a number from {low:g} to 1 (found {value:g}){hint}"
    if kpi.unit == "points":
        return f"'{kpi.name}' is in points: expected a number from -100 to 100 (found {value:g})"
    return f"'{kpi.name}' is never negative (found {value:g})"


def _target_stages(stages: Mapping[str, str], kpi: str, target: dict[str, Any]) -> Iterator[tuple[str, str]]:
    order = list(stages)
    for key, kinds in (("from", ("open",)), ("to", ("open", "won"))):
        stage = target.get(key)
        if stage is None:
            continue
        if kpi in kpis() and not kpis()[kpi].pairs:
            staged = " and ".join(name for name, one in kpis().items() if one.pairs)
            yield key, f"'{kpi}' has no stages; only {staged} do"
        elif str(stage) not in stages:
            yield (
                key,
                f"the target of '{kpi}' names the stage '{stage}', which process.stages does not have{suggest(str(stage), stages)}",
            )
        elif stages[str(stage)] not in kinds:
            yield (
                key,
                f"'{stage}' is a stage of kind {stages[str(stage)]}: a conversion goes from an open stage to a later open one, or to won",
            )
    begin, end = str(target.get("from")), str(target.get("to"))
    if begin in stages and end in stages and order.index(begin) >= order.index(end):
        yield "to", f"'{end}' does not come after '{begin}'"


def _target_segment(document: Any, kpi: str, target: dict[str, Any]) -> Iterator[tuple[str, str]]:
    kind, segment = target.get("segment_type"), target.get("segment")
    if kind is None and segment is None:
        return
    if kind is None or segment is None:
        missing, given = ("segment_type", "segment") if kind is None else ("segment", "segment_type")
        yield given, f"needs '{missing}' beside it, for example {{segment_type: branch, segment: main}}"
        return
    is_of_locks = kpi in kpis() and "level" in kpis()[kpi].defaults
    known = FORECAST_SEGMENT_TYPES if is_of_locks else SEGMENT_TYPES
    if str(kind) not in known:
        yield "segment_type", f"'{kpi}' has no segments of type '{kind}'{suggest(str(kind), known)}"
        return
    values = {
        "branch": _dict(_dict(_dict(document).get("company")).get("branches")),
        "process_version": [
            str(_dict(version).get("key")) for version in _list(_dict(_dict(document).get("process")).get("versions"))
        ],
    }.get(str(kind))
    if values and str(segment) not in [*values, "(none)"]:
        yield "segment", f"there is no {kind} '{segment}'{suggest(str(segment), values)}"


def _questions(document: Any) -> Iterator[Mistake]:
    questions = [(at, one) for at, one in enumerate(_list(_dict(document).get("questions"))) if isinstance(one, dict)]
    counts = Counter(str(question.get("name")) for _, question in questions)
    for at, question in questions:
        name = str(question.get("name"))
        for key, text in _question(question):
            place: Place = ("questions", at, key) if key in question else ("questions", at)
            yield place, f"questions[{at}].{key}: {text}"
        if name in kpis():
            yield (
                ("questions", at, "name"),
                f"questions[{at}].name: '{name}' is a metric: give the question another name",
            )
        if counts.pop(name, 1) > 1:
            yield ("questions", at), f"questions[{at}]: another question has the name '{name}' too"


def _question(question: dict[str, Any]) -> Iterator[tuple[str, str]]:
    metrics, by, sort = (_names(question.get(key)) for key in ("metrics", "by", "sort"))
    known = [metric for metric in metrics if metric in kpis()]
    for metric in metrics:
        if metric not in kpis():
            yield "metrics", f"there is no metric '{metric}'{suggest(metric, kpis())}"
    if twice := [metric for metric, count in Counter(metrics).items() if count > 1]:
        yield "metrics", f"'{twice[0]}' stands there twice"
    asked = {"by": by, "where": []}
    if isinstance(question.get("where"), str):
        try:
            columns = read_condition(question["where"]).find_all(Column)
            asked["where"] = sorted({column.name.lower() for column in columns} - {"metric_time"})
        except ValueError as error:
            yield "where", str(error)
    for key, names in asked.items():
        for name in names:
            if without := next((metric for metric in known if name not in dimensions(metric)), None):
                yield key, f"{without} has no dimension '{name}'{suggest(name, dimensions(without))}"
    grain, compare = question.get("grain"), question.get("compare")
    if compare in ("previous_period", "previous_year") and grain is None:
        yield "compare", f"{compare} compares periods: needs 'grain' beside it, for example grain: month"
    if compare == "before" and grain is not None:
        yield "compare", "before has periods of its own, those of the scorecard: leave 'grain' out"
    columns_of = {*by, *([str(grain)] if grain else [])}
    for name in sort:
        column = name.removeprefix("-")
        if column not in columns_of and not any(
            column == metric or column.startswith(f"{metric}_") for metric in metrics
        ):
            yield "sort", f"the answer has no column '{column}'{suggest(column, [*columns_of, *metrics])}"


def _names(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in _list(value)]


def _exclusions(document: Any, columns: Columns) -> Iterator[Mistake]:
    for reason, text in _dict(_dict(document).get("exclusions")).items():
        place = ("exclusions", reason)
        if reason in RESERVED_REASONS or str(reason).startswith("lead_"):
            yield (
                place,
                f"exclusions: rule '{reason}': the name has a meaning of its own in kpi.kpi_reconciliation; choose another, such as '{reason}_by_rule'",
            )
        yield from _condition(place, f"exclusions: rule '{reason}'", text, columns)


def _qualification(document: Any, columns: Columns) -> Iterator[Mistake]:
    after = _dict(_dict(document).get("qualification")).get("after")
    stages = [one for one in _list(_dict(_dict(document).get("process")).get("stages")) if isinstance(one, dict)]
    open_stages = [str(one.get("key")) for one in stages if one.get("kind", "open") == "open"]
    if after is not None and str(after) not in open_stages:
        yield (
            ("qualification", "after"),
            f"qualification.after: '{after}' is no open stage{suggest(str(after), open_stages)}",
        )
    for name, text in _dict(_dict(_dict(document).get("qualification")).get("met")).items():
        yield from _condition(("qualification", "met", name), f"qualification.met.{name}", text, columns)


def _condition(place: Place, name: str, text: Any, columns: Columns) -> Iterator[Mistake]:
    for condition in [text] if isinstance(text, str) else [*_dict(text).values()]:
        try:
            parse_condition(str(condition), columns)
        except ValueError as error:
            yield place, f"{name}: {error}"


def _exchange_rates(document: Any) -> Iterator[Mistake]:
    own = _dict(_dict(document).get("company")).get("currency")
    rates = [
        (at, rate) for at, rate in enumerate(_list(_dict(document).get("exchange_rates"))) if isinstance(rate, dict)
    ]
    counts = Counter((str(rate.get("currency")), str(rate.get("date"))) for _, rate in rates)
    for at, rate in rates:
        key = (str(rate.get("currency")), str(rate.get("date")))
        if counts.pop(key, 1) > 1:
            yield ("exchange_rates", at), f"exchange_rates[{at}]: {key[0]} has two rates on {key[1]}: leave one"
        if own is not None and rate.get("currency") == own:
            yield (
                ("exchange_rates", at),
                f"exchange_rates[{at}]: {own} is the company's own currency: its rate is always 1",
            )


def _identity(document: Any) -> Iterator[Mistake]:
    """A pair that is in both lists."""
    identity = _dict(_dict(document).get("identity"))
    same = {_pair(pair) for pair in _list(identity.get("same")) if isinstance(pair, dict)}
    for at, pair in enumerate(_list(identity.get("different"))):
        if isinstance(pair, dict) and _pair(pair) in same:
            yield (
                ("identity", "different", at),
                f"identity.different[{at}]: '{pair.get('record')}' and '{pair.get('lead')}' are in identity.same too",
            )


def _pair(pair: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(pair.get(key)) for key in ("entity", "record", "lead"))


def _dotted(place: Place) -> str:
    return ".".join(str(part) for part in place)


def _dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
