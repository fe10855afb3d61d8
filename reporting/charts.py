"""The charts of the reports as SVG text: Altair builds them, vl-convert draws them, offline. No data is read here.

Bars begin at zero, intervals are drawn where there are any, one axis holds one unit. Each chart is drawn wide and narrow, because
text in a scaled drawing can't be read on a phone. Colours stand in the SVG as the light theme's; the page's style sheet maps them
for the dark one (``COLOURS``).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import altair as alt
import vl_convert

from salesgauge.numbers import METHODS, money, month, share, value_of

COLOURS = {
    "ink": "#1f2a37",
    "muted": "#5b6673",
    "line": "#d9dee5",
    "strong": "#1d5f9e",
    "soft": "#a9c8e6",
    "other": "#b4a58c",
    "accent": "#b3541e",
    "paper": "#fdfdfc",
}
"""Light theme. Blue, sand and rust differ in lightness as well, so they hold in grey and for colour-blind readers."""
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
Row = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """One chart in both widths, as SVG."""

    wide: str
    narrow: str


def _config(size: int) -> dict[str, Any]:
    text = {"labelFont": _FONT, "titleFont": _FONT, "labelFontSize": size, "titleFontSize": size}
    return {
        "background": None,
        "font": _FONT,
        "aria": False,
        "view": {"stroke": None},
        "axis": {
            **text,
            "labelColor": COLOURS["muted"],
            "titleColor": COLOURS["muted"],
            "titleFontWeight": "normal",
            "gridColor": COLOURS["line"],
            "domainColor": COLOURS["line"],
            "tickColor": COLOURS["line"],
            "labelLimit": 200,
        },
        "text": {"font": _FONT, "fontSize": size, "color": COLOURS["ink"]},
    }


def _svg(chart: alt.Chart | alt.LayerChart | alt.FacetChart, name: str, size: int = 12) -> str:
    spec = chart.to_dict(
        validate=False
    )  # vl-convert reads it next and is strict; a second check costs half of the time
    spec["config"] = _config(size)
    svg = vl_convert.vegalite_to_svg(json.loads(json.dumps(spec)))
    return _embedded(svg, name)


def _embedded(svg: str, name: str) -> str:
    """``svg`` for use inside HTML: no namespaces, ids that are its own."""
    svg = re.sub(r'\s(xmlns(:\w+)?|version)="[^"]*"', "", svg[svg.index("<svg") :], count=3)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)


def _data(rows: list[Row]) -> alt.InlineData:
    return alt.InlineData(values=rows)


def _money_axis(currency: str) -> str:
    """Vega expression of an axis label in money."""
    symbol = json.dumps(money(0, currency)[:-1])
    scaled = ((1e9, " B"), (1e6, " M"), (1e3, " k"))
    choices = "".join(
        f"abs(datum.value) >= {bound:.0f} ? format(datum.value / {bound:.0f}, ',.3~f') + '{unit}' : "
        for bound, unit in scaled
    )
    return f"{symbol} + ({choices}format(datum.value, ','))"


def _names(field: str, limit: int) -> alt.Y:
    """The vertical axis of a bar chart with names as labels, in the order of the rows."""
    # Fonts differ between the drawing and the reader: the labels get a tenth more room than they were measured to need.
    axis = alt.Axis(
        ticks=False,
        domain=False,
        labelColor=COLOURS["ink"],
        labelLimit=limit,
        minExtent=limit * 1.1,
        labelPadding=6,
        title=None,
    )
    return alt.Y(f"{field}:N", sort=None, axis=axis)


def _longest(values: list[Row], field: str) -> int:
    return max(len(value[field]) for value in values)


def months(rows: list[Row], currency: str) -> Chart:
    """Won amount per month as bars (the running month lighter); the forecast as a dot with its 80 % interval."""
    return Chart(
        _months(rows, currency, 800, 300, "months-wide"), _months(rows[-9:], currency, 272, 260, "months-narrow")
    )


def _months(rows: list[Row], currency: str, width: int, height: int, name: str) -> str:
    values = [
        {
            "month": month(row["month"]),
            "actual": row["actual_amount"],
            "forecast": row["forecast_amount"],
            "low": row["low_amount"],
            "high": row["high_amount"],
            "over": row["is_over"],
        }
        for row in rows
    ]
    base = alt.Chart(_data(values))
    label = "slice(datum.label, 0, 3) + ' ' + slice(datum.label, -2)" if width > 500 else "slice(datum.label, 0, 3)"
    axis = alt.Axis(labelAngle=0, labelExpr=label, ticks=False, title=None, labelOverlap=False)
    x = alt.X("month:N", sort=None, axis=axis)
    money_axis = alt.Axis(labelExpr=_money_axis(currency), tickCount=5, title=None)
    bars = base.transform_filter("isValid(datum.actual)").mark_bar(width={"band": 0.66})
    reach = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_rule(
        strokeWidth=2.5, color=COLOURS["accent"]
    )
    dots = base.transform_filter("isValid(datum.forecast)").mark_point(
        filled=True, size=75, opacity=1, color=COLOURS["accent"]
    )
    layers = alt.layer(
        bars.encode(
            x=x,
            y=alt.Y("actual:Q", stack=None, scale=alt.Scale(zero=True), axis=money_axis),
            color=_when(alt.ColorValue, "datum.over", COLOURS["soft"], COLOURS["line"]),
        ),
        reach.encode(x=x, y=alt.Y("low:Q"), y2=alt.Y2("high:Q")),
        dots.encode(x=x, y=alt.Y("forecast:Q")),
    )
    return _svg(layers.properties(width=width, height=height), name)


def horizons(rows: list[Row]) -> Chart:
    """WAPE by how far ahead the forecast was made, both methods."""
    return Chart(_horizons(rows, 760, 190, "horizons-wide"), _horizons(rows, 285, 180, "horizons-narrow"))


def _horizons(rows: list[Row], width: int, height: int, name: str) -> str:
    is_wide = width > 500
    values = [
        {
            "horizon": row["horizon_bucket"].replace("-", "–") + (" days ahead" if is_wide else ""),
            "method": METHODS[method],
            "wape": row[column],
            "label": share(row[column]) if is_wide else f"{row[column]:.0%}",
        }
        for row in rows
        for method, column in (("stage_age_pipeline", "wape"), ("seasonal_naive", "naive_wape"))
        if row[column] is not None
    ]
    names = list(METHODS.values())
    x_axis = alt.Axis(labelAngle=0, ticks=False, title=None if is_wide else "days ahead")
    base = alt.Chart(_data(values)).encode(
        x=alt.X("horizon:N", sort=None, axis=x_axis),
        xOffset=alt.XOffset("method:N", sort=names),
        y=alt.Y("wape:Q", stack=None, scale=alt.Scale(zero=True), axis=alt.Axis(format="~%", tickCount=4, title=None)),
    )
    colours = alt.Scale(domain=names, range=[COLOURS["strong"], COLOURS["other"]])
    bars = base.mark_bar().encode(color=alt.Color("method:N", scale=colours, legend=None))
    labels = base.mark_text(dy=-7, fontSize=11).encode(text=alt.Text("label:N"))
    return _svg(alt.layer(bars, labels).properties(width=width, height=height), name)


def pipeline(rows: list[Row], labels: dict[str, str], currency: str) -> Chart:
    """Open amount per stage as bars, the part that is expected to be won inside them. Without any amount: the number of deals."""
    if not any(row["amount"] for row in rows):
        return Chart(_deals(rows, labels, 580, "pipeline-wide"), _deals(rows, labels, 165, "pipeline-narrow"))
    return Chart(
        _pipeline(rows, labels, currency, 580, "pipeline-wide"),
        _pipeline(rows, labels, currency, 165, "pipeline-narrow"),
    )


def _pipeline(rows: list[Row], labels: dict[str, str], currency: str, width: int, name: str) -> str:
    values = [
        {
            "stage": name,
            "amount": row["amount"] or 0,
            "weighted": row["weighted_amount"] or 0,
            "label": money(row["amount"], currency),
        }
        for row, name in zip(rows, _stage_names(rows, labels), strict=True)
    ]
    base = _by_stage(values, width)
    axis = alt.Axis(labelExpr=_money_axis(currency), tickCount=4 if width > 500 else 2, title=None)
    whole = base.mark_bar(height={"band": 0.62}, color=COLOURS["soft"]).encode(
        x=alt.X("amount:Q", stack=None, axis=axis, scale=alt.Scale(zero=True))
    )
    part = base.mark_bar(height={"band": 0.3}, color=COLOURS["strong"]).encode(x=alt.X("weighted:Q", stack=None))
    text = base.mark_text(align="left", dx=5).encode(x=alt.X("amount:Q"), text=alt.Text("label:N"))
    return _svg(alt.layer(whole, part, text).properties(width=width, height=44 * len(values) + 8), name)


def _deals(rows: list[Row], labels: dict[str, str], width: int, name: str) -> str:
    names = _stage_names(rows, labels)
    values = [
        {"stage": stage, "deals": row["deals"], "label": f"{row['deals']:,}"}
        for row, stage in zip(rows, names, strict=True)
    ]
    base = _by_stage(values, width)
    axis = alt.Axis(format=",d", tickCount=4 if width > 500 else 2, tickMinStep=1, title="deals")
    bars = base.mark_bar(height={"band": 0.62}, color=COLOURS["soft"]).encode(
        x=alt.X("deals:Q", stack=None, axis=axis, scale=alt.Scale(zero=True))
    )
    text = base.mark_text(align="left", dx=5).encode(x=alt.X("deals:Q"), text=alt.Text("label:N"))
    return _svg(alt.layer(bars, text).properties(width=width, height=34 * len(values) + 8), name)


def _stage_names(rows: list[Row], labels: dict[str, str]) -> list[str]:
    """Labels of the stages; with the key where two have the same: two bars of one name would be drawn as one."""
    stages: list[str] = [row["stage"] for row in rows]
    names = [labels.get(stage, stage) for stage in stages]
    return [name if names.count(name) == 1 else f"{name} ({stage})" for stage, name in zip(stages, names, strict=True)]


def _by_stage(values: list[Row], width: int) -> alt.Chart:
    limit = min(240 if width > 500 else 104, _longest(values, "stage") * 8)
    return alt.Chart(_data(values)).encode(y=_names("stage", limit))


def completeness(rows: list[Row], target: float | None) -> Chart:
    """Completeness per rep as sorted bars with 95 % intervals and the target."""
    return Chart(
        _completeness(rows, target, 520, "completeness-wide"), _completeness(rows, target, 150, "completeness-narrow")
    )


def _completeness(rows: list[Row], target: float | None, width: int, name: str) -> str:
    is_wide = width > 300
    values = [
        {
            "rep": row["segment"],
            "value": row["completeness"],
            "low": row["completeness_low"],
            "high": row["completeness_high"],
            "few": row["is_low_n"],
            "label": f"{share(row['completeness']) if is_wide else format(row['completeness'], '.0%')}  n = {row['n']:,}"
            + (" (few)" if row["is_low_n"] and is_wide else ""),
        }
        for row in rows
    ]
    limit = min(190 if is_wide else 96, _longest(values, "rep") * 8)
    scale = alt.Scale(domain=[0, 1], nice=False)
    base = alt.Chart(_data(values)).encode(y=_names("rep", limit))
    axis = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1] if is_wide else [0, 0.5, 1], title=None)
    bars = base.mark_bar(height={"band": 0.64}).encode(
        x=alt.X("value:Q", stack=None, scale=scale, axis=axis),
        color=_when(alt.ColorValue, "datum.few", COLOURS["line"], COLOURS["soft"]),
    )
    reach = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_rule(
        strokeWidth=2, color=COLOURS["strong"]
    )
    text = base.mark_text(align="left", dx=6, fontSize=11)
    layers = [
        bars,
        reach.encode(x=alt.X("low:Q", scale=scale), x2=alt.X2("high:Q")),
        text.encode(x=alt.datum(1.0, scale=scale), text=alt.Text("label:N")),
    ]
    if target is not None:
        line = alt.Chart(_data([{"target": target}])).mark_rule(
            color=COLOURS["accent"], strokeDash=[4, 3], strokeWidth=1.5
        )
        layers.append(line.encode(x=alt.X("target:Q", scale=scale)))
    return _svg(alt.layer(*layers).properties(width=width, height=24 * len(values) + 8), name)


def strip(row: Row, currency: str, name: str) -> str:
    """One KPI on its own axis: baseline (hollow) and current value (filled) with intervals, target (bar)."""
    points = [
        {"y": place, "value": row[value], "low": row[low], "high": row[high], "filled": filled}
        for place, value, low, high, filled in (
            ("before", "baseline", "baseline_low", "baseline_high", False),
            ("now", "current_value", "current_low", "current_high", True),
        )
        if row[value] is not None
    ]
    ends = [point[end] for point in points for end in ("value", "low", "high") if point[end] is not None]
    ends += [row["target"]] if row["target"] is not None else []
    low, high = min(ends), max(ends)
    room = (high - low or abs(high) or 1.0) * 0.08
    scale = alt.Scale(domain=[low - room, high + room], nice=False, zero=False)
    ticks = [low, high] if high > low else [low]
    text = {tick: value_of(tick, row["unit"], currency) for tick in ticks}
    label = " : ".join(f"datum.value == {json.dumps(tick)} ? {json.dumps(text[tick])}" for tick in ticks) + " : ''"
    axis = alt.Axis(values=ticks, labelExpr=label, title=None, grid=False, labelFlush=True, tickSize=4)
    y = alt.Y("y:N", sort=["before", "now"], title=None, axis=None, scale=alt.Scale(domain=["before", "now"]))
    base = alt.Chart(_data(points))
    layers: list[alt.Chart] = []
    if row["target"] is not None:
        aim = alt.Chart(_data([{"target": row["target"]}])).mark_rule(color=COLOURS["accent"], strokeWidth=3)
        layers.append(aim.encode(x=alt.X("target:Q", scale=scale, axis=axis)))
    x = alt.X("value:Q", scale=scale, axis=axis)
    layers.append(
        base.transform_filter("isValid(datum.low) && isValid(datum.high)")
        .mark_rule(strokeWidth=2.5)
        .encode(
            x=alt.X("low:Q", scale=scale, axis=axis),
            x2=alt.X2("high:Q"),
            y=y,
            color=_when(alt.ColorValue, "datum.filled", COLOURS["strong"], COLOURS["muted"]),
        )
    )
    layers.append(
        base.mark_point(size=70, opacity=1, strokeWidth=2, filled=False).encode(
            x=x,
            y=y,
            stroke=_when(alt.StrokeValue, "datum.filled", COLOURS["strong"], COLOURS["muted"]),
            fill=_when(alt.FillValue, "datum.filled", COLOURS["strong"], COLOURS["paper"]),
        )
    )
    return _svg(alt.layer(*layers).properties(width=230, height=38), name, size=11)


def sparkline(rows: list[Row], first: date, words: str) -> str:
    """A KPI in the 13 weeks from ``first`` on: a line, and its 95 % interval behind it where it has one. A week without a value is a gap.

    Drawn here: it has neither axis nor text, and there is one for each KPI. The line has a third of the height at least: a wide interval is cut at the edge.
    """
    width, height, room = 230, 30, 3
    ends = [float(row[name]) for row in rows for name in ("value", "low", "high") if row[name] is not None]
    values = [float(row["value"]) for row in rows]
    spread = max(values) - min(values)
    low, high = min(ends), max(ends)
    if spread:
        low, high = max(low, min(values) - spread), min(high, max(values) + spread)

    def at(row: Row, name: str) -> str:
        x = room + (row["period_start_date"] - first).days / 7 / 12 * (width - 2 * room)
        y = height - room - (min(max(float(row[name]), low), high) - low) / ((high - low) or 1.0) * (height - 2 * room)
        return f"{x:.1f},{y:.1f}"

    drawn = []
    for run in _runs([row for row in rows if row["low"] is not None and row["high"] is not None]):
        edge = [at(row, "low") for row in run] + [at(row, "high") for row in reversed(run)]
        drawn.append(f'<polygon points="{" ".join(edge)}" fill="{COLOURS["soft"]}" fill-opacity="0.5"/>')
    for run in _runs(rows):
        line = " ".join(at(row, "value") for row in run)
        drawn.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS["strong"]}" stroke-width="1.5"/>')
    x, y = at(rows[-1], "value").split(",")
    drawn.append(f'<circle cx="{x}" cy="{y}" r="2.5" fill="{COLOURS["strong"]}"/>')
    return f'<svg class="trend" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{words}">{"".join(drawn)}</svg>'


def _runs(rows: list[Row]) -> list[list[Row]]:
    """Rows of weeks that follow each other."""
    runs: list[list[Row]] = []
    for row in rows:
        if runs and (row["period_start_date"] - runs[-1][-1]["period_start_date"]).days == 7:
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def _when(channel: Any, test: str, yes: str, no: str) -> Any:
    """A ``channel`` whose value depends on ``test``. Made at once: of ``alt.when`` Altair finds the class by hashing those that it has, all of them."""
    return channel(no, condition={"test": test, "value": yes})
