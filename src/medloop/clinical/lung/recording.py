"""How nodules that were measured and compared stand in a result."""

from collections.abc import Sequence

from medloop.clinical.lung import codes
from medloop.clinical.lung.characterize import Described
from medloop.clinical.lung.comparison import Comparison, Follow
from medloop.clinical.lung.fleischner import Risk, advise
from medloop.clinical.lung.lung_rads import category_of, overall
from medloop.clinical.lung.nodule import Texture
from medloop.clinical.lung.notices import disagreement
from medloop.core.finding import Assessment, Finding, Measurement
from medloop.core.study import Notice
from medloop.imaging.lungs import Lungs
from medloop.models.nodule_plan import NodulePlan


def finding_of(of: Described, plan: NodulePlan, label: int, follow: Follow) -> Finding:
    """Return what a result holds of one nodule; `label` is its number, from 1 on."""
    size, solid, content = of.measured.size, of.measured.solid, of.measured.content
    values = [
        (codes.LONG_AXIS, round(size.long_mm, 1), "mm"),
        (codes.SHORT_AXIS, round(size.short_mm, 1), "mm"),
        (codes.MEAN_DIAMETER, of.nodule().size.mean_mm, "mm"),
        (codes.LARGEST_DIAMETER, round(size.greatest_mm, 1), "mm"),
        (codes.VOLUME, round(size.volume_mm3, 1), "mm3"),
    ]
    if solid is not None and Texture(content.kind) is Texture.PART_SOLID:
        values += [
            (codes.SOLID_MEAN, round(solid.mean_mm, 1), "mm"),
            (codes.SOLID_VOLUME, round(solid.volume_mm3, 1), "mm3"),
        ]
    values.append((codes.SPICULATION, round(of.measured.margin.spiculation, 2), "1"))
    suspicion = of.measured.suspicion(plan.suspicion)
    if suspicion is not None:
        values.append((codes.SUSPICION, round(suspicion, 3), "1"))
    if of.lobe is not None:
        values.append((codes.LOBE_SURE, of.lobe.probability, "1"))
    return Finding(
        codes.NODULE,
        codes.SITES[of.lobe.lobe] if of.lobe else codes.LUNG,
        tuple(Measurement(concept, value, unit) for concept, value, unit in values)
        + follow.measurements,
        probability=of.probability,
        center_lps_mm=of.center_lps_mm,
        segment=label,
        tracking=follow.tracking,
    )


def assessments_of(
    found: Sequence[Described], compared: Comparison, lungs: Lungs, plan: NodulePlan
) -> dict[str, Assessment]:
    """Categories of the study and of each nodule, and what a nodule is made of.

    What Fleischner 2017 advises counts from the study that found a nodule first, so it is given
    only where none was before.
    """
    nodules = [follow.nodule for follow in compared.follows]
    whole = overall(nodules)
    out: dict[str, Assessment] = {
        "Lung-RADS": whole.name,
        "Lung-RADS_because": whole.because,
        "nodules": len(found),
        "threshold": plan.threshold,
        "lung_right_ml": round(lungs.right_ml, 0),
        "lung_left_ml": round(lungs.left_ml, 0),
    }
    if compared.prior is None:
        for risk in Risk:
            out[f"Fleischner_{risk}"] = advise(nodules, risk).advice
    for n, (each, follow) in enumerate(zip(found, compared.follows, strict=True), start=1):
        category, content = category_of(follow.nodule), each.measured.content
        out[f"nodule_{n}"] = {
            "Lung-RADS": category.name,
            "because": category.because,
            "texture": content.kind,
            "calcification": content.calcium,
            "fat": "yes" if content.fat_share >= 0.1 else "no",
            "juxtapleural": "yes" if each.measured.margin.is_juxtapleural else "no",
            "perifissural": "yes" if each.is_perifissural else "no",
            "smooth": "yes" if each.measured.margin.is_smooth else "no",
            "spiculated": "yes" if each.measured.is_spiculated else "no",
        } | follow.told()
    return out | compared.assessments()


def disagreements(
    found: Sequence[Described], follows: Sequence[Follow], plan: NodulePlan
) -> tuple[Notice, ...]:
    """Name nodules whose suspicion and category point in different directions."""
    notices: list[Notice] = []
    for n, (each, follow) in enumerate(zip(found, follows, strict=True), start=1):
        suspicion = each.measured.suspicion(plan.suspicion)
        category = category_of(follow.nodule)
        if suspicion is not None:
            notices += disagreement(n, suspicion, category.name)
    return tuple(notices)
