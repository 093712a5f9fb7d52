"""What findings and segments are called in lists."""

import pytest

from medloop.clinical.choices import choices_for
from medloop.clinical.naming import finding_name, segment_name
from medloop.clinical.report.language import Language
from medloop.core.finding import Finding


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Microaneurysms", "微血管瘤"),
        ("Optic disc", "视盘"),
        ("Nodule 12", "结节 12"),
        ("Hemorrhages", "出血"),
        ("Brainstem", "脑干"),
        ("Anterior hippocampus", "前部（海马头）"),
        ("What a reader called it", "What a reader called it"),
    ],
)
def test_a_segment_has_the_name_that_readers_know(name, expected):
    assert segment_name(name, Language.CHINESE) == expected
    assert segment_name(name, Language.ENGLISH) == name


def test_what_a_reader_added_has_the_name_that_it_was_chosen_by():
    known = choices_for("lung")
    (code,) = (each.code for each in known.concepts if each.names[0] == "Pleural effusion")
    (site,) = (each.code for each in known.sites if each.names[0] == "Pleura")
    finding = Finding(code, site)
    assert finding_name(finding, "lung", Language.CHINESE) == "胸腔积液，胸膜"
    assert finding_name(finding, "lung", Language.ENGLISH) == "Pleural effusion, pleura"
