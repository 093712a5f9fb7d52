"""What is read first: the table of urgency, on the assessments that analyses write."""

from datetime import UTC, datetime

import pytest

from medloop.clinical.urgency import Triage, Urgency, triage
from medloop.core.finding import Provenance, Result
from medloop.core.study import Notice

MADE = Provenance("a", "1", (), (), "0" * 64, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("assessments", "urgency", "because"),
    [
        ({"ICDR": 4, "DME": 0, "referable": True}, Urgency.URGENT, "ICDR 4"),
        ({"ICDR": 3, "DME": 1, "referable": True}, Urgency.SOON, "ICDR 3"),
        ({"ICDR": 2, "DME": 2, "referable": True}, Urgency.SOON, "DME 2"),
        ({"ICDR": 2, "DME": 0, "referable": True}, Urgency.SOON, "ICDR 2"),
        ({"ICDR": 1, "DME": 0, "referable": False}, Urgency.ROUTINE, "ICDR 1"),
        ({"ICDR": 0, "referable": False, "gradable": False}, Urgency.CHECK, "ungradable"),
        ({"Lung-RADS": "4X"}, Urgency.URGENT, "Lung-RADS 4X"),
        ({"Lung-RADS": "4B"}, Urgency.URGENT, "Lung-RADS 4B"),
        ({"Lung-RADS": "4A"}, Urgency.SOON, "Lung-RADS 4A"),
        ({"Lung-RADS": "3"}, Urgency.CHECK, "Lung-RADS 3"),
        ({"Lung-RADS": "2"}, Urgency.ROUTINE, "Lung-RADS 2"),
        ({"organs": 5, "organs_to_review": 1}, Urgency.CHECK, ""),
        ({"organs": 5, "organs_to_review": 0}, Urgency.ROUTINE, ""),
        ({}, Urgency.ROUTINE, ""),
    ],
)
def test_the_most_pressing_assessment_decides(assessments, urgency, because):
    found = triage(Result(MADE, (), assessments))
    assert found == Triage(urgency, because)


@pytest.mark.parametrize("code", ["hu-calibration", "oar-sides", "dme_disagrees"])
def test_a_notice_of_alert_kind_asks_for_a_look(code):
    alarmed = Result(MADE, (), {}, warnings=(Notice(code, "two measures disagree"),))
    assert triage(alarmed).urgency is Urgency.CHECK


def test_other_notices_change_nothing():
    told = Result(MADE, (), {}, warnings=(Notice("duplicate-slices", "2 slices twice"),))
    assert triage(told).urgency is Urgency.ROUTINE
