"""What the page of destinations says; answers of others stand there as they were given."""

from typing import Final

from medloop.clinical.report.language import Book

TEXTS: Final[Book] = {
    "destinations.title": ("Destinations", "发送目标"),
    "destinations.intro": (
        "Where results go. They are named in the settings file; a delivery that fails is "
        "tried again, every hour in the end and for {days} days, before it counts as failed.",
        "结果的发送目标，由设置文件指定。发送失败后系统会反复重试"
        "（最终每小时一次，持续 {days} 天），之后才记为失败。",
    ),
    "destinations.none": (
        "No destination is set up: results stay on this node. A [[destination]] in the "
        "settings file sends them on.",
        "尚未设置发送目标，结果仅保存在本节点。可在设置文件中用 [[destination]] 添加。",
    ),
    "destinations.unknown": (
        "no longer in the settings file",
        "设置文件中已不存在",
    ),
    "destinations.kind.dicom": ("DICOM (C-STORE)", "DICOM（C-STORE）"),
    "destinations.kind.dicomweb": ("DICOMweb (STOW-RS)", "DICOMweb（STOW-RS）"),
    "destinations.kind.folder": ("folder", "文件夹"),
    "destinations.kind.webhook": ("webhook", "Webhook"),
    "destinations.kind.hl7": ("HL7 v2", "HL7 v2"),
    "destinations.kind.fhir": ("FHIR", "FHIR"),
    "destinations.analyses": ("Gets", "接收"),
    "destinations.every": ("every analysis", "全部分析"),
    "destinations.waiting": ("waiting", "等待中"),
    "destinations.sending": ("sending", "发送中"),
    "destinations.done": ("delivered", "已送达"),
    "destinations.failed": ("failed", "失败"),
    "destinations.arrived": ("last success", "最近成功"),
    "destinations.never": ("never", "从未"),
    "destinations.ask": ("Ask for a sign of life", "测试连接"),
    "destinations.ask_this": ("Ask {name} for a sign of life", "测试与 {name} 的连接"),
    "destinations.retry": ("Send again", "重新发送"),
    "destinations.retry_this": (
        "Send job {n} again to {name}",
        "将任务 {n} 重新发送至 {name}",
    ),
    "destinations.retry_all": ("Send all {n} again", "全部重新发送（{n}）"),
    "destinations.late": ("Not arrived yet, tried again", "尚未送达，正在重试"),
    "destinations.next": ("next try", "下次尝试"),
    "destinations.why": ("What did not arrive", "未送达的结果"),
    "destinations.how.echo": ("C-ECHO", "C-ECHO"),
    "destinations.how.http": ("HTTP", "HTTP"),
    "destinations.how.connection": ("connection", "网络连接"),
    "destinations.how.folder": ("writing", "写入权限"),
    "destinations.well": ("answers ({how}, {at})", "有应答（{how}，{at}）"),
    "destinations.ill": (
        "does not answer as it should ({how}, {at})",
        "应答异常（{how}，{at}）",
    ),
    "destinations.done.asked": ("The answer stands beside the destination.", "测试结果见下。"),
    "destinations.done.retried": ("It is sent again.", "已重新排队发送。"),
}
