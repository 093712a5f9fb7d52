"""Searching what has arrived, in SQL alone: no file is opened."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    String,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from medloop.core.search import Found, Level, Match, Search, TagPath, Term
from medloop.store.sql import Database
from medloop.store.tables import arrivals, studies

Text = ColumnElement[str]

_STUDY_COLUMNS: Final[Mapping[str, Text]] = {
    "0020000D": studies.c.uid,
    "00080020": studies.c.date,
    "00080030": studies.c.time,
    "00080050": studies.c.accession,
    "00080061": studies.c.modalities,
    "00080090": studies.c.referring,
    "00081030": studies.c.description,
    "00100010": studies.c.patient_name,
    "00100020": studies.c.patient_identifier,
    "00100030": studies.c.patient_birth_date,
    "00100040": studies.c.patient_sex,
    "00200010": studies.c.study_id,
}
_ARRIVAL_COLUMNS: Final[Mapping[str, Text]] = {
    "0020000E": arrivals.c.series_uid,
    "00080016": arrivals.c.sop_class,
    "00080018": arrivals.c.uid,
    "00080060": arrivals.c.modality,
}
_REQUEST_COLUMNS: Final[Mapping[TagPath, Text]] = {
    ("00400275", "00400009"): arrivals.c.step,
    ("00400275", "00401001"): arrivals.c.procedure,
}
_NAME_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_GROUP: Final = "="  # between the groups of a person's name (PS3.5 6.2.1)


@dataclass(frozen=True, slots=True)
class Member:
    """One stored instance, and where its bytes are."""

    study_uid: str
    series_uid: str
    uid: str
    sop_class: str
    transfer_syntax: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Finder:
    """Answers queries about arrivals."""

    database: Database

    def find(
        self, query: Search, *, inside: Sequence[Term] = (), without: Collection[str] = ()
    ) -> tuple[tuple[Found, ...], bool]:
        """Return what meets all terms and lies inside others, and whether there is more.

        Studies come newest first; series and instances by their UIDs and numbers. Instances
        named by `without` are as if they had never arrived.
        """
        with self.database.reading() as connection:
            seen = _Seen(without, modalities_left(connection, without))
            terms = (*query.terms, *inside)
            conditions = [self._condition(query.level, term, seen) for term in terms]
            asked = _ASKED[query.level](without).where(*conditions)
            page = asked.limit(query.limit + 1).offset(query.offset)
            rows = list(connection.execute(page).mappings())
            more, rows = len(rows) > query.limit, rows[: query.limit]
            if query.level is Level.STUDY:
                return _studies(connection, rows, seen), more
            if query.level is Level.SERIES:
                return _series(connection, rows, seen), more
            return tuple(_found(row, seen) for row in rows), more

    def settled_since(self, moment: datetime) -> tuple[str, ...]:
        """Name the studies that were settled at a moment or after it."""
        asked = select(studies.c.uid).where(studies.c.settled >= moment)
        with self.database.reading() as connection:
            return tuple(connection.execute(asked.order_by(studies.c.settled)).scalars())

    def members(
        self,
        study_uid: str,
        series_uid: str | None = None,
        sop_uid: str | None = None,
        *,
        without: Collection[str] = (),
    ) -> tuple[Member, ...]:
        """List the instances of a study, of one series or the one named, in their order.

        Those named by `without` are left out.
        """
        a = arrivals.c
        asked = (
            select(
                a.study_uid,
                a.series_uid,
                a.uid,
                a.sop_class,
                a.transfer_syntax,
                a.sha256,
                a.size,
            )
            .where(a.study_uid == study_uid, a.uid.not_in(without))
            .order_by(a.series_uid, a.number, a.uid)
        )
        if series_uid is not None:
            asked = asked.where(a.series_uid == series_uid)
        if sop_uid is not None:
            asked = asked.where(a.uid == sop_uid)
        with self.database.reading() as connection:
            return tuple(Member(**row) for row in connection.execute(asked).mappings())

    def _condition(self, level: Level, term: Term, seen: "_Seen") -> ColumnElement[bool]:
        tag = term.path[0]
        if tag == "00080061":
            return self._modalities(term, seen)
        if tag in _STUDY_COLUMNS:
            return self._compare(_STUDY_COLUMNS[tag], term)
        if tag in _ARRIVAL_COLUMNS:
            return self._compare(_ARRIVAL_COLUMNS[tag], term)
        if term.path in _REQUEST_COLUMNS:
            return self._compare(_REQUEST_COLUMNS[term.path], term)
        if tag == "00200013" and term.match is Match.NUMBER:
            return self._compare(cast(arrivals.c.number, String), term)
        return self._said(
            _first_of_study(seen.without) if level is Level.STUDY else arrivals.c.header, term
        )

    def _said(self, header: Text, term: Term) -> ColumnElement[bool]:
        """Compare with what a header says; a person's name has three groups there."""
        if term.match is not Match.NAME:
            return self._compare(self._value(header, term.path), term)
        groups = [self._value(header, term.path, group) for group in _NAME_GROUPS]
        return or_(*(self._compare(group, term) for group in groups))

    def _value(self, header: Text, path: TagPath, group: str = "") -> Text:
        steps = [step for tag in path for step in (tag, "Value", "0")] + [group] * bool(group)
        if self.database.is_sqlite:
            keys = ("[0]" if step == "0" else f'."{step}"' for step in steps)
            return cast(func.json_extract(header, "$" + "".join(keys)), String)
        return func.jsonb_extract_path_text(cast(header, JSONB), *steps)

    def _compare(self, column: Text, term: Term) -> ColumnElement[bool]:
        first = term.values[0] if term.values else ""
        match term.match:
            case Match.ANY_OF if len(term.values) == 1:
                return column == first
            case Match.ANY_OF:
                return column.in_(term.values)
            case Match.NUMBER:
                return column.in_((first, f"{first}.0"))
            case Match.RANGE:
                low, high = term.values
                bounds = [column >= low] if low else []
                bounds += [column <= high] if high else []
                return and_(column != "", *bounds)
            case Match.WILDCARD:
                return self._like(column, first)
            case Match.NAME:
                return self._named(column, first)

    def _like(self, column: Text, pattern: str) -> ColumnElement[bool]:
        if self.database.is_sqlite:  # its LIKE is blind to case
            return column.op("GLOB")(pattern.replace("[", "[[]"))
        return column.like(_pattern(pattern), escape="!")

    def _named(self, column: Text, pattern: str) -> ColumnElement[bool]:
        """Find the pattern as one whole group of a name, in any case."""
        named = literal(_GROUP) + column + literal(_GROUP)
        folded = pattern.lower()
        # SQLite's LIKE folds ASCII; its `lower` is Python's here, and slower than the rest.
        if not self.database.is_sqlite or any(
            ord(letter) > 127 and letter != letter.upper() for letter in folded
        ):
            named = func.lower(named)
        return named.like(f"%{_GROUP}{_pattern(folded)}{_GROUP}%", escape="!")

    def _modalities(self, term: Term, seen: "_Seen") -> ColumnElement[bool]:
        r"""Find one of several values kept as ``CT\SEG``."""
        within = literal("\\") + studies.c.modalities + literal("\\")
        usual = or_(*(self._like(within, f"*\\{value}\\*") for value in term.values))
        if not seen.modalities:
            return usual
        wild = [value.replace("[", "[[]") for value in term.values]
        good = [
            uid
            for uid, said in seen.modalities.items()
            if any(fnmatchcase(word, each) for word in said.split("\\") for each in wild)
        ]
        is_whole = studies.c.uid.not_in(seen.modalities)
        return or_(and_(is_whole, usual), studies.c.uid.in_(good))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What whoever asks may not find, and the modalities that are left of such studies."""

    without: Collection[str]
    modalities: Mapping[str, str]


def _pattern(wild: str) -> str:
    for letter in "!%_":
        wild = wild.replace(letter, f"!{letter}")
    return wild.replace("*", "%").replace("?", "_")


def modalities_left(connection: Connection, without: Collection[str]) -> Mapping[str, str]:
    """Say of each study of which instances are left out which modalities are left."""
    if not without:
        return {}
    a = arrivals.c
    gone = select(a.study_uid, a.modality).where(a.uid.in_(without)).distinct()
    hidden: dict[str, set[str]] = {}
    for uid, modality in connection.execute(gone):
        hidden.setdefault(uid, set()).add(modality)
    kept = select(a.study_uid, a.modality).where(a.study_uid.in_(hidden), a.uid.not_in(without))
    for uid, modality in connection.execute(kept.distinct()):
        hidden[uid].discard(modality)
    said = select(studies.c.uid, studies.c.modalities).where(studies.c.uid.in_(hidden))
    return {
        uid: "\\".join(word for word in told.split("\\") if word not in hidden[uid])
        for uid, told in connection.execute(said)
    }


def _first_of_study(without: Collection[str]) -> Text:
    """Return the header of the first instance of a study."""
    a = arrivals.alias().c
    asked = select(a.header).where(a.study_uid == studies.c.uid, a.uid.not_in(without))
    return asked.order_by(a.series_uid, a.number).limit(1).scalar_subquery()


def _of_studies(_without: Collection[str]) -> Select[Any]:
    order = studies.c.date.desc(), studies.c.time.desc(), studies.c.uid
    return select(*_FACTS).order_by(*order)


def _of_series(without: Collection[str]) -> Select[Any]:
    """One row a series, the instance of the lowest number."""
    others = arrivals.alias()
    first = (
        select(others.c.uid)
        .where(
            others.c.study_uid == arrivals.c.study_uid,
            others.c.series_uid == arrivals.c.series_uid,
            others.c.uid.not_in(without),
        )
        .order_by(others.c.number, others.c.uid)
        .limit(1)
        .scalar_subquery()
    )
    return _of_instances(without).where(arrivals.c.uid == first)


def _of_instances(without: Collection[str]) -> Select[Any]:
    a = arrivals.c
    return (
        select(*_FACTS, a.series_uid, a.uid.label("sop_uid"), a.header)
        .join(studies, studies.c.uid == a.study_uid)
        .where(a.uid.not_in(without))
        .order_by(a.study_uid, a.series_uid, a.number, a.uid)
    )


_FACTS: Final[tuple[ColumnElement[Any], ...]] = tuple(
    column.label(tag) for tag, column in _STUDY_COLUMNS.items()
)
_ASKED: Final = {
    Level.STUDY: _of_studies,
    Level.SERIES: _of_series,
    Level.INSTANCE: _of_instances,
}


def _studies(
    connection: Connection, rows: Sequence[RowMapping], seen: _Seen
) -> tuple[Found, ...]:
    uids = [row["0020000D"] for row in rows]
    a = arrivals.c
    counts = {
        row.study_uid: (row.series, row.instances)
        for row in connection.execute(
            select(
                a.study_uid,
                func.count(a.series_uid.distinct()).label("series"),
                func.count().label("instances"),
            )
            .where(a.study_uid.in_(uids), a.uid.not_in(seen.without))
            .group_by(a.study_uid)
        )
    }
    header = _first_of_study(seen.without)
    asked = select(studies.c.uid, header).where(studies.c.uid.in_(uids))
    headers = {uid: header or "{}" for uid, header in connection.execute(asked)}
    return tuple(
        _found(
            row, seen, headers.get(row["0020000D"], "{}"), counts.get(row["0020000D"], (0, 0))
        )
        for row in rows
    )


def _series(
    connection: Connection, rows: Sequence[RowMapping], seen: _Seen
) -> tuple[Found, ...]:
    a = arrivals.c
    uids = {row["0020000D"] for row in rows}
    counted = connection.execute(
        select(a.study_uid, a.series_uid, func.count().label("instances"))
        .where(a.study_uid.in_(uids), a.uid.not_in(seen.without))
        .group_by(a.study_uid, a.series_uid)
    )
    counts = {(row.study_uid, row.series_uid): row.instances for row in counted}
    return tuple(
        _found(row, seen, row["header"], (0, counts[row["0020000D"], row["series_uid"]]))
        for row in rows
    )


def _found(
    row: RowMapping,
    seen: _Seen,
    header: str | None = None,
    counts: tuple[int, int] = (0, 0),
) -> Found:
    study = {tag: str(row[tag]) for tag in _STUDY_COLUMNS}
    if study["0020000D"] in seen.modalities:
        study["00080061"] = seen.modalities[study["0020000D"]]
    return Found(
        study=study,
        header=json.loads(row["header"] if header is None else header),
        series_uid=str(row.get("series_uid", "")),
        sop_uid=str(row.get("sop_uid", "")),
        series=counts[0],
        instances=counts[1],
    )
