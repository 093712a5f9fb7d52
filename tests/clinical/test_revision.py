"""What follows when a reader corrects a result: rules are applied again, the reader wins."""

from dataclasses import replace

import numpy as np
import pytest

from medloop.clinical.brain import codes as brain
from medloop.clinical.choices import choices_for, contradiction, uncountable
from medloop.clinical.conclusion import concluded
from medloop.clinical.lung import codes as lung
from medloop.clinical.radiotherapy.codes import ORGANS
from medloop.clinical.radiotherapy.codes import VOLUME as ORGAN_VOLUME
from medloop.clinical.radiotherapy.sentences import head_neck_report
from medloop.clinical.remeasure import drawn_labels, remeasured
from medloop.clinical.report.language import Language
from medloop.clinical.report.notices import is_contradiction, told
from medloop.clinical.report.reviewed import Judged, Reviewed, Verdict
from medloop.clinical.retina import codes as retina
from medloop.clinical.revision import revised
from medloop.core.finding import Finding, Measurement, Provenance, Result
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap, Picture
from medloop.core.study import Case, Notice, Selection
from medloop.imaging.mask_size import mask_size
from tests.workflow.cases import NOON, a_study


def a_result(analysis, findings, assessments, labels=None):
    made = Provenance(analysis, "1", (), (), "aa", NOON)
    return Result(made, tuple(findings), assessments, labels)


def judged(result, **verdicts):
    """The model's findings with verdicts by key; added ones come as Judged."""
    known = [
        Judged(str(n), verdicts.pop(f"f{n}", Verdict.PROPOSED), finding)
        for n, finding in enumerate(result.findings, start=1)
    ]
    return (*known, *verdicts.pop("more", ()))


def revise(model, reviewed, assessed=()):
    """Apply verdicts and values that the reader stated."""
    stated = dict(assessed)
    reviewed = replace(reviewed, assessed=frozenset(stated))
    findings = tuple(each.finding for each in reviewed.kept)
    corrected = replace(model, findings=findings, assessments={**model.assessments, **stated})
    return revised(corrected, reviewed, model)


def a_case():
    study = a_study()
    return Case(study, Selection(study.series), (Picture(np.zeros((1, 1, 3), np.uint8)),))


def codes_of(result):
    return {notice.code for notice in result.warnings}


def a_nodule(mm, label):
    values = tuple(Measurement(code, mm, "mm") for code in (lung.LONG_AXIS, lung.SHORT_AXIS))
    return Finding(lung.NODULE, None, values, segment=label, center_lps_mm=(0.0, 0.0, 0.0))


def a_lung(*sizes):
    category = {"texture": "solid", "Lung-RADS": "4B"}
    assessed = {f"nodule_{n}": category for n in range(1, len(sizes) + 1)}
    findings = [a_nodule(mm, n) for n, mm in enumerate(sizes, start=1)]
    return a_result("lung", findings, {"Lung-RADS": "4B", "nodules": len(sizes)} | assessed)


def lesions(kind, quadrant, count=1, **more):
    found = [Measurement(retina.COUNT, float(count), "1")]
    found += [Measurement(retina.FOVEA_DISTANCE, value, "1") for value in more.values()]
    site = retina.QUADRANT_SITES[quadrant]
    return Finding(retina.CONCEPTS[kind], site, tuple(found), segment=retina.LABELS[kind])


def a_retina(*findings, icdr=2, dme=0):
    held = {"ICDR": icdr, "ICDR_probabilities": (0.1,) * 5, "DME": dme, "CN1984": "III"}
    held |= {"ETDRS_range": "35-47", "referable": True, "referable_probability": 0.8}
    return a_result("retina", findings, held | {"fovea_center_px": (5.0, 5.0)})


def test_nothing_is_derived_again_where_nothing_changed():
    model = a_lung(20.0, 5.0)
    assert revised(model, Reviewed(judged(model, f1=Verdict.ACCEPTED)), model) is model


def test_a_nodule_that_was_rejected_counts_no_more():
    model = a_lung(20.0, 5.0)
    small = {"texture": "solid", "Lung-RADS": "2", "because": "solid, less than 6 mm"}
    model = replace(model, assessments=model.assessments | {"nodule_2": small})
    found = revise(model, Reviewed(judged(model, f1=Verdict.REJECTED)))
    assert (found.assessments["Lung-RADS"], found.assessments["nodules"]) == ("2", 1)
    assert found.assessments["nodule_1"]["Lung-RADS"] == "2"
    assert "nodule_2" not in found.assessments
    assert [each.segment for each in found.findings] == [1]


@pytest.mark.parametrize(
    ("mm", "category"), [(5.9, "2"), (6.0, "3"), (8.0, "4A"), (15.0, "4B")]
)
def test_a_nodule_that_was_measured_anew_gets_the_category_of_its_size(mm, category):
    model = a_lung(20.0)
    judge = Judged("1", Verdict.CHANGED, a_nodule(mm, 1), model.findings[0])
    found = revise(model, Reviewed((judge,)))
    assert found.assessments["Lung-RADS"] == category


def test_a_nodule_without_a_size_has_no_category_and_the_report_says_so():
    model = a_lung(5.0)
    bare = Judged("a1", Verdict.ADDED, Finding(lung.NODULE, center_lps_mm=(0.0, 0.0, 0.0)))
    found = revise(model, Reviewed(judged(model, more=(bare,))))
    assert "lung-unsized" in codes_of(found)
    assert "Lung-RADS" not in found.assessments["nodule_2"]
    assert found.assessments["Lung-RADS"] == "4B", "that of the nodule which was not touched"
    english, chinese = (concluded(a_case(), found, language) for language in ("en", "zh"))
    assert "2. Lung, nodule, not measured." in english.sentences
    assert "2. 肺，结节，未测量。" in chinese.sentences


def test_what_is_no_nodule_has_no_category_and_counts_in_none():
    (code,) = (c.code for c in choices_for("lung").concepts if c.names[0] == "Lymphadenopathy")
    model = a_lung(5.0)
    small = {"texture": "solid", "Lung-RADS": "2", "because": "solid, less than 6 mm"}
    model = replace(model, assessments=model.assessments | {"nodule_1": small})
    node = replace(a_nodule(18.0, None), concept=code)
    found = revise(model, Reviewed(judged(model, more=(Judged("a1", Verdict.ADDED, node),))))
    assert (found.assessments["Lung-RADS"], found.assessments["nodules"]) == ("2", 1)
    assert "nodule_2" not in found.assessments
    assert "lung-unsized" not in codes_of(found)
    told = concluded(a_case(), found, "en")
    assert told.headline == "One nodule, Lung-RADS 2."
    assert "2. Lung: Lymphadenopathy." in told.sentences


@pytest.mark.parametrize("solid_mm", [None, 4.0])
def test_a_part_solid_nodule_whose_solid_part_nobody_measured_says_so(solid_mm):
    model = a_lung(10.0)
    partly = {"nodule_1": {"texture": "part-solid", "Lung-RADS": "3"}}
    model = replace(model, assessments=model.assessments | partly)
    solid = () if solid_mm is None else (Measurement(lung.SOLID_MEAN, solid_mm, "mm"),)
    drawn = replace(model.findings[0], measurements=(*model.findings[0].measurements, *solid))
    judge = Judged("1", Verdict.CHANGED, drawn, a_nodule(9.0, 1))
    found = revise(model, Reviewed((judge,)))
    assert ("lung-solid-unsized" in codes_of(found)) is (solid_mm is None)
    assert found.assessments["Lung-RADS"] == ("4B" if solid_mm is None else "3")


def sized(long_mm=None, short_mm=None, mean_mm=None, **more):
    """A nodule of some sizes."""
    told = {lung.LONG_AXIS: long_mm, lung.SHORT_AXIS: short_mm, lung.MEAN_DIAMETER: mean_mm}
    told |= {getattr(lung, name): value for name, value in more.items()}
    values = (Measurement(code, mm, "mm") for code, mm in told.items() if mm is not None)
    return Finding(lung.NODULE, None, tuple(values), segment=1, center_lps_mm=(0.0, 0.0, 0.0))


def resized(before, now, **told):
    """What follows where a reader gave a nodule other sizes."""
    held = {"texture": "solid", "Lung-RADS": "2", "because": "x"} | told
    model = a_result("lung", [before], {"Lung-RADS": "2", "nodules": 1, "nodule_1": held})
    return revise(model, Reviewed((Judged("1", Verdict.CHANGED, now, before),)))


@pytest.mark.parametrize(
    ("before", "mean_mm", "category", "follow_up"),
    [
        (sized(5.0, 4.0, 4.5), 5.9, "2", "CT at 6-12 months, then consider CT at 18-24 months"),
        (sized(5.0, 4.0, 4.5), 6.0, "3", "CT at 6-12 months, then consider CT at 18-24 months"),
        (
            sized(5.0, 4.0, 4.5),
            9.0,
            "4A",
            "consider CT at 3 months, PET/CT, or tissue sampling",
        ),
        (sized(), 15.0, "4B", "consider CT at 3 months, PET/CT, or tissue sampling"),
        (sized(20.0, 18.0, 19.0), 5.4, "2", "no routine follow-up"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_mean_diameter_that_was_typed_governs_category_advice_and_sentence(
    before, mean_mm, category, follow_up, language
):
    axes = [before.measured(axis) for axis in (lung.LONG_AXIS, lung.SHORT_AXIS)]
    found = resized(before, sized(*axes, mean_mm))
    assert found.assessments["Lung-RADS"] == category
    assert found.assessments["nodule_1"]["Lung-RADS"] == category
    assert found.assessments["Fleischner_low"] == follow_up
    (nodule,) = found.findings
    assert nodule.measured(lung.LONG_AXIS) is None, "the axes are not of this mean"
    told = concluded(a_case(), found, language)
    assert f"{mean_mm:.1f}\u00a0mm" in told.sentences[0]
    assert category in told.headline


@pytest.mark.parametrize(
    ("axes", "mean_mm", "category"),
    [
        ((5.9, 5.8), 5.9, "2"),
        ((6.0, 5.9), 6.0, "3"),
        ((8.0, 7.9), 8.0, "4A"),
        ((15.1, 14.8), 15.0, "4B"),
    ],
)
def test_the_mean_of_typed_axes_is_rounded_to_a_tenth_with_halves_upward(
    axes, mean_mm, category
):
    found = resized(sized(4.0, 4.0, 4.0), sized(*axes, 4.0))
    assert found.findings[0].measured(lung.MEAN_DIAMETER) == mean_mm
    assert found.assessments["Lung-RADS"] == category


def test_of_a_stored_contradiction_the_axes_govern():
    found = resized(sized(9.0, 9.0, 9.0), sized(12.0, 12.0, 11.0))
    assert found.findings[0].measured(lung.MEAN_DIAMETER) == 12.0


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (sized(12.0, 12.0, 11.0), "have a mean of 12.0 mm, not of 11.0 mm"),
        (sized(8.0, 9.0, 9.0), "short axis, 9.0 mm, is longer than the long axis, 8.0 mm"),
        (sized(8.0, None, 8.4), "the mean, 8.4 mm, is longer than the long axis, 8.0 mm"),
        (sized(0.0, 0.0), "leave it empty"),
        (replace(sized(), measurements=(Measurement(lung.LONG_AXIS, 1.2, "cm"),)), "not in cm"),
    ],
)
def test_sizes_that_cannot_be_of_one_nodule_are_refused_in_one_line(now, said):
    refused = contradiction("lung", now, sized(9.0, 8.0, 9.0))
    assert said in refused
    assert "\n" not in refused
    assert contradiction("lung", now, sized(9.0, 8.0, 9.0), Language.CHINESE) != refused
    assert contradiction("lung", now, now) is None, "it stood there before"


@pytest.mark.parametrize("now", [sized(12.0, 11.0, 11.6), sized(12.0, 11.0, 9.0), sized(12.0)])
def test_sizes_that_can_be_of_one_nodule_are_taken(now):
    assert contradiction("lung", now, sized(9.0, 9.0, 9.0)) is None


def test_a_category_stays_while_nobody_measured_the_nodule_anew():
    """A stable nodule of category 3 is one of 2, which its size alone does not tell."""
    before = sized(7.0, 7.0, 7.0)
    moved = replace(before, site=lung.LUNG)
    found = resized(before, moved, because="category 3, stable or smaller since")
    assert found.assessments["Lung-RADS"] == "2"


@pytest.mark.parametrize(
    ("mean_mm", "change", "category", "more_mm"),
    [(7.2, "stable", "2", 0.2), (9.0, "grown", "4B", 2.0), (5.0, "shrunk", "2", -2.0)],
)
def test_growth_follows_a_size_that_was_typed(mean_mm, change, category, more_mm):
    past = {"PRIOR_LONG": 7.0, "PRIOR_SHORT": 7.0, "PRIOR_MEAN": 7.0, "PRIOR_DAYS": 180.0}
    past |= {"PRIOR_VOLUME": 180.0, "VOLUME": 180.0}
    before = sized(7.0, 7.0, 7.0, MEAN_CHANGE=0.0, **past)
    now = sized(7.0, 7.0, mean_mm, MEAN_CHANGE=0.0, **past)
    found = resized(before, now, change="stable", prior_nodule="1", prior_category="3")
    assert found.assessments["nodule_1"]["change"] == change
    assert found.assessments["Lung-RADS"] == category
    assert found.findings[0].measured(lung.MEAN_CHANGE) == pytest.approx(more_mm)
    assert found.findings[0].measured(lung.VOLUME_CHANGE) == 0.0


def test_a_notice_about_a_nodule_stays_when_another_is_added():
    grown = Notice("lung-volume-growth", "Nodule 1 has grown", (("nodule", 1),))
    model = replace(a_lung(9.0), warnings=(grown,))
    more = Judged("a1", Verdict.ADDED, a_nodule(7.0, 2))
    assert grown in revise(model, Reviewed(judged(model, more=(more,)))).warnings
    assert (
        grown
        not in revise(model, Reviewed((*judged(model, f1=Verdict.REJECTED), more))).warnings
    )


def test_a_segment_of_what_is_no_nodule_keeps_its_name_when_it_is_numbered_anew():
    (code,) = (c.code for c in choices_for("lung").concepts if c.names[0] == "Lymphadenopathy")
    node = replace(a_nodule(18.0, 2), concept=code)
    segments = {2: replace(lung.segment_of(2), name="Lymphadenopathy 2", concept=code)}
    grid = Grid((1, 1, 2), np.eye(4), "1.2")
    labels = LabelMap(np.array([[[0, 2]]], np.uint8), segments, grid)
    model = a_lung(9.0)
    more = Judged("a1", Verdict.ADDED, node)
    reviewed = Reviewed((*judged(model, f1=Verdict.REJECTED), more))
    found = revised(replace(model, findings=(node,), labels=labels), reviewed, model)
    assert [each.name for each in found.labels.segments.values()] == ["Lymphadenopathy 1"]


def test_the_category_that_a_reader_states_wins_and_what_the_rule_gives_is_said():
    model = a_lung(20.0)
    found = revise(model, Reviewed(judged(model)), {"Lung-RADS": "2"})
    assert found.assessments["Lung-RADS"] == "2"
    (notice,) = [each for each in found.warnings if each.code == "reader-stated-against"]
    assert dict(notice.values)["rule"] == "4B"


def test_labels_are_numbered_as_the_nodules_are():
    grid = Grid((1, 1, 4), np.eye(4), "1.2")
    labels = LabelMap(
        np.array([[[0, 1, 2, 3]]], np.uint8), {n: lung.segment_of(n) for n in (1, 2, 3)}, grid
    )
    model = replace(a_lung(20.0, 9.0, 8.0), labels=labels)
    reviewed = Reviewed(judged(model, f1=Verdict.REJECTED))
    left = LabelMap(
        np.array([[[0, 0, 2, 3]]], np.uint8), {n: lung.segment_of(n) for n in (2, 3)}, grid
    )
    findings = tuple(each.finding for each in reviewed.kept)
    found = revised(replace(model, findings=findings, labels=left), reviewed, model)
    assert found.labels.array.tolist() == [[[0, 0, 1, 2]]]
    assert [each.name for each in found.labels.segments.values()] == ["Nodule 1", "Nodule 2"]


def test_the_stage_follows_the_lesions_that_are_left():
    model = a_retina(lesions("SE", "ST"), lesions("MA", "IT"))
    found = revise(model, Reviewed(judged(model, f1=Verdict.REJECTED)))
    assert found.assessments["CN1984"] == "I"
    assert found.assessments["ICDR"] == 2, "no reader stated another grade"


def test_a_grade_that_a_reader_states_has_no_probability_and_decides_the_referral():
    model = a_retina(lesions("MA", "IT"))
    found = revise(model, Reviewed(judged(model)), {"ICDR": 1})
    assert found.assessments["referable"] is False
    assert "ICDR_probabilities" not in found.assessments
    assert "referable_probability" not in found.assessments
    assert "reader-stated" in codes_of(found)


def test_a_reader_who_states_a_grade_is_not_told_that_the_network_disagrees():
    model = a_retina(lesions("SE", "ST"), icdr=0)
    touched = Reviewed(judged(model, more=()), drawn=frozenset({1}))
    assert "grade_disagrees" in codes_of(revise(model, touched))
    assert "grade_disagrees" not in codes_of(revise(model, touched, {"ICDR": 0}))


def test_an_organ_that_a_reader_accepted_needs_no_second_look():
    organ = ORGANS["brainstem"]
    finding = Finding(organ.concept, segment=organ.label)
    held = {"organs_to_review": 1, "brainstem": {"name": "Brainstem", "review": "volume"}}
    model = a_result("head_neck", [finding], held)
    reviewed = Reviewed((Judged("1", Verdict.ACCEPTED, finding),), drawn=frozenset({9}))
    found = revise(model, reviewed)
    assert found.assessments["brainstem"]["review"] == "none"
    assert found.assessments["organs_to_review"] == 0


def test_the_hippocampus_is_the_sum_of_its_parts_as_drawn():
    def part(concept, mm3, segment=None):
        volume = Measurement(brain.VOLUME, mm3, "mm3")
        return Finding(concept, measurements=(volume,), segment=segment)

    names = [brain.CONCEPTS[name] for name in brain.PARTS]
    model = a_result(
        "hippocampus",
        [part(brain.HIPPOCAMPUS, 3000.0), part(names[0], 1400.0, 1), part(names[1], 1600.0, 2)],
        {"hippocampus_mm3": 3000.0, "hippocampus_range_mm3": (2500.0, 3500.0)},
    )
    changed = Judged("2", Verdict.CHANGED, part(names[0], 1000.0, 1), model.findings[1])
    first, _, last = judged(model)
    found = revise(model, Reviewed((first, changed, last)))
    assert found.assessments["hippocampus_mm3"] == 2600.0
    assert found.findings[0].measured(brain.VOLUME) == 2600.0
    assert "hippocampus_range_mm3" not in found.assessments


def test_an_organ_that_a_reader_drew_is_told_in_the_unit_of_its_column():
    (size,) = choices_for("head_neck").sizes
    organ = ORGANS["brainstem"]
    grid = Grid((1, 50, 50), np.diag([10.0, 2.0, 2.0, 1.0]), "1.2")
    labels = LabelMap(np.full(grid.shape, organ.label, np.uint8), {}, grid)
    model = a_result("head_neck", [Finding(organ.concept, segment=organ.label)], {}, labels)
    (found,) = remeasured(model, {organ.label}).findings
    assert found.measured(size.code) == pytest.approx(100.0)
    assert found.measurements[0].unit == size.unit == "cm3"
    shown = head_neck_report(
        a_case(), replace(model, findings=(found,)), language=Language.ENGLISH
    )
    (row,) = (row for row in shown.tables[0].rows if row[1] == organ.tg263)
    assert row[2:4] == ("100.0", "–"), "no range where none was measured"


def a_hippocampus():
    def part(concept, mm3, segment=None):
        values = {brain.VOLUME: mm3, brain.SURE: mm3 - 100, brain.POSSIBLE: mm3 + 100}
        told = tuple(Measurement(code, value, "mm3") for code, value in values.items())
        return Finding(concept, measurements=told, segment=segment)

    head, tail = (brain.CONCEPTS[name] for name in brain.PARTS)
    findings = [part(brain.HIPPOCAMPUS, 3000.0), part(head, 1400.0, 1), part(tail, 1600.0, 2)]
    held = {"hippocampus_mm3": 3000.0, "anterior_mm3": 1400.0, "posterior_mm3": 1600.0}
    return a_result("hippocampus", findings, held)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_a_reader_measured_has_no_range_of_nothing(language):
    model = a_hippocampus()
    found = revise(model, Reviewed(judged(model, f2=Verdict.CHANGED)))
    told = concluded(a_case(), found, language)
    assert len(told.sentences) == 1, "no range"
    assert "0 to 0" not in told.text


def test_a_part_that_was_rejected_is_in_no_sum_and_no_assessment():
    model = a_hippocampus()
    found = revise(model, Reviewed(judged(model, f2=Verdict.REJECTED)))
    assert found.assessments == {"hippocampus_mm3": 1600.0, "posterior_mm3": 1600.0}
    assert "(head) –" in concluded(a_case(), found, "en").sentences[0]


def test_a_whole_that_was_rejected_is_not_said_to_measure_nothing():
    model = a_hippocampus()
    found = revise(model, Reviewed(judged(model, f1=Verdict.REJECTED)))
    assert "hippocampus_mm3" not in found.assessments
    assert concluded(a_case(), found, "en").headline == "Hippocampal volume not stated."


def test_drawn_labels_are_those_whose_voxels_differ():
    one, other = (np.zeros((2, 2, 2), np.uint8) for _ in range(2))
    one[0, 0], other[0, 0] = 1, 1
    other[1, 1, 1] = 3
    grid = Grid((2, 2, 2), np.eye(4), "1.2")
    before, now = LabelMap(one, {}, grid), LabelMap(other, {}, grid)
    assert drawn_labels(now, before) == frozenset({3})


def test_a_lesion_that_was_drawn_is_counted_in_its_quadrant():
    drawn = np.zeros((11, 11), np.uint8)
    drawn[2, 2] = drawn[2, 8] = drawn[8, 8] = retina.LABELS["HE"]
    model = a_retina(lesions("HE", "ST", 7), lesions("MA", "ST", 2))
    model = replace(
        model,
        assessments=model.assessments | {"disc_center_px": (10.0, 5.0)},
        labels=LabelMap(drawn, retina.SEGMENTS),
    )
    found = remeasured(model, {retina.LABELS["HE"]})
    counted = {
        (each.concept.value, each.site.value): each.measured(retina.COUNT)
        for each in found.findings
    }
    assert counted == {
        ("RET-MA", "RET-ST"): 2,
        ("RET-HE", "RET-ST"): 1,
        ("RET-HE", "RET-SN"): 1,
        ("RET-HE", "RET-IN"): 1,
    }


def test_a_drawn_ball_is_as_large_as_it_was_drawn():
    k, j, i = np.mgrid[:40, :60, :60]
    ball = (k - 20) ** 2 * 4 + (j - 30) ** 2 + (i - 30) ** 2 <= 15**2
    size = mask_size(ball, (1.0, 0.5, 0.5))
    assert (size.long_mm, size.short_mm) == pytest.approx((15, 15), abs=0.8)
    assert size.greatest_mm == pytest.approx(15, abs=1)
    assert size.volume_mm3 == pytest.approx(np.pi / 6 * 15**3, rel=0.05)


def test_one_voxel_has_a_size_and_nothing_has_none():
    one = np.zeros((3, 3, 3), bool)
    assert mask_size(one, (1.0, 1.0, 1.0)) is None
    one[1, 1, 1] = True
    assert mask_size(one, (2.0, 1.0, 1.0)).long_mm == pytest.approx(1)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_sentences_need_no_image(language):
    assert "4B" in concluded(a_case(), a_lung(20.0), language).text


def test_an_organ_is_of_the_side_that_its_label_names():
    right, left = ORGANS["right_parotid"], ORGANS["left_parotid"]
    as_proposed = Finding(right.concept, right.site, segment=right.label)
    assert contradiction("head_neck", as_proposed) is None
    assert contradiction("head_neck", replace(as_proposed, segment=9)) is None
    assert contradiction("lung", replace(as_proposed, site=left.site)) is None
    said = contradiction("head_neck", replace(as_proposed, site=left.site))
    assert said is not None
    assert "segment 3 is the right parotid" in said
    assert contradiction("head_neck", replace(as_proposed, segment=left.label)) is not None


def contradicted(model, stated, *, reviewed=None):
    """Codes of what contradicts what the reader stated."""
    found = revise(model, reviewed or Reviewed(judged(model)), stated)
    return {code for code in codes_of(found) if code.startswith("contradiction-")}


@pytest.mark.parametrize(
    ("grades", "stated", "code"),
    [
        ({"icdr": 2}, {"referable": False}, "contradiction-not-referable"),
        ({"icdr": 0, "dme": 1}, {"referable": False}, "contradiction-not-referable"),
        ({"icdr": 1}, {"referable": True}, "contradiction-referable"),
        ({"icdr": 1}, {"referable": True, "ICDR": 2}, None),
        ({"icdr": 2}, {"referable": False, "ICDR": 1}, None),
        ({"icdr": 2}, {"referable": True}, None),
        ({"icdr": 4}, {"four_class": 1}, "contradiction-four-class"),
        ({"icdr": 4}, {"four_class": 3}, None),
        ({"icdr": 2}, {"ICDR": 2, "CN1984": "none"}, "contradiction-stage"),
        ({"icdr": 2}, {"ICDR": 2, "CN1984": "II"}, None),
        ({"icdr": 2}, {"gradable": False, "ICDR": 2}, "contradiction-ungradable"),
        ({"icdr": 2}, {"gradable": False}, None),
        ({"icdr": 2}, {"fovea_center_px": (1.0, 1.0)}, "contradiction-landmarks"),
    ],
)
def test_values_of_a_retina_that_depend_on_each_other_are_compared(grades, stated, code):
    assert contradicted(a_retina(**grades), stated) == ({code} if code else set())


@pytest.mark.parametrize(
    ("lesion", "stated", "code"),
    [
        (lesions("HE", "ST"), {"ICDR": 0}, "contradiction-lesions"),
        (lesions("HE", "ST"), {"ICDR": 2}, None),
        (lesions("MA", "ST"), {"ICDR": 1}, None),
        (lesions("EX", "ST", away=0.5), {"DME": 1}, "contradiction-exudates"),
        (lesions("EX", "ST", away=1.5), {"DME": 1}, None),
    ],
)
def test_grades_are_compared_with_the_lesions_that_are_listed(lesion, stated, code):
    assert contradicted(a_retina(lesion), stated) == ({code} if code else set())
    gone = Reviewed(judged(a_retina(lesion), f1=Verdict.REJECTED))
    assert contradicted(a_retina(lesion), stated, reviewed=gone) == set()


@pytest.mark.parametrize(
    ("icdr", "referable", "advice"),
    [
        (
            2,
            False,
            {"en": "No referral, as the reader decided. By rule", "zh": "无需转诊。但按"},
        ),
        (2, True, {"en": "Refer to an ophthalmologist within", "zh": "转诊眼科。"}),
        (1, True, {"en": "as the reader decided; the grades", "zh": "仅按分级无需转诊"}),
        (1, False, {"en": "No referral for retinopathy.", "zh": "无需因视网膜病变转诊"}),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_advice_follows_the_reader_or_says_both(icdr, referable, advice, language):
    model = a_retina(icdr=icdr)
    found = revise(model, Reviewed(judged(model)), {"referable": referable})
    told = concluded(a_case(), found, language)
    assert advice[language] in told.recommendation
    is_against = referable is not (icdr >= 2)
    said = ["按规则" in each or "by rule; the reader" in each for each in told.alerts]
    assert any(said) is is_against
    assert bool(told.contradictions) is is_against


def test_a_category_without_a_nodule_is_told_and_its_advice_given():
    model = a_lung(5.0)
    gone = Reviewed(judged(model, f1=Verdict.REJECTED))
    assert contradicted(model, {"Lung-RADS": "4B"}, reviewed=gone) == {
        "contradiction-no-nodule"
    }
    assert contradicted(model, {"Lung-RADS": "1"}, reviewed=gone) == set()
    found = revise(model, gone, {"Lung-RADS": "4B"})
    told = concluded(a_case(), found, "en")
    assert told.headline == "No nodule listed, Lung-RADS 4B."
    assert "Referral" in told.recommendation


def test_advice_for_nodules_found_by_chance_is_the_readers_where_they_stated_it():
    model = a_lung(20.0)
    touched = Reviewed(judged(model, f1=Verdict.REJECTED))
    found = revise(model, touched, {"Fleischner_low": "CT at 12 months"})
    assert found.assessments["Fleischner_low"] == "CT at 12 months"
    assert "reader-stated-against" in codes_of(found)


@pytest.mark.parametrize(
    ("analysis", "name"),
    [("lung", "nodules"), ("head_neck", "organs"), ("hippocampus", "side_from")],
)
@pytest.mark.parametrize("language", list(Language))
def test_nobody_states_what_is_counted(analysis, name, language):
    assert name in uncountable(analysis, name, language)
    assert uncountable(analysis, "ICDR", language) is None


def test_a_count_that_somebody_stated_once_is_that_of_the_findings():
    found = revise(a_lung(20.0), Reviewed(judged(a_lung(20.0))), {"nodules": 7})
    assert found.assessments["nodules"] == 1
    assert "reader-stated" not in codes_of(found)


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ({"hippocampus_mm3": 3500.0}, "contradiction-volume"),
        ({"hippocampus_mm3": 3000.0}, None),
        ({"side": "left"}, "contradiction-side"),
        ({"side": "right"}, None),
    ],
)
def test_values_of_a_hippocampus_that_depend_on_each_other_are_compared(stated, code):
    model = a_hippocampus()
    held = model.assessments | {"side": "right", "side_from": "position"}
    model = replace(model, assessments=held)
    assert contradicted(model, stated) == ({code} if code else set())


def test_a_whole_that_is_not_the_sum_of_its_parts_is_told():
    model = a_hippocampus()
    whole = replace(model.findings[0], measurements=(Measurement(brain.VOLUME, 4000.0, "mm3"),))
    _, *parts = judged(model)
    changed = Judged("1", Verdict.CHANGED, whole, model.findings[0])
    assert contradicted(model, {}, reviewed=Reviewed((changed, *parts))) == {
        "contradiction-sum"
    }


def test_a_side_that_a_reader_stated_is_from_the_reader_alone():
    doubt = Notice("hippocampus_side", "x", (("stated", "left"), ("seen", "right")))
    model = replace(a_hippocampus(), warnings=(doubt,))
    found = revise(model, Reviewed(judged(model)), {"side": "right"})
    assert found.assessments["side_from"] == "reader"
    assert doubt not in found.warnings


@pytest.mark.parametrize(
    ("analysis", "code", "unit"),
    [("lung", lung.MEAN_DIAMETER, "mm"), ("head_neck", ORGAN_VOLUME, "cm3")],
)
def test_sizes_that_were_typed_beside_an_outline_that_stayed_are_told(analysis, code, unit):
    def of(value):
        concept = ORGANS["brainstem"].concept if analysis == "head_neck" else lung.NODULE
        return Finding(concept, None, (Measurement(code, value, unit),), segment=1)

    model = a_result(analysis, [of(9.0)], {})
    changed = Judged("1", Verdict.CHANGED, of(12.0), of(9.0))
    assert "reader-outline-kept" in codes_of(revise(model, Reviewed((changed,))))
    drawn = Reviewed((changed,), drawn=frozenset({1}))
    assert "reader-outline-kept" not in codes_of(revise(model, drawn))


@pytest.mark.parametrize(
    ("model", "stated"),
    [
        (a_retina(lesions("HE", "ST"), icdr=2), {"referable": False, "ICDR": 0}),
        (a_retina(icdr=1), {"referable": True, "four_class": 3, "gradable": False}),
        (a_retina(lesions("EX", "ST", away=0.5)), {"ICDR": 2, "CN1984": "none", "DME": 0}),
        (a_hippocampus(), {"hippocampus_mm3": 9.0, "side": "left"}),
        (a_lung(), {"Lung-RADS": "4B"}),
    ],
)
def test_every_contradiction_is_told_in_chinese(model, stated):
    model = replace(model, assessments={"side": "right", **model.assessments})
    found = revise(model, Reviewed(judged(model)), stated)
    notices = [each for each in found.warnings if is_contradiction(each)]
    assert notices
    for line in told(notices, Language.CHINESE):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in line), line
