"""Who the customers are and what gets typed about them: names, addresses, and the habits of those who fill in the records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from demo.simulation.clock import Dice, Weighted
from demo.simulation.world import BRANCHES, Branch, Regime, Rep

_FIRST = (
    "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan Joseph Jessica Thomas "
    "Sarah Carlos Karen Daniel Lisa Matthew Nancy Anthony Betty Marcus Sandra Steven Ashley Andrew Emily Kenneth Donna Joshua "
    "Michelle Kevin Carol Brian Amanda José Zoë Renée Wei Anaïs Dmitri Fatima Kwame Ingrid Ravi"
)
_LAST = (
    "Smith Johnson Williams Brown Jones García Miller Davis Rodríguez Martínez Hernández Lopez Gonzalez Wilson Anderson Thomas "
    "Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sánchez Clark Ramírez Lewis Robinson Walker Young Allen King "
    "Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts O'Brien "
    "Müller Kowalski Nowak Novák Østergaard Patel Kim Chen Ivanov Haddad Mensah Yılmaz Lindqvist"
)
_COMPANIES = (
    "Lakeview Property Management, Prairie Dental Group, Union Street Lofts, Foxglove Bakery, Aurora Self Storage, Millrace Brewing, "
    "Cedar Park Montessori, Front Range Yoga, Harbor Point Condominiums, Elm & Third Apartments, Summit Auto Body, Blue Door Café"
)
FIRST_NAMES, LAST_NAMES, COMPANIES = _FIRST.split(), _LAST.split(), _COMPANIES.split(", ")
MAIL_HOSTS = Weighted({"mailbox.example": 0.4, "inbox.example": 0.3, "post.example": 0.2, "webmail.example": 0.1})
_ASCII = str.maketrans("éíáúóäëïöüÖÜØøåæşıçñ", "eiauoaeiouOUOoaasicn", "'’")

PLACEHOLDERS = {
    "first_name": ("unknown", "x", "-", "N/A", "?"),
    "last_name": ("unknown", "xx", "-", "n/a", "."),
    "email": ("n/a", "none", "unknown", "NA", "-"),
    "phone": ("0000000000", "1111111111", "(999) 999-9999", "n/a", "unknown"),
    "postcode": ("n/a", "x", "-", "unknown"),
    "need": ("tbd", "-", "n/a", "asdf", " "),
    "next_step": ("TBD", "?", "-", "select", "--"),
    "budget_band": ("unknown", "Select", "tbd"),
}

SLIPS: dict[str, Callable[[str], str]] = {  # typed wrong
    "email": lambda value: value.removesuffix(".example"),
    "phone": lambda value: value[:-1],
    "postcode": lambda value: value[:-1],
}


@dataclass(frozen=True)
class Person:
    """A customer with the details as they truly are."""

    first_name: str
    last_name: str
    email: str
    phone_digits: str
    postcode: str
    city: str
    company: str | None

    def phone(self, dice: Dice) -> str:
        """The number in one of the ways in which people write it; the digits are the same in all."""
        area, exchange, line = self.phone_digits[:3], self.phone_digits[3:6], self.phone_digits[6:]
        return dice.pick(
            (f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"{area}.{exchange}.{line}", self.phone_digits)
        )


def new_person(dice: Dice, branch: Branch, number: int) -> Person:
    """Someone from the area of ``branch``; ``number`` makes the address and the telephone number theirs alone."""
    first, last = dice.pick(FIRST_NAMES), dice.pick(LAST_NAMES)
    mailbox = f"{first}.{last}{number}".translate(_ASCII).lower()
    return Person(
        first_name=first,
        last_name=last,
        email=f"{mailbox}@{dice.weighted(MAIL_HOSTS)}",
        phone_digits=f"{dice.pick(branch.area_codes)}{200 + number // 10_000:03d}{number % 10_000:04d}",
        postcode=dice.pick(branch.postcodes),
        city=dice.pick(branch.cities),
        company=dice.pick(COMPANIES) if dice.chance(0.04) else None,
    )


class Clerk:
    """Fills in records the way people do: some fields stay empty, some get a placeholder."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice

    def diligence(self, rep: Rep | None, regime: Regime) -> float:
        """Chance that a field is filled in by ``rep``; None: the customer, in a web form."""
        return regime.form_completeness if rep is None else min(0.985, rep.diligence * regime.completeness)

    def typed(self, field: str, value: str | None, diligence: float) -> str | None:
        """What ends up in the record: the value, nothing, or a placeholder."""
        if self._dice.chance(diligence):
            return SLIPS[field](value) if value and field in SLIPS and self._dice.chance(0.012) else value
        if field in PLACEHOLDERS and self._dice.chance(0.22):
            return self._dice.pick(PLACEHOLDERS[field])
        return None

    def lead_fields(self, person: Person, truth: dict[str, str | None], rep: Rep | None, regime: Regime) -> dict:
        """The fields of a new lead as filled in by a form (``rep`` None) or a rep."""
        diligence = self.diligence(rep, regime)
        contact = {
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": person.email,
            "phone": person.phone(self._dice),
            "postcode": person.postcode,
        }
        easier = {"first_name": 0.5, "phone": 0.5, "branch": 0.75, "last_name": 0.3}  # share of the gaps that closes
        fields = {}
        for field, value in {**contact, **truth}.items():
            chance = diligence + (1 - diligence) * easier.get(field, 0.0)
            if field == "email" and rep is not None:
                chance *= 0.75  # callers often give no address
            fields[field] = self.typed(field, value, chance)
        fields["company"] = person.company
        return fields


def home_branch(key: str) -> Branch:
    """The branch of that key."""
    return BRANCHES[key]
