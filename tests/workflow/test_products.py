"""Products appear together, result.json among them last, or not at all."""

import json
from itertools import count

import cv2
import numpy as np
import pytest

from medloop.core.errors import ServiceError
from medloop.core.record import from_json, from_record
from medloop.workflow.intake import FolderArchive, gather
from medloop.workflow.products import Makers, write_products
from medloop.workflow.routing import route
from medloop.workflow.worker import run
from tests.workflow.cases import Grade, a_case, a_result

FIGURE = np.arange(40 * 60 * 3, dtype=np.uint32).reshape(40, 60, 3).astype(np.uint8)


def plain_makers(**changes) -> Makers:
    """Makers that write a word each; the parts themselves are tested in their rooms."""

    def dicom(case, result, pdf, figures, folder):
        (folder / "sr.dcm").write_bytes(b"DICM" + (pdf or b""))

    parts = {
        "html": lambda case, result, language, figures: f"<p lang={language}>眼底</p>",
        "pdf": lambda page: b"%PDF" + page.encode(),
        "figures": lambda case, result: {"overlay": FIGURE},
        "dicom": dicom,
    }
    return Makers(**parts | changes)


def write(folder, **options):
    case = a_case()
    options = {"language": "en", "makers": plain_makers()} | options
    write_products(case, a_result(case), folder, **options)


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_product_is_there_and_nothing_else(tmp_path):
    write(tmp_path / "out" / "eyes" / "grade", language="zh")
    folder = tmp_path / "out" / "eyes" / "grade"
    assert names(folder) == [
        "overlay.png",
        "report.html",
        "report.pdf",
        "result.json",
        "sr.dcm",
    ]
    assert names(folder.parent) == ["grade"]
    assert (folder / "report.html").read_text(encoding="utf-8") == "<p lang=zh>眼底</p>"


def test_a_figure_is_saved_without_loss(tmp_path):
    write(tmp_path / "grade")
    read = cv2.imread(str(tmp_path / "grade" / "overlay.png"))[..., ::-1]
    np.testing.assert_array_equal(read, FIGURE)


def test_the_record_holds_the_timings_of_all_stages(tmp_path):
    ticks = count(step=0.5)
    write(tmp_path / "grade", clock=lambda: next(ticks) + 0.0)
    record = json.loads((tmp_path / "grade" / "result.json").read_text())
    assert record["timings_s"] == {
        "read": 0.0,
        "prepare": 0.1,
        "infer": 0.2,
        "post": 0.3,
        "write": 0.5,
    }
    assert record["study"] == {"uid": "2.25.1", "source": "eyes/eye0.jpg"}


def test_a_machine_that_cannot_print_leaves_the_pdf_out_and_says_so(tmp_path):
    def no_pango(page):
        raise ServiceError("PDF reports need Pango")

    write(tmp_path / "grade", makers=plain_makers(pdf=no_pango))
    assert names(tmp_path / "grade") == ["overlay.png", "report.html", "result.json", "sr.dcm"]
    recorded = from_record(from_json((tmp_path / "grade" / "result.json").read_text()))
    (notice,) = recorded.result.warnings
    assert notice.code == "report_pdf_left_out"
    assert "Pango" in notice.text


@pytest.mark.parametrize("maker", ["html", "pdf", "figures", "dicom"])
@pytest.mark.parametrize("error", [TypeError("a bug"), OSError(28, "No space left on device")])
def test_a_failure_anywhere_leaves_the_old_folder_alone(tmp_path, maker, error):
    def fail(*_):
        raise error

    write(tmp_path / "grade")
    before = names(tmp_path / "grade")
    kind = ServiceError if isinstance(error, OSError) else TypeError
    with pytest.raises(kind):
        write(tmp_path / "grade", makers=plain_makers(**{maker: fail}))
    assert names(tmp_path / "grade") == before
    assert names(tmp_path) == ["grade"]


def test_the_same_case_gives_the_same_bytes_but_for_timings(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / name)
    one, two = (json.loads((tmp_path / n / "result.json").read_text()) for n in ("one", "two"))
    del one["timings_s"], two["timings_s"]
    assert json.dumps(one) == json.dumps(two)
    for name in ("overlay.png", "report.html", "report.pdf", "sr.dcm"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_photograph_gives_report_pictures_and_dicom_objects(tmp_path, language):
    height, width = 600, 800
    y, x = np.mgrid[:height, :width]
    eye = np.zeros((height, width, 3), np.uint8)
    eye[(y - 300) ** 2 + (x - 400) ** 2 < 280**2] = (60, 90, 180)
    cv2.imwrite(str(tmp_path / "eye.jpg"), eye)
    intake = gather([tmp_path / "eye.jpg"], scratch=tmp_path)
    (each,) = route(intake.studies, [Grade()])

    def write(case, result):
        write_products(case, result, tmp_path / "grade", language=language)
        return tmp_path / "grade"

    outcome = run(Grade(), FolderArchive(intake), each.study, each.selection, write=write)
    assert outcome.reason == ""
    expected = {
        *("result.json", "report.html", "report.pdf", "overlay.png", "heatmap.png"),
        *("photograph.dcm", "sr.dcm", "seg.dcm", "overlay.dcm", "heatmap.dcm", "report.dcm"),
    }
    if "Pango" in (tmp_path / "grade" / "result.json").read_text(encoding="utf-8"):
        pytest.skip("Pango is not installed")
    assert set(names(tmp_path / "grade")) == expected
    record = from_json((tmp_path / "grade" / "result.json").read_text(encoding="utf-8"))
    assert record["study"]["source"].endswith("eye.jpg")
    assert min(record["timings_s"].values()) > 0
