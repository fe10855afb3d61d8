"""The company's website: sessions of visitors and their events, in bulk. How they are written as export files is in ``ga4``."""

from __future__ import annotations

import numpy as np
import pandas as pd

from demo.log import WEB_COLUMNS
from demo.simulation.clock import DAY
from demo.simulation.world import AS_OF_MS, COMPANY_ZONE, DAYS, HOUR_OF_DAY, LINE_WEIGHTS, SEASON, START_MS, WEEKDAY

SITE = "https://www.northside.example"
PAGES = (
    ("/", "Northside Heating & Plumbing"), ("/hvac", "Heating and cooling"), ("/plumbing", "Plumbing"),
    ("/electrical", "Electrical"), ("/financing", "Financing"), ("/reviews", "Reviews"), ("/about", "About us"),
    ("/blog/when-to-replace-a-furnace", "When to replace a furnace"), ("/quote", "Get a quote"),
)  # fmt: skip
PAGE_WEIGHTS = (0.30, 0.18, 0.12, 0.07, 0.07, 0.08, 0.05, 0.09, 0.04)
TRAFFIC = (  # source, medium, campaign, weight
    ("google", "organic", None, 0.34), ("google", "cpc", "search_brand", 0.12), ("google", "cpc", "search_hvac", 0.14),
    ("google", "cpc", "search_plumbing", 0.07), ("facebook", "paid_social", "fb_tuneup", 0.08),
    ("facebook", "paid_social", "fb_financing", 0.04), ("(direct)", "(none)", None, 0.15), ("bing", "organic", None, 0.04),
    ("yelp.com", "referral", None, 0.02),
)  # fmt: skip
BY_CHANNEL = {
    "paid_search": (1, 2, 3),
    "organic_search": (0, 7),
    "facebook": (4, 5),
    "google_lsa": (2,),
    "direct": (6,),
}
DEVICES, CITIES = (
    ("mobile", "desktop", "tablet"),
    ("Chicago", "Naperville", "Aurora", "Denver", "Lakewood", "(not set)"),
)
QUOTE = 8
SESSIONS = 31_000  # without those in which a form is sent, at scale 1
LATE_SHARE = 0.03


def play(rng: np.random.Generator, forms: list[tuple[int, str | None]], scale: float, start_ms: int) -> pd.DataFrame:
    """All events of the website from ``start_ms`` on. ``forms``: (ms, channel) of every lead that came by form: its session ends with the form."""
    plain = _plain_sessions(rng, scale, start_ms)
    sent = _form_sessions(rng, [form for form in forms if form[0] <= AS_OF_MS])
    sessions = pd.concat([plain, sent], ignore_index=True)
    frame = _events(rng, sessions)
    frame = frame[frame["event_timestamp"] <= AS_OF_MS * 1000]
    return frame.sort_values(["event_timestamp", "user_pseudo_id", "batch_index"], kind="stable", ignore_index=True)[
        list(WEB_COLUMNS)
    ]


def _plain_sessions(rng: np.random.Generator, scale: float, start_ms: int) -> pd.DataFrame:
    days = pd.date_range(
        pd.Timestamp(start_ms, unit="ms").normalize(),
        pd.Timestamp(AS_OF_MS, unit="ms").normalize(),
        freq="D",
        inclusive="left",
    )
    count = round(SESSIONS * scale * len(days) / DAYS)
    season = sum(np.array(SEASON[line])[days.month - 1] * weight for line, weight in LINE_WEIGHTS.items())
    weight = season * (0.5 + 0.5 * np.array(WEEKDAY)[days.dayofweek])
    day = rng.choice(len(days), size=count, p=weight / weight.sum())
    hour = rng.choice(24, size=count, p=np.array(HOUR_OF_DAY) / sum(HOUR_OF_DAY))
    start = start_ms + day * DAY + hour * 3_600_000 + rng.integers(0, 3_600_000, size=count)
    traffic = rng.choice(len(TRAFFIC), size=count, p=[row[3] for row in TRAFFIC])
    return pd.DataFrame(
        {
            "start": start,
            "traffic": traffic,
            "visitor": rng.integers(0, max(1, round(count * 0.7)), size=count),
            "pages": np.minimum(rng.geometric(0.47, size=count), 9),
            "has_form_start": rng.random(count) < 0.05,
            "is_sent": False,
        }
    )


def _form_sessions(rng: np.random.Generator, forms: list[tuple[int, str | None]]) -> pd.DataFrame:
    ms = np.array([form[0] for form in forms], dtype="int64")
    traffic = [int(rng.choice(BY_CHANNEL.get(channel or "direct", (6,)))) for _, channel in forms]
    pages = np.minimum(rng.geometric(0.35, size=len(forms)), 8)
    return pd.DataFrame(
        {
            "start": ms - pages * 40_000 - 95_000,
            "traffic": traffic,
            "visitor": 10_000_000 + np.arange(len(forms)),
            "pages": pages,
            "has_form_start": True,
            "is_sent": rng.random(len(forms)) < 0.97,  # a blocker hides the rest from the tag
        }
    )


def _events(rng: np.random.Generator, sessions: pd.DataFrame) -> pd.DataFrame:
    """One row per event. A session: session_start, page views with engagement between them, then the form."""
    count = len(sessions)
    engaged = (sessions["pages"].to_numpy() > 1).astype(int)
    has_form, is_sent = sessions["has_form_start"].to_numpy(), sessions["is_sent"].to_numpy()
    session_start = rng.random(count) < 0.97  # it is missing now and then
    scrolls = (rng.random(count) < 0.45).astype(int)
    parts = [  # (event, how many per session, offset of the first in seconds, step)
        ("session_start", session_start.astype(int), 0.0),
        ("page_view", sessions["pages"].to_numpy(), 0.0),
        ("user_engagement", engaged, 12.0),
        ("scroll", scrolls, 9.0),
        ("form_start", has_form.astype(int), None),
        ("form_submit", is_sent.astype(int), None),
        ("generate_lead", is_sent.astype(int), None),
    ]
    late_offset = {"form_start": 35.0, "form_submit": 95.0, "generate_lead": 95.0}
    frames = []
    for order, (name, times, first) in enumerate(parts):
        session = np.repeat(np.arange(count), times)
        number = np.arange(len(session)) - np.repeat(np.cumsum(times) - times, times)
        begin = sessions["pages"].to_numpy()[session] * 40.0 + late_offset[name] if first is None else first
        offset = begin + number * 40.0
        frames.append(
            pd.DataFrame({"session": session, "event_name": name, "offset": offset, "number": number, "order": order})
        )
    events = pd.concat(frames, ignore_index=True)
    events = events.sort_values(["session", "offset", "order"], kind="stable", ignore_index=True)
    session = events["session"].to_numpy()
    events["batch_index"] = np.arange(len(events)) - np.searchsorted(session, session, side="left")
    start = sessions["start"].to_numpy()[session]
    noise = rng.integers(0, 900, size=count)[session]
    events["event_timestamp"] = (start * 1000 + events["offset"] * 1_000_000).astype("int64") + noise
    local = pd.to_datetime(events["event_timestamp"], unit="us", utc=True).dt.tz_convert(COMPANY_ZONE)
    events["event_date"] = local.dt.strftime("%Y%m%d")
    return _describe(rng, events, sessions, session, start)


def _describe(
    rng: np.random.Generator, events: pd.DataFrame, sessions: pd.DataFrame, session: np.ndarray, start: np.ndarray
) -> pd.DataFrame:
    count = len(sessions)
    consent = (rng.random(count) < 0.96)[session]
    visitor = sessions["visitor"].to_numpy()
    device_of_visitor = visitor % 10
    device = np.array(DEVICES)[np.select([device_of_visitor < 6, device_of_visitor < 9], [0, 1], 2)][session]
    traffic = sessions["traffic"].to_numpy()[session]
    page = rng.choice(len(PAGES) - 1, size=len(events), p=np.array(PAGE_WEIGHTS[:-1]) / sum(PAGE_WEIGHTS[:-1]))
    is_form = events["event_name"].isin(["form_start", "form_submit", "generate_lead"]).to_numpy()
    page = np.where(is_form, QUOTE, page)
    pseudo = (
        pd.Series((100_000 + visitor).astype(str), dtype=object)
        + "."
        + pd.Series((START_MS // 1000 + visitor).astype(str))
    )
    is_paid = np.array([row[1] == "cpc" for row in TRAFFIC])[traffic]
    events["user_pseudo_id"] = pseudo.to_numpy(dtype=object)[session]
    events.loc[~consent, "user_pseudo_id"] = None
    events["ga_session_id"] = pd.array(start // 1000, dtype="Int64")
    events.loc[~consent, "ga_session_id"] = pd.NA
    events["page_location"] = np.array([SITE + path for path, _ in PAGES], dtype=object)[page]
    events["page_title"] = np.array([title for _, title in PAGES], dtype=object)[page]
    for index, name in enumerate(("source", "medium", "campaign")):
        events[name] = np.array([row[index] for row in TRAFFIC], dtype=object)[traffic]
    click = pd.Series("Cj0K" + pd.Series(sessions["start"].astype(str)), dtype=object).to_numpy(dtype=object)[session]
    events["gclid"] = np.where(is_paid, click, None)
    events["form_id"] = np.where(is_form, "quote", None)  # type: ignore[call-overload]  # an array of objects
    events["device"] = device
    events["city"] = np.array(CITIES, dtype=object)[visitor % len(CITIES)][session]
    events["is_late"] = rng.random(len(events)) < LATE_SHARE
    return events
