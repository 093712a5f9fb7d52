"""What the pages of models say; cards are in the language of whoever wrote them."""

from typing import Final

from medloop.clinical.report.language import Book

TEXTS: Final[Book] = {
    "models.title": ("Models", "模型"),
    "models.intro": (
        "What analyzes here: what each network is for, how good it was where it was measured, "
        "and which version is used.",
        "本节点使用的模型：用途、已测得的性能，以及正在使用的版本。",
    ),
    "models.model": ("Model", "模型"),
    "models.for": ("Analysis", "分析模块"),
    "models.version": ("Version", "版本"),
    "models.kind": ("Comes from", "来源"),
    "models.kind.shipped": ("shipped", "随软件提供"),
    "models.kind.installed": ("installed", "本地安装"),
    "models.figure": ("Main figure (95 % interval)", "主要指标（95 % 区间）"),
    "models.about": ("About", "基本信息"),
    "models.precision": ("Precision", "精度"),
    "models.precision.auto": ("fastest measured here", "本机实测最快"),
    "models.precision.fp32": ("FP32", "FP32"),
    "models.precision.bf16": ("BF16", "BF16"),
    "models.precision.int8": ("INT8", "INT8"),
    "models.int8": ("INT8 twin", "INT8 版本"),
    "models.yes": ("yes", "有"),
    "models.no": ("no", "无"),
    "models.in_use": ("in use", "使用中"),
    "models.damaged": ("damaged", "已损坏"),
    "models.intended": ("Intended use", "预期用途"),
    "models.must_not": ("Must not be used for", "不得用于"),
    "models.limits": ("Limits", "局限性"),
    "models.data": ("Trained on", "训练数据"),
    "models.license": ("License", "许可"),
    "models.figures": ("Figures", "性能指标"),
    "models.name": ("Figure", "指标"),
    "models.value": ("Value", "数值"),
    "models.interval": ("95 % interval", "95 % 区间"),
    "models.cases": ("Cases", "例数"),
    "models.zero_one": ("0 to 1", "0 至 1"),
    "models.how": ("Measured: {how}", "测量方法：{how}"),
    "models.point": ("Operating point", "工作点"),
    "models.point_any": (
        "counts as found from a probability of {n}",
        "概率达到 {n} 时视为检出",
    ),
    "models.point_class": ("{name}: from {n}", "{name}：自 {n}"),
    "models.point_largest": ("the most probable class", "取概率最大的类别"),
    "models.measured": ("Measured on this machine", "本机实测"),
    "models.versions": ("Versions", "版本"),
    "models.id": ("Id", "标识"),
    "models.weights": ("SHA-256 of the weights", "权重 SHA-256"),
    "models.promote": ("Use this version", "启用此版本"),
    "models.promote_this": ("Use version {version} ({id})", "启用版本 {version}（{id}）"),
    "models.rollback": ("Back to the version before", "回退到上一版本"),
    "models.restart": (
        "Workers that run take a change up before their next job; each result names the "
        "version that it is by.",
        "正在运行的工作进程在下一个任务前启用更改；每个结果均注明所用版本。",
    ),
    "models.log": ("Who chose what", "变更记录"),
    "models.at": ("When", "时间"),
    "models.who": ("Who", "操作者"),
    "models.did": ("Did", "操作"),
    "models.from": ("From", "原版本"),
    "models.to": ("To", "新版本"),
    "models.done.promoted": ("This version is in use now.", "已启用此版本。"),
    "models.done.rolled_back": (
        "The version before is in use again.",
        "已回退到上一版本。",
    ),
}
