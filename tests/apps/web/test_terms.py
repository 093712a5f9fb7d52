"""The same thing has the same word in reports and on pages, as the glossary says."""

from medloop.apps.web.texts import book
from medloop.clinical.report.language import FRAME
from medloop.clinical.report.notices import READERS


def test_a_finding_that_a_reader_rejects_is_denied_and_no_disease_ruled_out():
    said = {**book(), **FRAME}
    about = {key: zh for key, (en, zh) in said.items() if "reject" in en.lower()}
    assert {"verdict_rejected", "unreviewed", "correct.js.rejected"} <= about.keys()
    for key, words in about.items():
        assert "否定" in words, key
        assert "排除" not in words, key
    assert all("排除" not in words for words in READERS.values())
