"""Which job waits for which: of one patient the earlier study is analyzed first."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from medloop.store.job import JobState
from medloop.store.tables import jobs as table
from medloop.store.tables import studies


def has_earlier(now: datetime) -> ColumnElement[bool]:
    """Whether the same analysis of an earlier study of the patient is due or running."""
    other, mine, its = table.alias("other"), studies.alias("mine"), studies.alias("its")
    is_open = or_(
        other.c.state == JobState.RUNNING,
        and_(other.c.state == JobState.WAITING, other.c.due <= now),
    )
    return (
        select(other.c.id)
        .join(its, its.c.uid == other.c.study_uid)
        .join(mine, mine.c.patient_identifier == its.c.patient_identifier)
        .where(
            mine.c.uid == table.c.study_uid,
            mine.c.patient_identifier != "",
            its.c.date != "",
            its.c.date < mine.c.date,
            other.c.analysis == table.c.analysis,
            is_open,
        )
        .correlate(table)
        .exists()
    )


def raise_earlier(connection: Connection) -> None:
    """Let what an urgent job waits for be as urgent: the patient's earlier studies."""
    late, mine, its = table.alias("late"), studies.alias("mine"), studies.alias("its")
    wanted = (
        select(func.max(late.c.priority))
        .join(its, its.c.uid == late.c.study_uid)
        .join(mine, mine.c.patient_identifier == its.c.patient_identifier)
        .where(
            mine.c.uid == table.c.study_uid,
            mine.c.patient_identifier != "",
            mine.c.date != "",
            mine.c.date < its.c.date,
            late.c.analysis == table.c.analysis,
            late.c.state == JobState.WAITING,
        )
        .correlate(table)
        .scalar_subquery()
    )
    connection.execute(
        update(table)
        .where(table.c.state == JobState.WAITING, wanted > table.c.priority)
        .values(priority=wanted)
    )
