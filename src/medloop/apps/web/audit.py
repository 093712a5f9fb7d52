"""The page of the audit trail: find rows, see that the chain is whole, take a copy."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from medloop.apps.web.administration import ROWS, Manager, back, midnight, show
from medloop.apps.web.context import Context
from medloop.apps.web.reading_access import panel_of
from medloop.core.errors import InputError
from medloop.store.audit import Audit, Row, Wanted

VERIFIED: Final = "audit verified"
BROKEN: Final = "audit found broken"
WITHHELD: Final = "withheld: read apart"
_SUBJECT: Final = "audit log"
_COLUMNS: Final = ("id", "at", "actor", "action", "subject", "details", "previous", "hash")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets would run
_Number = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
_Text = Annotated[str, Query(max_length=200)]
_Day = Annotated[str, Query(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form was filled in with; `until` is the last day that counts."""

    actor: str
    action: str
    subject: str
    since: str
    until: str

    def wanted(self) -> Wanted:
        """Return it as the log is asked; raises `InputError` for days that are none."""
        try:
            since, until = midnight(self.since), midnight(self.until)
            end = until + timedelta(days=1) if until else None
        except (ValueError, OverflowError):
            raise InputError("a day is written 2026-03-01") from None
        return Wanted(
            self.actor or None,
            self.action or None,
            self.subject or None,
            since,
            end,
        )


def asked(
    actor: _Text = "",
    action: _Text = "",
    subject: _Text = "",
    since: _Day = "",
    until: _Day = "",
) -> Asked:
    """Read the form."""
    return Asked(_stripped(actor), _stripped(action), _stripped(subject), since, until)


def _stripped(said: str) -> str:
    return said.strip().replace("\0", "")


@dataclass(frozen=True, slots=True)
class Checked:
    """When the chain was last walked from its begin to its end, and what was found."""

    at: datetime
    actor: str
    is_whole: bool
    told: str


def router(context: Context) -> APIRouter:
    """Return the routes of this module."""
    routes = APIRouter(include_in_schema=False)
    audit = context.store.audit

    @routes.get("/audit")
    def trail(
        request: Request,
        who: Manager,
        form: Annotated[Asked, Depends(asked)],
        before: _Number = None,
    ) -> Response:
        """List rows, the newest first, a page at a time."""
        found = audit.page(form.wanted(), before=before, limit=ROWS + 1, newest=True)[::-1]
        return show(
            request,
            "audit",
            rows=list(blinded(context, who.name, found[:ROWS])),
            older=found[ROWS - 1].number if len(found) > ROWS else None,
            form=form,
            checked=last_check(audit),
        )

    @routes.get("/audit/rows.csv")
    def copy(who: Manager, form: Annotated[Asked, Depends(asked)]) -> Response:
        """Give the rows that are asked for as a table; who took them is noted."""
        wanted = form.wanted()
        details = {name: value for name, value in asdict(form).items() if value}
        context.trail.did(who.name, "exported", _SUBJECT, details)
        name = f"audit-{context.now():%Y%m%d-%H%M}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        lines = csv_lines(blinded(context, who.name, audit.rows(wanted)))
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    @routes.post("/audit/verify")
    def verify(who: Manager) -> Response:
        """Walk the whole chain, and note what was found."""
        try:
            head = audit.verify()
        except InputError as error:
            context.trail.did(who.name, BROKEN, _SUBJECT, {"found": str(error)})
            return back("/audit", "broken")
        context.trail.did(who.name, VERIFIED, _SUBJECT, {"head": head})
        return back("/audit", "verified")

    return routes


def last_check(audit: Audit) -> Checked | None:
    """Look up the last time that somebody walked the chain from a page."""
    rows = [
        row
        for action in (VERIFIED, BROKEN)
        for row in audit.page(Wanted(action=action, subject=_SUBJECT), limit=1, newest=True)
    ]
    if not rows:
        return None
    last = max(rows, key=lambda row: row.number)
    entry = last.entry
    told = entry.details.get("found") or entry.details.get("head", "")
    return Checked(entry.at, entry.actor, entry.action == VERIFIED, told)


def blinded(context: Context, name: str, rows: Iterable[Row]) -> Iterator[Row]:
    """Leave out what was changed in readings that somebody may not see yet."""
    may_see: dict[str, bool] = {}
    for row in rows:
        details = row.entry.details
        number = details.get("reading", "")
        if "what" not in details or not number.isdecimal():
            yield row
            continue
        if number not in may_see:
            may_see[number] = _may_see(context, name, int(number))
        if may_see[number]:
            yield row
        else:
            said = {**details, "what": WITHHELD}
            yield replace(row, entry=replace(row.entry, details=said))


def _may_see(context: Context, name: str, number: int) -> bool:
    try:
        reading = context.store.readings.get(number)
    except InputError:  # it left with its study
        return True
    return panel_of(context, reading.job, reading.analysis).may_see(name, reading)


def csv_lines(rows: Iterator[Row]) -> Iterator[bytes]:
    """Write rows as CSV (RFC 4180) that spreadsheets open as text, some rows at a time."""
    held = io.StringIO(newline="")
    writer = csv.writer(held)
    writer.writerow(_COLUMNS)
    yield b"\xef\xbb\xbf"  # else spreadsheets take UTF-8 for something else
    for row in rows:
        writer.writerow([_plain(each) for each in _cells(row)])
        if held.tell() > 1 << 16:
            yield _taken(held)
    yield _taken(held)


def _cells(row: Row) -> tuple[str, ...]:
    entry = row.entry
    details = json.dumps(dict(entry.details), ensure_ascii=False, sort_keys=True)
    at = entry.at.isoformat(timespec="microseconds")
    said = (entry.actor, entry.action, entry.subject, details)
    return (str(row.number), at, *said, row.previous, row.hash)


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _taken(held: io.StringIO) -> bytes:
    said = held.getvalue().encode(errors="replace")
    held.seek(0)
    held.truncate()
    return said
