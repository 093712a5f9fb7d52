import re
import shutil
import subprocess
import sys

import pytest

from medloop.clinical.report.pdf import to_pdf
from medloop.clinical.reports import report_for
from medloop.core.errors import ServiceError
from medloop.core.study import Notice
from tests.clinical.cases import NOW, a_case, a_result
from tests.phantoms import a_fundus


@pytest.fixture(scope="module")
def pages():
    """HTML of a full report with everything that may stand in it, by language."""
    pytest.importorskip("weasyprint", exc_type=OSError)
    fundus = a_fundus((240, 360))
    notices = (
        Notice("grade_disagrees", "The lesions found suggest ICDR 3, the network says 2."),
        Notice("other", "The photograph is slightly out of focus (0.42, limit 0.50)."),
    )
    case, result = a_case(fundus.picture), a_result(fundus, warnings=notices)
    return {
        language: report_for(case, result, language=language, now=NOW)
        for language in ("en", "zh")
    }


@pytest.fixture(scope="module")
def printed(pages):
    return {language: to_pdf(html) for language, html in pages.items()}


def read_by(tool: str, *arguments: str, pdf: bytes) -> str:
    """Run one of poppler's tools on a PDF and return what it says."""
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} (Debian package poppler-utils) is not installed")
    done = subprocess.run([path, *arguments], input=pdf, capture_output=True, check=True)
    return done.stdout.decode()


def test_the_same_page_makes_the_same_bytes(pages, printed):
    assert to_pdf(pages["zh"]) == printed["zh"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_report_fits_one_sheet_of_a4(printed, language):
    told = read_by("pdfinfo", "-", pdf=printed[language])
    assert re.search(r"Pages:\s+1\n", told)
    assert "(A4)" in told


def test_the_chinese_text_can_be_read_back(printed):
    told = read_by("pdftotext", "-", "-", pdf=printed["zh"]).replace(" ", "")
    for term in ("王小东", "微血管瘤", "1/1", "未经医师签名"):
        assert term in told, term


def test_nothing_is_fetched_from_outside(pages, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    page = (
        f'<p>A</p><img src="{secret.as_uri()}"><link rel="attachment" href="{secret.as_uri()}">'
    )
    assert b"secret" not in to_pdf(page)


def test_missing_libraries_are_named(monkeypatch):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "weasyprint":
                raise OSError("cannot load library 'libpango-1.0-0'")

    for name in [name for name in sys.modules if name.split(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(ServiceError, match="Debian packages libpango"):
        to_pdf("<p>A</p>")
