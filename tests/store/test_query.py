"""Searches mean the same on every engine."""

import json
from datetime import UTC, datetime

import pytest

from medloop.core.search import Level, Match, Search, Term
from medloop.store import tables
from medloop.store.query import Finder
from medloop.store.worklist import Worklist

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_study(number, **columns):
    return {
        "uid": f"1.{number}",
        "name": "n",
        "patient_name": "",
        "patient_identifier": f"P{number}",
        "patient_birth_date": "",
        "patient_sex": "",
        "date": f"2026010{number}",
        "time": "101530",
        "description": "",
        "accession": "",
        "referring": "",
        "modalities": "CT",
        "arrived": NOON,
        "study_id": "",
    } | columns


def first(header, *path):
    for tag in path:
        header = header.get(tag, {}).get("Value", [""])[0]
    return header


def an_arrival(study, series, number, header):
    return {
        "uid": f"1.{study}.{series}.{number}",
        "sha256": "0" * 64,
        "study_uid": f"1.{study}",
        "series_uid": f"1.{study}.{series}",
        "sop_class": "1.2",
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "number": number,
        "size": 10,
        "source": "test",
        "arrived": NOON,
        "header": json.dumps(header, ensure_ascii=False),
        "modality": first(header, "00080060"),
        "step": first(header, "00400275", "00400009") if "00400275" in header else "",
        "procedure": first(header, "00400275", "00401001") if "00400275" in header else "",
    }


def header_of(modality, number):
    return {
        "00080060": {"vr": "CS", "Value": [modality]},
        "00081050": {"vr": "PN", "Value": [{"Alphabetic": "Roe^Jo", "Ideographic": "王^小東"}]},
        "00200011": {"vr": "IS", "Value": [number]},
        "00400275": {
            "vr": "SQ",
            "Value": [
                {
                    "00400009": {"vr": "SH", "Value": [f"S{number}_%"]},
                    "00401001": {"vr": "SH", "Value": [f"P{number}"]},
                }
            ],
        },
    }


@pytest.fixture
def finder(store):
    with store.database.writing() as connection:
        connection.execute(
            tables.studies.insert(),
            [
                a_study(1, patient_name="Wang^XiaoDong=王^小東", modalities="CT\\SEG"),
                a_study(
                    2,
                    patient_name="MÜLLER^Änne",
                    accession="A_1",
                    description="50% off",
                    study_id="S2",
                ),
                a_study(3, patient_name="", accession="A21", description="[x]"),
            ],
        )
        connection.execute(
            tables.arrivals.insert(),
            [
                an_arrival(1, 1, 2, header_of("CT", 3)),
                an_arrival(1, 1, 1, header_of("CT", 3)),
                an_arrival(1, 2, 1, header_of("SEG", 900)),
                an_arrival(2, 1, 1, header_of("CT", 4)),
                an_arrival(3, 1, 1, {"00080060": {"vr": "CS"}}),
            ],
        )
    return Finder(store.database)


NAME, ID, DATE, ACCESSION, TEXT = "00100010", "00100020", "00080020", "00080050", "00081030"


@pytest.mark.parametrize(
    ("tag", "match", "values", "expected"),
    [
        (NAME, Match.NAME, ("wang*",), "1"),
        (NAME, Match.NAME, ("王*",), "1"),
        (NAME, Match.NAME, ("王^小東",), "1"),
        (NAME, Match.NAME, ("müller^änne",), "2"),
        (NAME, Match.NAME, ("M?LLER*",), "2"),
        (NAME, Match.NAME, ("wang",), ""),
        (ID, Match.ANY_OF, ("P1", "P3"), "31"),
        (ID, Match.ANY_OF, ("p1",), ""),
        (ID, Match.WILDCARD, ("P*",), "321"),
        (ID, Match.WILDCARD, ("p*",), ""),
        (ACCESSION, Match.WILDCARD, ("A_*",), "2"),
        (ACCESSION, Match.WILDCARD, ("A?1",), "32"),
        (TEXT, Match.WILDCARD, ("5*%*",), "2"),
        (TEXT, Match.WILDCARD, ("[x*",), "3"),
        (TEXT, Match.WILDCARD, ("![*",), ""),
        (DATE, Match.RANGE, ("20260102", ""), "32"),
        (DATE, Match.RANGE, ("", "20260102"), "21"),
        (DATE, Match.RANGE, ("20260102", "20260102"), "2"),
        ("00080061", Match.ANY_OF, ("SEG",), "1"),
        ("00080061", Match.WILDCARD, ("S*",), "1"),
        ("00080061", Match.ANY_OF, ("seg",), ""),
        ("00200010", Match.ANY_OF, ("S2",), "2"),
        ("00200010", Match.WILDCARD, ("S*",), "2"),
    ],
)
def test_studies_that_match(finder, tag, match, values, expected):
    found, more = finder.find(Search(Level.STUDY, (Term((tag,), match, values),)))
    assert "".join(each.study["0020000D"][2:] for each in found) == expected
    assert not more


@pytest.mark.parametrize(
    ("path", "match", "values", "expected"),
    [
        (("00080060",), Match.ANY_OF, ("CT",), ["1.1.1", "1.2.1"]),
        (("00080060",), Match.ANY_OF, ("SEG", "MR"), ["1.1.2"]),
        (("00200011",), Match.NUMBER, ("900",), ["1.1.2"]),
        (("00081050",), Match.NAME, ("王*",), ["1.1.1", "1.1.2", "1.2.1"]),
        (("00400275", "00400009"), Match.WILDCARD, ("S4_%",), ["1.2.1"]),
        (("00400275", "00401001"), Match.ANY_OF, ("P900",), ["1.1.2"]),
        (("0020000E",), Match.ANY_OF, ("1.1.2",), ["1.1.2"]),
    ],
)
def test_series_that_match(finder, path, match, values, expected):
    found, _ = finder.find(Search(Level.SERIES, (Term(path, match, values),)))
    assert [each.series_uid for each in found] == expected


def test_answers_count_their_members(finder):
    (_, _, study), _ = finder.find(Search(Level.STUDY))
    assert (study.series, study.instances) == (2, 3)
    (first, *_), _ = finder.find(Search(Level.SERIES))
    assert (first.series_uid, first.instances) == ("1.1.1", 2)
    assert first.header["00200011"]["Value"] == [3]


def test_pages_follow_one_another(finder):
    first, more = finder.find(Search(Level.INSTANCE, limit=3))
    last, no_more = finder.find(Search(Level.INSTANCE, limit=3, offset=3))
    assert (more, no_more) == (True, False)
    uids = [each.sop_uid for each in first + last]
    assert uids == ["1.1.1.1", "1.1.1.2", "1.1.2.1", "1.2.1.1", "1.3.1.1"]


def test_numbers_of_instances_match(finder):
    term = Term(("00200013",), Match.NUMBER, ("2",))
    (found,), _ = finder.find(Search(Level.INSTANCE, (term,)))
    assert found.sop_uid == "1.1.1.2"


def test_members_come_in_order(finder):
    assert [each.uid for each in finder.members("1.1")] == ["1.1.1.1", "1.1.1.2", "1.1.2.1"]
    assert [each.uid for each in finder.members("1.1", "1.1.2")] == ["1.1.2.1"]
    assert finder.members("1.1", "1.1.2", "1.1.1.1") == ()


def test_instances_that_are_left_out_are_as_if_they_had_never_come(finder):
    gone = {"without": ("1.1.2.1",)}
    (*_, study), _ = finder.find(Search(Level.STUDY), **gone)
    assert (study.series, study.instances) == (1, 2)
    assert study.study["00080061"] == "CT"
    for match, value in ((Match.ANY_OF, "SEG"), (Match.WILDCARD, "S*")):
        term = Term(("00080061",), match, (value,))
        assert finder.find(Search(Level.STUDY, (term,)), **gone) == ((), False)
    of_ct = Term(("00080061",), Match.WILDCARD, ("C*",))
    found, _ = finder.find(Search(Level.STUDY, (of_ct,)), **gone)
    assert len(found) == 3
    series, _ = finder.find(Search(Level.SERIES), **gone)
    assert [each.series_uid for each in series] == ["1.1.1", "1.2.1", "1.3.1"]
    instances, _ = finder.find(Search(Level.INSTANCE), **gone)
    assert [each.sop_uid for each in instances] == ["1.1.1.1", "1.1.1.2", "1.2.1.1", "1.3.1.1"]
    assert [each.uid for each in finder.members("1.1", **gone)] == ["1.1.1.1", "1.1.1.2"]


def test_the_first_instance_may_be_left_out(finder):
    gone = {"without": ("1.1.1.1",)}
    (first, *_), _ = finder.find(Search(Level.SERIES), **gone)
    assert (first.series_uid, first.sop_uid, first.instances) == ("1.1.1", "1.1.1.2", 1)
    (*_, study), _ = finder.find(Search(Level.STUDY), **gone)
    assert (study.instances, study.study["00080061"]) == (2, "CT\\SEG")


def test_lines_count_what_is_not_left_out(finder, store):
    worklist = Worklist(store.database)
    line = worklist.study("1.1", without=("1.1.2.1",))
    assert (line.instances, line.modalities) == (2, ("CT",))
    assert worklist.study("1.1").instances == 3
    lines, _ = worklist.studies(limit=9, without=("1.1.2.1",))
    assert {each.uid: each.instances for each in lines} == {"1.1": 2, "1.2": 1, "1.3": 1}
