"""What the retina analysis remarks beside its answer: doubts and disagreements."""

from medloop.clinical.retina.scales import (
    LesionCounts,
    cn1984,
    dme_from_exudates,
    grades_agree,
    least_icdr,
)
from medloop.core.study import Notice
from medloop.imaging.landmarks import Landmarks

UNSURE_DISC = 0.2  # found beside another place nearly as likely
UNSEEN_FOVEA = 0.1  # no dark spot: placed by anatomy
UNSURE_SIDE = 0.5


def doubts(landmarks: Landmarks, *, stated: str = "") -> tuple[Notice, ...]:
    """Say which landmarks are uncertain, and whether the side differs from the one `stated`.

    Quadrants and distances rest on the landmarks.
    """
    notices = []
    disc, fovea = landmarks.disc, landmarks.fovea
    if disc.confidence < UNSURE_DISC:
        text = f"optic disc uncertain: confidence {disc.confidence:.2f} is under {UNSURE_DISC}"
        notices.append(Notice("disc_uncertain", text, _value(disc.confidence, UNSURE_DISC)))
    if fovea is not None and fovea.confidence < UNSEEN_FOVEA:
        text = (
            "fovea not seen, placed by anatomy: "
            f"confidence {fovea.confidence:.2f} is under {UNSEEN_FOVEA}"
        )
        notices.append(Notice("fovea_uncertain", text, _value(fovea.confidence, UNSEEN_FOVEA)))
    sure = disc.confidence >= UNSURE_SIDE
    if sure and stated in ("R", "L") and landmarks.laterality not in ("", stated):
        seen = landmarks.laterality
        text = f"laterality is stated {stated}, but the photograph looks like {seen}"
        notices.append(
            Notice("laterality_disagrees", text, (("stated", stated), ("seen", seen)))
        )
    return tuple(notices)


def disagreements(
    icdr: int, dme: int, lesions: LesionCounts, exudate_dd: float | None, *, placed: bool
) -> tuple[Notice, ...]:
    """Say where the rules on lesions and the network disagree.

    `exudate_dd` is the nearest hard exudate's distance to the fovea in disc diameters;
    macular edema is compared only where the fovea is `placed`.
    """
    notices = []
    if not grades_agree(icdr, lesions):
        stage, least = cn1984(lesions), least_icdr(lesions)
        text = (
            f"lesion rules and network disagree: the lesions found are CN1984 {stage} and ask "
            f"for ICDR {least} at least, the network grades ICDR {icdr}"
        )
        if icdr == 4:
            text += " (new vessels are not searched for: look for them)"
        values = (("icdr", icdr), ("stage", stage), ("least", least))
        notices.append(Notice("grade_disagrees", text, values))
    by_rule = dme_from_exudates(exudate_dd)
    if placed and by_rule != dme:
        text = (
            "lesion rules and network disagree on macular edema: the hard exudates found ask "
            f"for grade {by_rule}, the network grades {dme}"
        )
        notices.append(Notice("dme_disagrees", text, (("dme", dme), ("rule", by_rule))))
    return tuple(notices)


def _value(value: float, limit: float) -> tuple[tuple[str, str | float | int], ...]:
    return ("value", round(value, 4)), ("limit", limit)
