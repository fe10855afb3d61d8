"""The charts of the reports as SVG text: Altair builds them, vl-convert draws them, offline. No data is read here.

Bars begin at zero, intervals are drawn where there are any, one axis holds one unit. Each chart is drawn wide and narrow, because
text in a scaled drawing can't be read on a phone. Colours stand in the SVG as the light theme's; the page's style sheet maps them
for the dark one (``COLOURS``).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert

from reporting.numbers import METHODS, money, month, share, value_of

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
        "legend": {
            **text,
            "labelColor": COLOURS["ink"],
            "orient": "top",
            "title": None,
            "symbolType": "square",
            "labelLimit": 300,
        },
        "text": {"font": _FONT, "fontSize": size, "color": COLOURS["ink"]},
    }


def _svg(chart: alt.Chart | alt.LayerChart, name: str, size: int = 12) -> str:
    spec = chart.to_dict()
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
    symbol = json.dumps(money(0, currency)[:-1])
    return f"{symbol} + (datum.value >= 1e6 ? format(datum.value / 1e6, ',.3~f') + ' M' : datum.value >= 1e3 ? format(datum.value / 1e3, ',.3~f') + ' k' : format(datum.value, ','))"


def months(rows: list[Row], currency: str) -> Chart:
    """Won amount per month as bars; the forecast as a dot with its 80 % interval."""
    return Chart(
        _months(rows, currency, 800, 300, "months-wide"), _months(rows[-9:], currency, 270, 280, "months-narrow")
    )


def _months(rows: list[Row], currency: str, width: int, height: int, name: str) -> str:
    values = [
        {
            "month": month(row["month"]),
            "actual": row["actual_amount"],
            "forecast": row["forecast_amount"],
            "low": row["low_amount"],
            "high": row["high_amount"],
            "kind": "Won" if row["is_over"] else "Won so far this month",
            "mark": "Forecast, with 80 % interval",
        }
        for row in rows
    ]
    base = alt.Chart(_data(values))
    x = alt.X(
        "month:N",
        sort=None,
        title=None,
        axis=alt.Axis(
            labelAngle=-45 if width < 500 else 0,
            labelExpr="split(datum.label, ' ')[0] + ' ' + slice(datum.label, -2)",
            ticks=False,
        ),
    )
    y_title = None
    kinds = ["Won", "Won so far this month", "Forecast, with 80 % interval"]
    colour = alt.Scale(domain=kinds, range=[COLOURS["soft"], COLOURS["line"], COLOURS["accent"]])
    legend = alt.Legend(columns=1 if width < 500 else 3)
    bars = (
        base.transform_filter("isValid(datum.actual)")
        .mark_bar(width={"band": 0.66})
        .encode(
            x=x,
            y=alt.Y(
                "actual:Q",
                title=y_title,
                scale=alt.Scale(zero=True),
                axis=alt.Axis(labelExpr=_money_axis(currency), tickCount=5),
            ),
            color=alt.Color("kind:N", scale=colour, legend=legend),
        )
    )
    reach = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2.5)
        .encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=alt.Color("mark:N", scale=colour))
    )
    dots = (
        base.transform_filter("isValid(datum.forecast)")
        .mark_point(filled=True, size=75, opacity=1)
        .encode(x=x, y=alt.Y("forecast:Q"), color=alt.Color("mark:N", scale=colour))
    )
    return _svg(alt.layer(bars, reach, dots).properties(width=width, height=height), name)


def horizons(rows: list[Row]) -> Chart:
    """WAPE by how far ahead the forecast was made, both methods."""
    return Chart(_horizons(rows, 760, 190, "horizons-wide"), _horizons(rows, 270, 190, "horizons-narrow"))


def _horizons(rows: list[Row], width: int, height: int, name: str) -> str:
    values = [
        {"horizon": f"{row['horizon_bucket'].replace('-', '–')} days ahead" if width > 500 else row["horizon_bucket"].replace("-", "–"),
         "method": METHODS[method], "wape": row[column], "label": share(row[column])}
        for row in rows
        for method, column in (("stage_age_pipeline", "wape"), ("seasonal_naive", "naive_wape"))
        if row[column] is not None
    ]  # fmt: skip
    x = alt.X(
        "horizon:N", sort=None, title=None if width > 500 else "days ahead", axis=alt.Axis(labelAngle=0, ticks=False)
    )
    names = list(METHODS.values())
    base = alt.Chart(_data(values)).encode(
        x=x,
        xOffset=alt.XOffset("method:N", sort=names),
        y=alt.Y("wape:Q", title=None, scale=alt.Scale(zero=True), axis=alt.Axis(format="~%", tickCount=4)),
    )
    bars = base.mark_bar().encode(
        color=alt.Color(
            "method:N",
            sort=names,
            scale=alt.Scale(domain=names, range=[COLOURS["strong"], COLOURS["other"]]),
            legend=alt.Legend(columns=1 if width < 500 else 2),
        )
    )
    labels = base.mark_text(dy=-7, fontSize=11 if width > 500 else 9).encode(text="label:N")
    return _svg(alt.layer(bars, labels).properties(width=width, height=height), name)


def pipeline(rows: list[Row], labels: dict[str, str], currency: str) -> Chart:
    """Open amount per stage as bars, the part that is expected to be won inside them."""
    return Chart(
        _pipeline(rows, labels, currency, 560, "pipeline-wide"),
        _pipeline(rows, labels, currency, 190, "pipeline-narrow"),
    )


def _pipeline(rows: list[Row], labels: dict[str, str], currency: str, width: int, name: str) -> str:
    values = [
        {
            "stage": labels.get(row["stage"], row["stage"]),
            "amount": row["amount"],
            "weighted": row["weighted_amount"],
            "label": money(row["amount"], currency),
            "open": "Open amount",
            "expected": "Expected to be won",
        }
        for row in rows
    ]
    kinds = ["Open amount", "Expected to be won"]
    colour = alt.Scale(domain=kinds, range=[COLOURS["soft"], COLOURS["strong"]])
    base = alt.Chart(_data(values)).encode(
        y=alt.Y(
            "stage:N",
            sort=None,
            title=None,
            axis=alt.Axis(ticks=False, domain=False, labelColor=COLOURS["ink"], labelLimit=300 if width > 500 else 92),
        )
    )
    axis = alt.Axis(labelExpr=_money_axis(currency), tickCount=4 if width > 500 else 3, title=None)
    whole = base.mark_bar(height={"band": 0.62}).encode(
        x=alt.X("amount:Q", axis=axis, scale=alt.Scale(zero=True)),
        color=alt.Color("open:N", scale=colour, legend=alt.Legend(columns=1 if width < 500 else 2)),
    )
    part = base.mark_bar(height={"band": 0.3}).encode(
        x=alt.X("weighted:Q"), color=alt.Color("expected:N", scale=colour)
    )
    text = base.mark_text(align="left", dx=5).encode(x=alt.X("amount:Q"), text="label:N")
    return _svg(alt.layer(whole, part, text).properties(width=width, height=44 * len(values) + 8), name)


def completeness(rows: list[Row], target: float | None) -> Chart:
    """Completeness per rep as sorted bars with 95 % intervals and the target."""
    return Chart(
        _completeness(rows, target, 520, "completeness-wide"), _completeness(rows, target, 165, "completeness-narrow")
    )


def _completeness(rows: list[Row], target: float | None, width: int, name: str) -> str:
    values = [
        {
            "rep": row["segment"],
            "value": row["completeness"],
            "low": row["completeness_low"],
            "high": row["completeness_high"],
            "label": f"{share(row['completeness'])} · n = {row['n']:,}"
            if width > 300
            else f"{row['completeness']:.0%} · {row['n']:,}",
            "kind": "Few records (n < 20)" if row["is_low_n"] else "Completeness",
        }
        for row in rows
    ]
    kinds = ["Completeness", "Few records (n < 20)"]
    shown = [kind for kind in kinds if any(value["kind"] == kind for value in values)]
    scale = alt.Scale(domain=[0, 1], nice=False)
    base = alt.Chart(_data(values)).encode(
        y=alt.Y(
            "rep:N",
            sort=None,
            title=None,
            axis=alt.Axis(ticks=False, domain=False, labelColor=COLOURS["ink"], labelLimit=200 if width > 300 else 96),
        )
    )
    bars = base.mark_bar(height={"band": 0.64}).encode(
        x=alt.X("value:Q", scale=scale, axis=alt.Axis(format="%", tickCount=4 if width > 300 else 2, title=None)),
        color=alt.Color(
            "kind:N",
            scale=alt.Scale(domain=kinds, range=[COLOURS["soft"], COLOURS["line"]]),
            legend=alt.Legend(columns=1) if len(shown) > 1 else None,
        ),
    )
    reach = (
        base.transform_filter("isValid(datum.low) && isValid(datum.high)")
        .mark_rule(strokeWidth=2, color=COLOURS["strong"])
        .encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
    )
    text = base.mark_text(align="left", dx=4, fontSize=11).encode(x=alt.datum(1.0, scale=scale), text="label:N")
    layers = [bars, reach, text]
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
            x2="high:Q",
            y=y,
            color=_when_filled(COLOURS["strong"], COLOURS["muted"]),
        )
    )
    layers.append(
        base.mark_point(size=70, opacity=1, strokeWidth=2, filled=False).encode(
            x=x,
            y=y,
            stroke=_when_filled(COLOURS["strong"], COLOURS["muted"]),
            fill=_when_filled(COLOURS["strong"], COLOURS["paper"]),
        )
    )
    return _svg(alt.layer(*layers).properties(width=230, height=38), name, size=11)


def _when_filled(yes: str, no: str) -> Any:
    return alt.when("datum.filled").then(alt.value(yes)).otherwise(alt.value(no))
