"""What the page of a study says."""

from typing import Final

from medloop.clinical.report.language import Book

TEXTS: Final[Book] = {
    "study.title": ("Study", "检查"),
    "study.nameless": ("No name", "无姓名"),
    "study.no_id": ("no patient ID", "无患者编号"),
    "study.sex.M": ("male", "男"),
    "study.sex.F": ("female", "女"),
    "study.sex.O": ("other", "其他"),
    "study.born": ("born {date}", "出生于 {date}"),
    "study.analyses": ("Analyses", "分析"),
    "study.job.waiting": ("waiting", "排队中"),
    "study.job.running": ("running", "分析中"),
    "study.job.sending": ("being sent", "发送中"),
    "study.job.done": ("to read", "待阅片"),
    "study.job.skipped": ("not suitable", "不适用"),
    "study.job.failed": ("failed", "失败"),
    "study.job.reviewed": ("reviewed", "已审核"),
    "study.read": ("Read", "阅片"),
    "study.retry": ("Try again", "重试"),
    "study.report": ("Report (PDF)", "报告（PDF）"),
    "study.sr": ("SR", "SR"),
    "study.seg": ("SEG", "SEG"),
    "study.rtstruct": ("RTSTRUCT", "RTSTRUCT"),
    "study.no_analysis": (
        "No analysis of this node suits the study.",
        "本节点没有适用于该检查的分析。",
    ),
    "study.arriving": (
        "The study is still arriving; analyses begin once it is quiet.",
        "检查仍在接收中；接收完成后开始分析。",
    ),
    "study.series": ("Series ({count})", "序列（{count}）"),
    "study.thumbnail": ("Small picture of {name}", "{name} 缩略图"),
    "study.images": ("{count} images", "{count} 幅图像"),
    "study.no_series": ("No series yet.", "尚无序列。"),
    "study.about": ("About", "检查信息"),
    "study.date": ("Study date", "检查日期"),
    "study.description": ("Description", "描述"),
    "study.accession": ("Accession no.", "检查号"),
    "study.objects": ("Objects", "对象数"),
    "study.elsewhere": ("Open elsewhere", "用其他软件打开"),
    "study.ohif": ("Open in OHIF", "用 OHIF 打开"),
    "study.no_viewer": ("OHIF is not installed here:", "此处未安装 OHIF："),
    "study.slicer": ("In 3D Slicer", "用 3D Slicer 打开"),
    "study.slicer.how": (
        "Give these addresses to the modules DICOMweb and MONAI Label, with a token of yours.",
        "在 DICOMweb 与 MONAI Label 模块中填写以下地址，并使用您的令牌。",
    ),
    "study.priors": ("Other studies of the patient", "该患者的其他检查"),
    "study.no_priors": ("none known here", "未找到"),
}
