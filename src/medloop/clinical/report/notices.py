"""What reading the files and judging the images remarked, in the reader's language.

English is the notice's own text; Chinese is looked up by its code and filled with its values.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from medloop.clinical.report.language import Language
from medloop.core.study import Notice

# Chinese by Notice.code, with {placeholders} for Notice.values.
Translations = Mapping[str, str]

# What says that an assessment is the reader's own; their value "scale" names it.
STATED: Final = frozenset({"reader-stated", "reader-stated-against"})

READING: Translations = {
    "series-split": "该序列含多个容积；此为 {part}，共 {slices} 层。",
    "parts-left-out": (
        "该序列含 {volumes} 个容积，读取最大者（{slices} 层），略去 {left_out} 层。"
    ),
    "duplicate-slices": "{slices} 层重复存储，已去除重复层。",
    "no-thickness": "仅有一层且未注明层厚，按 1 mm 处理。",
    "gantry-tilt": "机架倾斜 {tilt_deg:.1f}°，已重采样为垂直层面。",
    "slices-displaced": "层面侧向错位最大 {drift_mm:.1f} mm，已重采样。",
    "slices-missing": "缺少 {missing} 层（共 {slices} 层），已插值补齐。",
    "irregular-slices": (
        "层间距 {low_mm:.2f} 至 {high_mm:.2f} mm 不等，按 {gap_mm:.2f} mm 重采样。"
    ),
    "nifti-no-orientation": "NIfTI 文件未注明方位，左右可能颠倒。",
    "nifti-two-orientations": "NIfTI 的两种方位相差最大 {difference_mm:.2f} mm，采用 sform。",
    "nan-replaced": "{voxels} 个体素无有效值，已置为最小值 {value:g}。",
    "first-frame": "该对象含 {frames} 帧，仅读取第一帧。",
    "report_pdf_left_out": "未生成 PDF 报告。",
}

# Codes of what a reader stated against something that stands beside it begin with this.
CONTRADICTION: Final = "contradiction-"

# What a reader did with a result.
READERS: Translations = {
    "corrected-by-reader": (
        "阅片者已修改本结果：否定 {rejected} 项、修改 {changed} 项、新增 {added} 项发现。"
    ),
    "reader-stated": "{scale} {now} 由阅片医师给出（自动分析为 {was}）。",
    "reader-stated-against": (
        "{scale} {now} 由阅片医师给出（自动分析为 {was}；按修改后的发现依规则应为 {rule}）。"
    ),
    "reader-outline-kept": "发现 {number} 的数值由医师填写；其轮廓仍为自动勾画，未重新勾画。",
    "contradiction-referable": (
        "ICDR {icdr} 级、黄斑水肿 {dme} 级按规则无需转诊；医师设为需转诊。"
    ),
    "contradiction-not-referable": (
        "ICDR {icdr} 级、黄斑水肿 {dme} 级按规则需转诊；医师设为无需转诊。"
    ),
    "contradiction-four-class": ("四分级设为 {four} 级；按 ICDR {icdr} 级应为 {rule} 级。"),
    "contradiction-lesions": (
        "ICDR 设为 {icdr} 级；所列病变提示至少 {least} 级：请否定不存在的病变，或重新分级。"
    ),
    "contradiction-exudates": (
        "黄斑水肿设为 {dme} 级；所列硬性渗出提示 {rule} 级：请否定不存在的渗出，或重新分级。"
    ),
    "contradiction-stage": "ICDR {icdr} 级与 1984 年分期 {stage} 期不可能同时存在。",
    "contradiction-ungradable": "图像设为不可分级，却同时给出 {scales}。",
    "contradiction-landmarks": "视盘或中心凹已移动；病变的象限和距离仍为原值。",
    "contradiction-no-nodule": (
        "Lung-RADS 设为 {category} 类，但未列出任何结节：请添加结节，或设为 1 类。"
    ),
    "contradiction-volume": "{name} 设为 {now} mm³，其发现的测量值为 {rule} mm³。",
    "contradiction-sum": "海马整体体积为 {whole} mm³，两部分之和为 {parts} mm³。",
    "contradiction-side": "侧别设为 {now}；图像标注或扫描坐标为 {was}。",
}


def told(
    notices: Iterable[Notice], language: Language, translations: Translations | None = None
) -> tuple[str, ...]:
    """Tell each notice once, as a sentence; what has no translation stays English."""
    book = (
        {**READING, **READERS, **(translations or {})} if language is Language.CHINESE else {}
    )
    lines = (_translated(notice, book) or _sentence(notice.text) for notice in notices)
    return tuple(dict.fromkeys(line for line in lines if line))


def told_apart(
    notices: Iterable[Notice],
    language: Language,
    translations: Translations,
    *,
    alerts: Collection[str],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tell notices whose code is among `alerts`, and the others, as `told` does.

    What contradicts is an alert everywhere.
    """
    every = tuple(notices)
    loud = [each for each in every if each.code in alerts or is_contradiction(each)]
    quiet = [each for each in every if each not in loud]
    return told(loud, language, translations), told(quiet, language, translations)


def is_contradiction(notice: Notice) -> bool:
    """Whether a notice says that something a reader stated contradicts something else."""
    return notice.code.startswith(CONTRADICTION)


def _translated(notice: Notice, book: Translations) -> str:
    if notice.code not in book:
        return ""
    try:
        return book[notice.code].format(**dict(notice.values))
    except (KeyError, ValueError):  # the values changed since the translation was written
        return ""


def _sentence(text: str) -> str:
    """Begin with a capital, end with a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text[-1:] in ".!?" else ".")
