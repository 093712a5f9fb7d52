"""What one asks a PACS for, and what it answers: studies, and what of them is missing here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from medloop.core.names import SeriesUid, SopUid, StudyUid

_UNITS: Final = {"s": 1, "min": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which studies; what is empty matches all. Days are of the study, both ends included."""

    first: date | None = None
    last: date | None = None
    modality: str = ""
    patient: str = ""  # identifier, PS3.3 (0010,0020)
    accession: str = ""
    study: str = ""

    @property
    def is_everything(self) -> bool:
        """Whether it asks for all that a PACS holds."""
        return self == Wanted()

    @property
    def date_range(self) -> str:
        """The days as DICOM matches them (PS3.4 C.2.2.2.5): ``20260102-20260131``, or empty."""
        first = self.first.isoformat().replace("-", "") if self.first else ""
        last = self.last.isoformat().replace("-", "") if self.last else ""
        return first if first == last else f"{first}-{last}"


@dataclass(frozen=True, slots=True)
class Held:
    """A study that a PACS holds; `instances` is None where it does not say how many."""

    study: StudyUid
    date: str = ""  # YYYYMMDD
    modalities: tuple[str, ...] = ()
    instances: int | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One object that a PACS holds."""

    uid: SopUid
    series: SeriesUid
    sop_class: str


@dataclass(frozen=True, slots=True)
class Missing:
    """What of one series is to be fetched; `is_whole` if that is all of it."""

    series: SeriesUid
    objects: tuple[Listed, ...]
    is_whole: bool


def days_of(text: str, *, today: date) -> tuple[date | None, date | None]:
    """Read days as a person writes them.

    ``today``, ``yesterday``, ``7 days`` (today and the six before), ``2026-01-31``,
    ``20260131``, ``20260101-20260131``, ``2026-01-01..2026-01-31``; either end of a range may
    be left out.

    Raises
    ------
    ValueError
        If it is none of these, or ends before it begins.
    """
    plain = text.strip().lower()
    if plain in ("today", "yesterday"):
        day = today if plain == "today" else today - timedelta(days=1)
        return day, day
    number, _, unit = plain.partition(" ")
    if unit in ("day", "days") and number.isdecimal() and 1 <= int(number) <= 36500:
        return today - timedelta(days=int(number) - 1), today
    begin, dots, end = plain.partition("..")
    if not dots:
        is_range = plain.count("-") == 1
        begin, _, end = plain.partition("-") if is_range else (plain, "", plain)
    first, last = _day(begin, text), _day(end, text)
    if first is None and last is None:
        raise _unclear(text)
    if first and last and last < first:
        raise ValueError(f"days {text!r} end before they begin")
    return first, last


def period_of(text: str) -> timedelta:
    """Read how often: ``30 s``, ``5 min``, ``2 h``.

    Raises
    ------
    ValueError
        If it is none of these, or under a second.
    """
    number, _, unit = text.strip().lower().partition(" ")
    seconds = _UNITS.get(unit.strip())
    if seconds is None or not number.isdecimal() or not 1 <= int(number) <= 10_000:
        raise ValueError(f"period {text!r} is none of: 30 s, 5 min, 2 h")
    return timedelta(seconds=int(number) * seconds)


def _day(text: str, whole: str) -> date | None:
    plain = text.strip().replace("-", "")
    if not plain:
        return None
    if len(plain) != 8 or not plain.isdecimal():
        raise _unclear(whole)
    try:
        return date(int(plain[:4]), int(plain[4:6]), int(plain[6:]))
    except ValueError:
        raise _unclear(whole) from None


def _unclear(text: str) -> ValueError:
    return ValueError(
        f"days {text!r} are none of: today, yesterday, N days, 2026-01-31, 20260101-20260131"
    )


def missing_of(listing: Sequence[Listed], here: frozenset[SopUid]) -> tuple[Missing, ...]:
    """Say what of a listing is not here, by series, in the order of the listing."""
    by_series: dict[SeriesUid, dict[SopUid, Listed]] = {}
    for each in listing:
        by_series.setdefault(each.series, {}).setdefault(each.uid, each)
    answer = []
    for series, members in by_series.items():
        missing = tuple(each for uid, each in members.items() if uid not in here)
        if missing:
            answer.append(Missing(series, missing, is_whole=len(missing) == len(members)))
    return tuple(answer)
