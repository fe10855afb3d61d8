"""The company as it is: branches, hours, reps, what it sells, where its customers come from, and how well its process works
before and after the change. Only facts and parameters; what happens is in ``leads``, ``deals``, ``surveys`` and ``web``.

``company/process.yml`` states the same branches, hours, holidays and stages for the warehouse (tested to agree).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from demo.log import to_ms
from demo.simulation.clock import MINUTE, OpenHours, Weighted

COMPANY_ZONE = "America/Chicago"
START = datetime(2024, 7, 1, 5)  # midnight in Chicago
CHANGE_AT = datetime(2025, 6, 30, 5)  # a Monday, midnight in Chicago
AS_OF = datetime(2026, 7, 1, 5)
DAYS = (AS_OF - START).days  # two years
START_MS, CHANGE_MS, AS_OF_MS = to_ms(START), to_ms(CHANGE_AT), to_ms(AS_OF)

_HOLIDAYS = (
    "2024-07-04 2024-09-02 2024-11-28 2024-12-25 2025-01-01 2025-05-26 2025-07-04 2025-09-01 2025-11-27 2025-12-25 "
    "2026-01-01 2026-05-25 2026-07-03 2026-09-07 2026-11-26 2026-12-25"
)
HOLIDAYS = frozenset(map(date.fromisoformat, _HOLIDAYS.split()))


@dataclass(frozen=True)
class Branch:
    """A branch; ``week``: ISO weekday → (minute it opens, minute it closes)."""

    key: str
    label: str
    timezone: str
    week: dict[int, tuple[int, int]]
    cities: tuple[str, ...]
    postcodes: tuple[str, ...]
    area_codes: tuple[str, ...]

    @property
    def zone(self) -> ZoneInfo:
        """The branch's time zone."""
        return ZoneInfo(self.timezone)


def _week(opens: int, closes: int, saturday: tuple[int, int] | None = None) -> dict[int, tuple[int, int]]:
    days = dict.fromkeys(range(1, 6), (opens, closes))
    return {**days, 6: saturday} if saturday else days


BRANCHES = {
    branch.key: branch
    for branch in (
        Branch(
            "chicago", "Chicago", "America/Chicago", _week(450, 1080, (480, 780)),
            ("Chicago", "Evanston", "Oak Park"), ("60614", "60625", "60640", "60201", "60302"), ("312", "773"),
        ),
        Branch(
            "naperville", "Naperville", "America/Chicago", _week(480, 1050, (540, 720)),
            ("Naperville", "Aurora", "Lisle"), ("60540", "60563", "60504", "60532"), ("630", "331"),
        ),
        Branch(
            "denver", "Denver", "America/Denver", _week(480, 1020),
            ("Denver", "Lakewood", "Aurora CO"), ("80202", "80211", "80226", "80012"), ("303", "720"),
        ),
    )
}  # fmt: skip
BRANCH_WEIGHTS = Weighted({"chicago": 0.45, "naperville": 0.30, "denver": 0.25})


@dataclass(frozen=True)
class Rep:
    """A rep. ``diligence``: how much of what should be filled in is; ``pace``: factor on the time taken; ``skill``: on winning."""

    rep_id: str
    first_name: str
    last_name: str
    branch: str
    team: str
    role: str
    diligence: float
    pace: float
    skill: float
    joined: int = START_MS
    left: int | None = None

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"

    @property
    def email(self) -> str:
        """The rep's address at the company."""
        return f"{self.first_name}.{self.last_name}@northside.example".lower()


LEFT_AT = to_ms(datetime(2025, 3, 14, 22))
JOINED_AT = to_ms(datetime(2025, 1, 13, 14))
REPS = {
    rep.rep_id: rep
    for rep in (
        Rep("70101", "Maria", "Alvarez", "chicago", "Chicago Intake", "intake_coordinator", 0.95, 0.7, 1.05),
        Rep("70102", "Devon", "Price", "chicago", "Chicago Intake", "intake_coordinator", 0.80, 1.2, 0.95),
        Rep("70103", "Grace", "Okafor", "chicago", "Chicago Sales", "sales_rep", 0.92, 0.8, 1.15),
        Rep("70104", "Tom", "Brandt", "chicago", "Chicago Sales", "sales_rep", 0.60, 1.3, 1.00),
        Rep("70105", "Luis", "Herrera", "chicago", "Chicago Sales", "sales_rep", 0.75, 1.0, 0.90),
        Rep("70106", "Nina", "Walsh", "chicago", "Chicago Sales", "sales_rep", 0.85, 0.9, 1.05, joined=JOINED_AT),
        Rep("70201", "Joan", "Petrov", "naperville", "Naperville Intake", "intake_coordinator", 0.88, 0.9, 1.00),
        Rep("70202", "Sam", "Whitfield", "naperville", "Naperville Sales", "sales_rep", 0.70, 1.1, 0.95),
        Rep("70203", "Aisha", "Rahman", "naperville", "Naperville Sales", "sales_rep", 0.97, 0.7, 1.20),
        Rep("70204", "Carl", "Jensen", "naperville", "Naperville Sales", "sales_rep", 0.52, 1.6, 0.85, left=LEFT_AT),
        Rep("70301", "Priya", "Nair", "denver", "Denver Intake", "intake_coordinator", 0.90, 0.8, 1.05),
        Rep("70302", "Owen", "McBride", "denver", "Denver Sales", "sales_rep", 0.68, 1.2, 0.95),
        Rep("70303", "Elena", "Sorokina", "denver", "Denver Sales", "sales_rep", 0.86, 0.9, 1.10),
        Rep("70304", "Ben", "Castillo", "denver", "Denver Sales", "sales_rep", 0.78, 1.0, 1.00),
    )
}


def reps_at(branch: str, role: str, ms: float) -> list[Rep]:
    """The reps of a branch who work there in that role at that moment."""
    return [
        rep
        for rep in REPS.values()
        if rep.branch == branch and rep.role == role and rep.joined <= ms and (rep.left is None or ms < rep.left)
    ]


def open_hours() -> dict[str, OpenHours]:
    """The opening hours of every branch from the start to half a year after the end."""
    first, last = date(2024, 6, 24), date(2027, 1, 4)
    return {key: OpenHours(b.zone, b.week, HOLIDAYS, first, last) for key, b in BRANCHES.items()}


@dataclass(frozen=True)
class Regime:
    """How well the process works. Times are medians in opening time; the rest are probabilities."""

    routing: float  # inquiry → owner
    is_auto_assigned: float
    reaction: float  # owner → first touch
    never_touched: float
    attempts: int  # tries before giving up
    reached: float  # per try
    call_answered: float  # inbound, while open
    qualified: float
    becomes_deal: float
    meeting_lead_days: float  # from the agreement to the consultation
    shows_up: float
    wins: float  # of the consultations held
    decision_days: float  # proposal → decision
    closes_out: float  # of the leads and deals that come to nothing: marked so, not left lying
    completeness: float  # factor on the rep's diligence
    form_completeness: float  # share of the fields that a web form gets
    satisfaction: float  # added to the scores of a survey


BEFORE = Regime(
    routing=20 * MINUTE, is_auto_assigned=0.05, reaction=55 * MINUTE, never_touched=0.11, attempts=4, reached=0.42,
    call_answered=0.74, qualified=0.74, becomes_deal=0.55, meeting_lead_days=3.2, shows_up=0.80, wins=0.42,
    decision_days=7.5, closes_out=0.70, completeness=0.74, form_completeness=0.91, satisfaction=0.0,
)  # fmt: skip
AFTER = Regime(
    routing=2.5 * MINUTE, is_auto_assigned=0.75, reaction=9 * MINUTE, never_touched=0.03, attempts=6, reached=0.48,
    call_answered=0.90, qualified=0.80, becomes_deal=0.64, meeting_lead_days=1.8, shows_up=0.88, wins=0.57,
    decision_days=3.2, closes_out=0.94, completeness=1.02, form_completeness=0.97, satisfaction=0.7,
)  # fmt: skip


def regime_at(ms: int) -> Regime:
    """The regime in force at that moment."""
    return BEFORE if ms < CHANGE_MS else AFTER


# Demand: weight of a month by service line (January first), of a weekday (Monday first), of an hour of the local day.
SEASON = {
    "hvac": (1.35, 1.15, 0.75, 0.60, 0.85, 1.45, 1.65, 1.45, 0.85, 0.70, 0.95, 1.30),
    "plumbing": (1.40, 1.20, 1.05, 0.95, 0.90, 0.90, 0.90, 0.90, 0.90, 0.95, 1.00, 1.15),
    "electrical": (0.90, 0.90, 0.95, 1.00, 1.10, 1.15, 1.15, 1.10, 1.00, 0.95, 0.90, 0.90),
}
LINE_WEIGHTS = {"hvac": 0.56, "plumbing": 0.29, "electrical": 0.15}
WEEKDAY = (1.25, 1.10, 1.05, 1.00, 1.00, 0.55, 0.35)
HOUR_OF_DAY = (.12, .08, .05, .05, .08, .20, .45, 1.3, 2.3, 2.6, 2.4, 2.2, 2.1, 2.0, 2.1, 2.1, 1.9, 1.4, .9, .75, .65, .5, .35, .2)  # fmt: skip

JOBS = {
    "hvac": Weighted({"repair": 0.50, "installation": 0.30, "maintenance": 0.20}),
    "plumbing": Weighted({"repair": 0.60, "installation": 0.28, "inspection": 0.12}),
    "electrical": Weighted({"repair": 0.45, "installation": 0.45, "inspection": 0.10}),
}
AMOUNT = {  # median of a deal's amount
    ("hvac", "repair"): 780, ("hvac", "installation"): 8900, ("hvac", "maintenance"): 320,
    ("plumbing", "repair"): 540, ("plumbing", "installation"): 4100, ("plumbing", "inspection"): 260,
    ("electrical", "repair"): 460, ("electrical", "installation"): 3300, ("electrical", "inspection"): 240,
}  # fmt: skip

CREATED_BY = Weighted({"form": 0.50, "call": 0.33, "chat": 0.07, "rep": 0.10})
CHANNELS = {
    "form": Weighted({"paid_search": 0.34, "organic_search": 0.26, "facebook": 0.16, "google_lsa": 0.12, "direct": 0.12}),
    "call": Weighted({"google_lsa": 0.30, "paid_search": 0.22, "organic_search": 0.18, "direct_mail": 0.14, "referral": 0.16}),
    "chat": Weighted({"paid_search": 0.40, "organic_search": 0.40, "direct": 0.20}),
    "rep": Weighted({"referral": 0.60, "yard_sign": 0.25, "direct": 0.15}),
}  # fmt: skip
CAMPAIGNS = {
    "paid_search": ("search_brand", "search_hvac", "search_plumbing"),
    "facebook": ("fb_tuneup", "fb_financing"),
    "google_lsa": ("lsa_local",),
    "direct_mail": ("mailer_spring", "mailer_winter"),
}
LOSS_REASONS = Weighted({"price": 0.38, "timing": 0.18, "competitor": 0.22, "no_decision": 0.17, "out_of_area": 0.05})
