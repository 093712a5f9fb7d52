"""What the page of the audit trail says; deeds stand there as they were written."""

from typing import Final

from medloop.clinical.report.language import Book

TEXTS: Final[Book] = {
    "audit.title": ("Audit trail", "审计日志"),
    "audit.intro": (
        "Who did what, when. Rows are only ever added; each is sealed by the hash of all "
        "before it.",
        "记录谁在何时做了什么。记录只增不改，每条均以此前全部记录的哈希值封存。",
    ),
    "audit.find": ("Find rows", "查找记录"),
    "audit.number": ("No.", "编号"),
    "audit.at": ("When", "时间"),
    "audit.actor": ("Who", "操作者"),
    "audit.action": ("Did", "操作"),
    "audit.subject": ("To what", "对象"),
    "audit.details": ("Details", "详情"),
    "audit.since": ("From", "起始日期"),
    "audit.until": ("Until", "截止日期"),
    "audit.nothing": ("No row fits.", "没有符合条件的记录。"),
    "audit.export": ("These rows as CSV", "导出为 CSV"),
    "audit.verify": ("Check the chain now", "立即校验哈希链"),
    "audit.whole": (
        "Whole when it was checked by {who}, {at}",
        "{at} 由 {who} 校验，记录完整",
    ),
    "audit.broken": (
        "Not whole when it was checked by {who}, {at}",
        "{at} 由 {who} 校验，记录不完整",
    ),
    "audit.unchecked": ("Nobody has checked the chain yet.", "尚未校验过哈希链。"),
    "audit.head": ("Head of the chain", "链首哈希"),
    "audit.done.verified": (
        "The chain is whole: no row was changed, removed or put between.",
        "哈希链完整：没有记录被更改、删除或插入。",
    ),
    "audit.done.broken": (
        "The chain is not whole. Keep the database aside and compare it with a backup.",
        "哈希链不完整。请保全数据库，并与备份比对。",
    ),
}
