"""What an earlier study of the same patient showed, as the same analysis recorded it then."""

from dataclasses import dataclass
from datetime import UTC, datetime

from medloop.core.finding import Result
from medloop.core.names import StudyUid


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """The result of an earlier study, read from its record: without pixels and labels.

    `date` is that of the study (YYYYMMDD), `days` how long before the present one it was, more
    than 0. Findings name the lesion that they follow (`Finding.tracking`).
    """

    study: StudyUid
    date: str
    days: int
    result: Result


def days_between(earlier: str, later: str) -> int | None:
    """Count the days from one DICOM date (YYYYMMDD) to another; None where one is no date."""
    dates = []
    for text in (earlier, later):
        try:
            dates.append(datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC))
        except ValueError:
            return None
    return (dates[1] - dates[0]).days
