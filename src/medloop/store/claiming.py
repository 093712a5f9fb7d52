"""How rows of a queue are claimed: the first that is due, by one process alone."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Table, Update, select, update
from sqlalchemy.sql.elements import UnaryExpression


def claiming(
    table: Table,
    is_due: ColumnElement[bool],
    *,
    now: datetime,
    lease: timedelta,
    before: tuple[UnaryExpression[object], ...] = (),
    **values: object,
) -> Update:
    """Return the statement that claims the first row that is due, numbered and for a while.

    `before` orders rows before the time they are due at; `values` are set beside the lease.
    On PostgreSQL rows that another process is claiming are skipped.
    """
    first = (
        select(table.c.id)
        .where(is_due)
        .order_by(*before, table.c.due, table.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    return (
        update(table)
        .where(table.c.id == first)
        .values(
            attempts=table.c.attempts + 1,
            claims=table.c.claims + 1,
            lease=now + lease,
            changed=now,
            **values,
        )
    )
