"""The two languages of reports: phrases, numbers, names, dates."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from medloop.core.study import Patient


class Language(StrEnum):
    """What a report is written in, as in ``--lang``."""

    ENGLISH = "en"
    CHINESE = "zh"


# Phrases by key: (English, Chinese), with {placeholders} for str.format.
Book = Mapping[str, tuple[str, str]]

FRAME: Book = {
    "page": ("page", "第"),
    "patient": ("Patient", "姓名"),
    "patient_id": ("Patient ID", "患者编号"),
    "sex": ("Sex", "性别"),
    "sex_M": ("male", "男"),
    "sex_F": ("female", "女"),
    "sex_O": ("other", "其他"),
    "born": ("Born", "出生日期"),
    "age": ("{years} y at study", "检查时 {years} 岁"),
    "study_date": ("Study date", "检查日期"),
    "accession": ("Accession no.", "检查号"),
    "subject": ("Examined", "检查部位"),
    "study": ("Study", "检查"),
    "unknown": ("not stated", "未提供"),
    "conclusion": ("Conclusion", "结论"),
    "recommendation": ("Suggested next step (decision support)", "处理建议（辅助决策）"),
    "grading": ("Grading", "分级"),
    "alert": ("Please check", "请注意核对"),
    "warnings": ("Notices", "提示"),
    "quality": ("Image quality", "图像质量"),
    "limits": ("Limits of use", "使用限制"),
    "provenance": ("Provenance", "结果来源"),
    "analysis": ("Analysis", "分析模块"),
    "weights": ("Model", "模型"),
    "input": ("Input SHA-256", "输入 SHA-256"),
    "image_uid": ("Image UID", "图像 UID"),
    "analyzed": ("Analyzed", "分析时间"),
    "printed": ("Report written", "报告生成"),
    "software": ("Software", "软件"),
    "signature": ("Reviewed by a physician", "医师审核"),
    "agree": ("Agree", "同意"),
    "disagree": ("Disagree:", "不同意："),
    "physician": ("Name", "医师姓名"),
    "sign": ("Signature", "签名"),
    "date": ("Date", "日期"),
    "review": ("Reader's review of the automatic findings", "医师对自动结果的审核"),
    "judged": ("Reader", "医师意见"),
    "proposed_by": ("Proposed by the analysis", "自动分析"),
    "now": ("In this report", "本报告"),
    "verdict_proposed": ("not looked at", "未审核"),
    "verdict_accepted": ("accepted", "接受"),
    "verdict_rejected": ("rejected", "否定"),
    "verdict_changed": ("changed", "修改"),
    "verdict_added": ("added", "新增"),
    "redrawn": ("outline redrawn", "轮廓重绘"),
    "stated": ("stated by the reader", "医师给出"),
    "unreviewed": (
        "Automatic findings neither accepted nor rejected: {count}.",
        "{count} 项自动发现未经接受或否定。",
    ),
    "own_conclusion": (
        "The conclusion is the reader's own text.",
        "结论由医师撰写。",
    ),
    "addendum": ("Addendum", "补充报告"),
    "meaning_preliminary": ("Preliminary report", "初步报告"),
    "meaning_final": ("Final report", "正式报告"),
    "meaning_addendum": ("Final report with addendum", "正式报告（含补充）"),
    "draft": ("Draft, not signed", "草稿，未签名"),
    "draft_of": ("Draft of {reader}, not signed", "{reader} 的草稿，未签名"),
    "signed_status": (
        "{meaning}, version {version}, signed by {signer}, {at}",
        "{meaning}，第 {version} 版，{signer} 于 {at} 签名",
    ),
    "unsigned_box": (
        "Not signed. This is a preview: it may not be used or passed on.",
        "未签名。此为预览，不得使用或传发。",
    ),
    "signed_as": ("Electronically signed", "电子签名"),
    "signed_by": ("Signed by", "签名医师"),
    "signed_organization": ("Organization", "机构"),
    "signed_at": ("Date and time", "签名时间"),
    "signed_meaning": ("Meaning", "签名含义"),
    "signed_version": ("Version", "版本"),
    "signed_sha": ("SHA-256 of what was signed", "签名内容 SHA-256"),
    "signed_limit": (
        "A physician has compared these findings with the images and signed this report. Sizes "
        "and categories that the physician did not change were computed by software.",
        "本报告经医师对照原始图像审核并签名；医师未修改的测量值及分类由软件计算。",
    ),
    "preliminary_limit": (
        "Preliminary: a physician has looked at it; the final report may differ.",
        "初步报告：医师已初步审阅，正式报告可能有所不同。",
    ),
    "preliminary": (
        "Computer-generated, not signed",
        "计算机自动生成，未经医师签名",
    ),
    "not_diagnosis": (
        "This report is decision support, not a diagnosis. It is valid only after a physician "
        "has compared it with the image and the patient and signed it.",
        "本报告仅供辅助决策，不是诊断。须经医师结合原始图像及患者情况核对并签名后方可使用。",
    ),
    "plain_title": ("Image analysis report: {analysis}", "影像分析报告：{analysis}"),
    "plain_headline": ("{count} findings.", "共 {count} 项发现。"),
    "plain_none": ("No findings.", "未见异常发现。"),
    "findings": ("Findings", "发现"),
    "finding": ("Finding", "发现"),
    "site": ("Site", "部位"),
    "measured": ("Measurements", "测量值"),
    "probability": ("Probability", "概率"),
    "assessments": ("Assessments", "评估"),
    "value": ("Value", "数值"),
    "image": ("Image", "原始图像"),
    "overlay": ("Findings outlined", "发现标注"),
    "axial": ("Axial", "横断面"),
    "coronal": ("Coronal", "冠状面"),
    "sagittal": ("Sagittal", "矢状面"),
    "heat_map": ("What the decision rests on", "决策依据热力图"),
    "low": ("weak", "弱"),
    "high": ("strong", "强"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
}


def say(book: Book, key: str, language: Language, **values: str | float) -> str:
    """Look up a phrase and fill in its numbers.

    Raises
    ------
    KeyError
        If the book has no such phrase, or a value for it is missing.
    """
    english, chinese = book[key]
    text = chinese if language is Language.CHINESE else english
    return text.format(**values) if values else text


def percent(share: float, language: Language) -> str:
    """Write 0.714 as ``71 %``, in Chinese without the (unbreaking) space.

    Never 0 or 100 % for what is neither.
    """
    gap = "" if language is Language.CHINESE else "\u00a0"
    value = 100 * share
    if 0 < value < 0.5:
        return f"<{gap}1{gap}%"
    if 99.5 < value < 100:
        return f">{gap}99{gap}%"
    return f"{value:.0f}{gap}%"


def person(patient: Patient, language: Language) -> str:
    """Name a patient; empty if unknown."""
    return person_name(patient.name, language)


def person_name(name: str, language: Language) -> str:
    """Write a DICOM person name (PS3.5 section 6.2.1) as people do; empty if unknown.

    The ideographic group is preferred in Chinese, the alphabetic one in English.
    """
    alphabetic, *others = name.split("=")
    ideographic = others[0] if others else ""
    chosen = ideographic if language is Language.CHINESE and ideographic else alphabetic
    chosen = chosen if chosen.strip("^ ") else ideographic
    parts = [part.strip() for part in chosen.split("^")]
    family, given = parts[0], " ".join(part for part in parts[1:3] if part)
    if not (family and given):
        return family or given
    is_cjk = all("\u3400" <= letter <= "\u9fff" for letter in family + given)
    return family + given if is_cjk else f"{family}, {given}"


def day(date: str) -> str:
    """Write a DICOM date (YYYYMMDD) as ISO 8601; anything else stays as it is."""
    moment = _parse_day(date)
    return f"{moment:%Y-%m-%d}" if moment else date


def age_years(born: str, at: str) -> int | None:
    """Completed years between two DICOM dates, or None where one is missing or wrong."""
    start, end = _parse_day(born), _parse_day(at)
    if start is None or end is None or end < start:
        return None
    return end.year - start.year - ((end.month, end.day) < (start.month, start.day))


def moment(at: datetime) -> str:
    """Date and minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _parse_day(date: str) -> datetime | None:
    try:
        return datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
