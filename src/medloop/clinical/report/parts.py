"""What a report consists of, whatever the clinical question: ready words, numbers, pictures.

An analysis fills a `Report` in the reader's language; the page only lays it out.
"""

from dataclasses import dataclass
from enum import StrEnum

from jaxtyping import UInt8
from numpy import ndarray


class Tone(StrEnum):
    """How the conclusion is marked on the page, beside its words."""

    CALM = "calm"  # nothing to act on
    WATCH = "watch"  # act, without hurry
    URGENT = "urgent"  # act soon
    UNSURE = "unsure"  # the image does not allow a conclusion


@dataclass(frozen=True, slots=True)
class Bar:
    """One class of a scale and its probability, 0..1; `is_chosen` marks the answer."""

    label: str
    probability: float
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """A named grading scale, its value for this case, and one line on what the scale is."""

    name: str
    value: str
    about: str
    bars: tuple[Bar, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Text cells; the first column names the row. `keys` colors that name, row by row.

    Cells that are words (`is_words`) begin at the left, numbers end at the right.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    keys: tuple[str, ...] = ()
    note: str = ""
    is_words: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a figure's legend; `color` is ``#rrggbb``."""

    color: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Ramp:
    """A continuous legend: a strip of colors between two words."""

    image: UInt8[ndarray, "y x 3"]
    low: str
    high: str


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A picture with its title and legend; `is_whole` keeps its black margins.

    `width` is its share beside the other figures'.
    """

    title: str
    image: UInt8[ndarray, "y x 3"]
    keys: tuple[Key, ...] = ()
    ramp: Ramp | None = None
    is_whole: bool = False
    width: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Everything the body of the page says; header, provenance and signature are added there.

    `subject` is the body part and side; `headline` the answer in one sentence, `sentences`
    what follows it; `alerts` are contradictions that must be seen; `limits` limits of use.
    """

    title: str
    subject: str
    headline: str
    tone: Tone = Tone.CALM
    sentences: tuple[str, ...] = ()
    recommendation: str = ""
    guideline: str = ""
    alerts: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    scales: tuple[Scale, ...] = ()
    tables: tuple[Table, ...] = ()
    quality: str = ""
    warnings: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Review:
    """What a reader adds to a report, in ready words.

    `status` stands at the top and foot of each page. `conclusion` is the reader's own text by
    paragraphs, empty where the generated one stands; `addendum` likewise. `signature` are label
    and value pairs, empty while nobody has signed; `limit` says how far to rely on it.
    """

    status: str
    limit: str
    conclusion: tuple[str, ...] = ()
    addendum: tuple[str, ...] = ()
    changes: Table | None = None
    notes: tuple[str, ...] = ()
    signature: tuple[tuple[str, str], ...] = ()
