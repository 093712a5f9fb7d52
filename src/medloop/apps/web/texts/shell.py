"""What stands around every page, and the pages to sign in and of errors."""

from typing import Final

from medloop.clinical.report.language import Book

TEXTS: Final[Book] = {
    "nav.label": ("Pages", "页面"),
    "nav.worklist": ("Worklist", "工作列表"),
    "nav.agreement": ("Agreement", "一致性"),
    "nav.models": ("Models", "模型"),
    "nav.jobs": ("Jobs", "任务"),
    "nav.audit": ("Audit trail", "审计日志"),
    "nav.users": ("Users", "用户"),
    "nav.destinations": ("Destinations", "发送目标"),
    "nav.system": ("System", "系统"),
    "shell.skip": ("Skip to content", "跳到正文"),
    "shell.display": ("Display", "显示"),
    "shell.language": ("Language", "语言"),
    "shell.theme": ("Theme", "主题"),
    "shell.system": ("As the system", "跟随系统"),
    "shell.light": ("Light", "浅色"),
    "shell.dark": ("Dark", "深色"),
    "shell.local": ("This machine", "本机"),
    "shell.sign_out": ("Sign out", "退出登录"),
    "shell.role.viewer": ("viewer", "查看者"),
    "shell.role.reader": ("reader", "阅片医师"),
    "shell.role.annotator": ("annotator", "标注者"),
    "shell.role.administrator": ("administrator", "管理员"),
    "shell.role.service": ("service", "服务账户"),
    "shell.limits": (
        "Decision support, not a diagnosis: not for primary diagnosis. Compare every result "
        "with the images and the patient.",
        "仅供辅助决策，不是诊断，不得用于首次诊断。每项结果须结合原始图像及患者情况核对。",
    ),
    "shell.version": ("medloop {version}", "medloop {version}"),
    "shell.js.offline": (
        "The server does not answer: check the network. What you see may be old.",
        "服务器无响应：请检查网络。当前显示的内容可能已过时。",
    ),
    "shell.js.signed_out": (
        "Your session has ended: sign in again.",
        "会话已结束：请重新登录。",
    ),
    "shell.js.sign_in_beside": (
        "Your session has ended, and what you drew or wrote here is not saved yet: leave this "
        "page open and sign in again beside it. It is saved then.",
        "会话已结束，此页的勾画或文字尚未保存：请勿关闭本页，在新标签页中重新登录，"
        "登录后将自动保存。",
    ),
    "shell.js.sign_in": ("Sign in in another tab", "在新标签页登录"),
    "shell.js.old": (
        "Your session has ended: what you see may be old.",
        "会话已结束，当前显示的内容可能已过时。",
    ),
    "shell.js.enter": ("Sign in again", "重新登录"),
    "shell.js.failed": ("This did not work ({status}).", "操作未成功（{status}）。"),
    "shell.js.stale": (
        "Somebody else was faster: load the page again.",
        "他人已先行修改：请重新载入页面。",
    ),
    "shell.js.large": ("This is too large to send at once.", "内容过大，无法一次发送。"),
    "shell.js.often": ("Too many requests: wait a moment.", "请求过于频繁：请稍候。"),
    "shell.js.broken": (
        "The server has a problem: try again in a minute, then tell an administrator.",
        "服务器出现问题：请稍后重试；若持续出现，请联系管理员。",
    ),
    "login.title": ("Sign in", "登录"),
    "login.name": ("Name", "用户名"),
    "login.password": ("Password", "密码"),
    "login.enter": ("Sign in", "登录"),
    "login.provider": ("Sign in with the hospital's account", "使用医院账号登录"),
    "login.wrong": (
        "Name or password is wrong, or there were too many tries: "
        "check both, or wait a minute.",
        "用户名或密码有误，或尝试次数过多：请核对，或稍等一分钟。",
    ),
    "login.help": (
        "No account or a lost password? An administrator of this node can help.",
        "没有账号或忘记密码时，请联系本节点的管理员。",
    ),
    "error.title.400": ("This request cannot be understood", "无法理解该请求"),
    "error.title.401": ("Sign in first", "请先登录"),
    "error.title.403": ("You may not open this", "您没有权限"),
    "error.title.404": ("There is nothing at this address", "该地址没有内容"),
    "error.title.405": ("This address does not do that", "该地址不支持此操作"),
    "error.title.409": ("Somebody else was faster", "他人已先行修改"),
    "error.title.413": ("This is too large", "内容过大"),
    "error.title.422": ("Some values do not fit", "部分数值不符合要求"),
    "error.title.429": ("Too many requests", "请求过于频繁"),
    "error.title.500": ("Something went wrong here", "系统内部出错"),
    "error.title.503": ("Not available for the moment", "暂时不可用"),
    "error.title.other": ("This did not work", "操作未成功"),
    "error.advice.400": (
        "Go back and correct what was entered.",
        "请返回并更正所填内容。",
    ),
    "error.advice.401": ("Sign in, then open this page again.", "请登录后再打开此页面。"),
    "error.advice.403": (
        "Ask an administrator if your role should be another.",
        "如需更改角色，请联系管理员。",
    ),
    "error.advice.404": (
        "Check the address; the worklist shows what is there.",
        "请核对地址；工作列表中可查看现有检查。",
    ),
    "error.advice.405": ("Open the worklist and go on from there.", "请从工作列表继续。"),
    "error.advice.409": ("Go back and load the page again.", "请返回并重新载入页面。"),
    "error.advice.413": ("Send less at once.", "请减少单次发送的内容。"),
    "error.advice.422": (
        "Go back and correct the values that are named.",
        "请返回并更正所指出的数值。",
    ),
    "error.advice.429": ("Wait a minute, then try again.", "请等待一分钟后重试。"),
    "error.advice.500": (
        "Tell an administrator the number of this incident; the log has more.",
        "请将事件编号告知管理员；日志中有详细记录。",
    ),
    "error.advice.503": (
        "Try again in a minute; if it lasts, tell an administrator.",
        "请稍后重试；若持续出现，请联系管理员。",
    ),
    "error.advice.other": (
        "Open the worklist and go on from there.",
        "请从工作列表继续。",
    ),
    "error.details": ("What was said", "详细信息"),
    "error.worklist": ("To the worklist", "返回工作列表"),
}
