"""What a reader may say about a result: concepts, places, sizes and grades of each question.

SNOMED CT where a DICOM context group names the term, else our own codes, as everywhere. Names
are (English, Chinese).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from medloop.clinical.brain import codes as brain
from medloop.clinical.contradictions import is_counted
from medloop.clinical.lung import codes as lung
from medloop.clinical.lung.lung_rads import ORDER
from medloop.clinical.lung.phrases import OTHERS
from medloop.clinical.lung.phrases import WORDS as LUNG_WORDS
from medloop.clinical.lung.sizes import conflict, settled
from medloop.clinical.radiotherapy.codes import ANATOMY, ORGANS, PAIR
from medloop.clinical.radiotherapy.codes import VOLUME as ORGAN_VOLUME
from medloop.clinical.radiotherapy.phrases import NAMES
from medloop.clinical.report.language import Book, Language, say
from medloop.clinical.retina import codes as retina
from medloop.clinical.retina.phrases import ROMAN
from medloop.clinical.retina.phrases import WORDS as RETINA_WORDS
from medloop.clinical.retina.scales import CN_STAGES
from medloop.core.code import Code
from medloop.core.finding import Finding

Names = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """A code with its names."""

    code: Code
    names: Names


@dataclass(frozen=True, slots=True)
class Size:
    """What may be measured of a finding, and its UCUM unit."""

    code: Code
    unit: str
    names: Names


@dataclass(frozen=True, slots=True)
class Scale:
    """An assessment and the values it may take."""

    name: str
    names: Names
    values: tuple[tuple[bool | int | str, Names], ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """All that may be said. New segments are of `category` and `concept` in `site`."""

    concepts: tuple[Choice, ...]
    sites: tuple[Choice, ...] = ()
    sizes: tuple[Size, ...] = ()
    scales: tuple[Scale, ...] = ()
    category: Code = retina.ABNORMAL
    site: Code | None = None

    @property
    def segment(self) -> Choice:
        """What a new segment is, until a reader says otherwise."""
        return self.concepts[0]


def choices_for(analysis: str) -> Choices:
    """Return what may be said about an analysis' results; of others, that there is a lesion."""
    return _CHOICES.get(analysis, _ANY)


def contradiction(
    analysis: str,
    finding: Finding,
    before: Finding | None = None,
    language: Language = Language.ENGLISH,
) -> str | None:
    """Say why a finding cannot be what it says; None where nothing speaks against it.

    Organs at risk are told apart, and right from left, by their labels; of nodules, sizes that
    differ from those `before` must be those of one nodule.
    """
    if analysis == "lung":
        return conflict(finding, before, language)
    organ = next((o for o in ORGANS.values() if o.label == finding.segment), None)
    if analysis != "head_neck" or organ is None:
        return None
    is_side = organ.site is None or finding.site in (None, organ.site)
    if finding.concept == organ.concept and is_side:
        return None
    return say(_REFUSALS, "organ", language, label=organ.label, name=organ.name)


def uncountable(analysis: str, name: str, language: Language) -> str | None:
    """Say why nobody states an assessment that is counted of findings; None of others."""
    return (
        say(_REFUSALS, "counted", language, name=name) if is_counted(analysis, name) else None
    )


def settled_finding(analysis: str, finding: Finding, before: Finding | None = None) -> Finding:
    """Let sizes that a reader typed govern those that follow from them."""
    return settled(finding, before) if analysis == "lung" else finding


def _own(value: str, meaning: str, chinese: str) -> Choice:
    return Choice(Code("99MEDLOOP", value, meaning), (meaning, chinese))


def _sct(value: str, meaning: str, chinese: str) -> Choice:
    return Choice(Code("SCT", value, meaning), (meaning, chinese))


_REFUSALS: Final[Book] = {
    "counted": (
        "{name} follows from the findings: correct these",
        "{name} 由发现得出：请修改发现",
    ),
    "organ": (
        "segment {label} is the {name}: a finding that names it is of no other organ or side; "
        "reject it, and add the other with a segment of its own",
        "分割 {label} 为 {name}：引用它的发现不能是其他器官或另一侧；请否定该发现，"
        "另行添加并使用新的分割",
    ),
}
_YES_NO: Final = ((True, ("Yes", "是")), (False, ("No", "否")))
_ANY: Final = Choices((Choice(retina.ABNORMAL, ("Lesion", "病灶")),))

_RETINA: Final = Choices(
    concepts=(
        Choice(retina.CONCEPTS["MA"], ("Microaneurysm", "微血管瘤")),
        Choice(retina.CONCEPTS["HE"], ("Haemorrhage", "出血")),
        Choice(retina.CONCEPTS["EX"], ("Hard exudate", "硬性渗出")),
        Choice(retina.CONCEPTS["SE"], ("Cotton wool spot", "棉絮斑")),
        _own("RET-IRMA", "Intraretinal microvascular abnormality", "视网膜内微血管异常"),
        _own("RET-VB", "Venous beading", "静脉串珠"),
        _own("RET-NV", "Neovascularization of retina or disc", "新生血管"),
        _own("RET-VH", "Preretinal or vitreous hemorrhage", "视网膜前或玻璃体出血"),
        _own("RET-LASER", "Laser scar of retina", "激光斑"),
        _own("RET-DRUSEN", "Drusen of retina", "玻璃膜疣"),
    ),
    sites=(
        Choice(retina.QUADRANT_SITES["ST"], ("Superior temporal", "颞上象限")),
        Choice(retina.QUADRANT_SITES["SN"], ("Superior nasal", "鼻上象限")),
        Choice(retina.QUADRANT_SITES["IT"], ("Inferior temporal", "颞下象限")),
        Choice(retina.QUADRANT_SITES["IN"], ("Inferior nasal", "鼻下象限")),
        Choice(retina.OPTIC_DISC, ("Optic disc", "视盘")),
        Choice(retina.RETINA, ("Retina", "视网膜")),
    ),
    sizes=(Size(retina.COUNT, "1", ("Number", "数目")),),
    scales=(
        Scale(
            "ICDR",
            ("ICDR grade", "ICDR 分级"),
            tuple((n, RETINA_WORDS[f"bar_icdr_{n}"]) for n in range(5)),
        ),
        Scale(
            "DME",
            ("Macular oedema", "黄斑水肿"),
            tuple((n, RETINA_WORDS[f"bar_dme_{n}"]) for n in range(3)),
        ),
        Scale(
            "CN1984",
            ("Stage, China 1984", "1984 年中国分期"),
            tuple((stage, (stage, ROMAN.get(stage, "无"))) for stage in CN_STAGES),
        ),
        Scale("referable", ("Referable", "需转诊"), _YES_NO),
        Scale("gradable", ("Gradable", "可分级"), _YES_NO),
    ),
    site=retina.RETINA,
)

_LUNG: Final = Choices(
    concepts=(
        Choice(lung.NODULE, ("Nodule", "结节")),
        _sct("4147007", "Mass", "肿块"),
        *(Choice(code, names) for code, names in OTHERS.items()),
    ),
    sites=(
        *(
            Choice(code, LUNG_WORDS[lobe.name.lower().replace("_", " ")])
            for lobe, code in lung.SITES.items()
        ),
        Choice(lung.LUNG, ("Lung", "肺")),
        _sct("72410000", "Mediastinum", "纵隔"),
        _sct("3120008", "Pleura", "胸膜"),
    ),
    sizes=(
        Size(lung.LONG_AXIS, "mm", ("Long axis", "长径")),
        Size(lung.SHORT_AXIS, "mm", ("Short axis", "短径")),
        Size(lung.MEAN_DIAMETER, "mm", ("Mean diameter", "平均径")),
    ),
    scales=(Scale("Lung-RADS", ("Lung-RADS", "Lung-RADS"), tuple((n, (n, n)) for n in ORDER)),),
    category=lung.MORPHOLOGY,
    site=lung.LUNG,
)

_HIPPOCAMPUS: Final = Choices(
    concepts=(
        Choice(brain.CONCEPTS["anterior"], ("Anterior hippocampus", "海马前部（海马头）")),
        Choice(
            brain.CONCEPTS["posterior"], ("Posterior hippocampus", "海马后部（海马体和海马尾）")
        ),
        Choice(brain.HIPPOCAMPUS, ("Hippocampus", "海马")),
    ),
    sites=(Choice(brain.HIPPOCAMPUS, ("Hippocampus", "海马")),),
    sizes=(Size(brain.VOLUME, "mm3", ("Volume", "体积")),),
    scales=(
        Scale(
            "side",
            ("Side", "侧别"),
            (
                ("left", ("Left", "左侧")),
                ("right", ("Right", "右侧")),
                ("unknown", ("Unknown", "未知")),
            ),
        ),
    ),
    category=brain.ANATOMY,
    site=brain.HIPPOCAMPUS,
)

_HEAD_NECK: Final = Choices(
    concepts=(
        *(Choice(each.concept, NAMES[key]) for key, each in ORGANS.items() if key not in PAIR),
        Choice(ORGANS[PAIR[0]].concept, ("Parotid gland", "腮腺")),  # the place tells the side
    ),
    sites=tuple(Choice(each.site, NAMES[key]) for key, each in ORGANS.items() if each.site),
    sizes=(Size(ORGAN_VOLUME, "cm3", ("Volume", "体积")),),
    category=ANATOMY,
)

_CHOICES: Final[Mapping[str, Choices]] = {
    "retina": _RETINA,
    "lung": _LUNG,
    "hippocampus": _HIPPOCAMPUS,
    "head_neck": _HEAD_NECK,
}
