"""What the pages of users say."""

from typing import Final

from medloop.clinical.report.language import Book

TEXTS: Final[Book] = {
    "login.new_title": ("Choose your password", "设置密码"),
    "login.new_why": (
        "The password you were given works once. Choose your own now.",
        "您收到的是一次性密码，请现在设置自己的密码。",
    ),
    "login.once": ("The password you were given", "一次性密码"),
    "login.new": ("Your new password", "新密码"),
    "login.again": ("Once more", "再次输入"),
    "login.choose": ("Choose and sign in", "设置并登录"),
    "login.rule": (
        "{n} characters or more; several words that do not belong together are good.",
        "至少 {n} 个字符；建议使用几个互不相关的词。",
    ),
    "login.differ": ("The two new passwords are not the same.", "两次输入的新密码不一致。"),
    "login.weak": (
        "This password is too short, too long or easy to guess: take several words that do "
        "not belong together.",
        "密码过短、过长或容易猜到：请使用几个互不相关的词。",
    ),
    "login.same": ("Choose another one than you were given.", "新密码不能与一次性密码相同。"),
    "users.title": ("Users", "用户"),
    "users.name": ("Name", "用户名"),
    "users.full_name": ("Person's name", "姓名"),
    "users.full_name_help": (
        "Stands in signed reports. Family name, ^, given name; after = the same in ideographs: "
        "Li^Ming=李^明.",
        "用于已签名的报告。格式：姓^名，等号后为汉字：Li^Ming=李^明。",
    ),
    "users.claimed": (
        "The hospital's directory says {name}; what stands here goes before it.",
        "医院目录中为 {name}；以此处填写的为准。",
    ),
    "users.done.named": ("The name was changed.", "姓名已更改。"),
    "users.role": ("Role", "角色"),
    "users.state": ("State", "状态"),
    "users.state.active": ("active", "正常"),
    "users.state.disabled": ("disabled", "已停用"),
    "users.state.locked": ("locked until {at}", "锁定至 {at}"),
    "users.state.once": ("has a one-time password", "使用一次性密码"),
    "users.state.provider": ("hospital's account", "医院账号"),
    "users.state.no_password": ("no password", "无密码"),
    "users.here": ("Signed in", "登录状态"),
    "users.here_now": ("{n} browsers, last {at}", "{n} 个浏览器，最近 {at}"),
    "users.tokens": ("Tokens", "令牌"),
    "users.created": ("Added", "添加时间"),
    "users.add": ("Add a user", "添加用户"),
    "users.add_help": (
        "A person gets a password that works once, to choose one of their own. "
        "A service gets tokens.",
        "个人用户将获得一次性密码，用于首次登录并设置自己的密码；服务账户使用令牌。",
    ),
    "users.nobody": (
        "Nobody was added yet: whoever sits at this machine is administrator. Add an "
        "administrator first; from then on everybody signs in.",
        "尚无用户：目前在本机操作者即为管理员。请先添加一名管理员，此后所有人均须登录。",
    ),
    "users.provider": (
        "People of the hospital's directory are added when they first sign in.",
        "医院目录中的人员在首次登录时自动添加。",
    ),
    "users.change": ("Change", "更改"),
    "users.disable": ("Disable", "停用"),
    "users.enable": ("Enable", "启用"),
    "users.unlock": ("Unlock", "解锁"),
    "users.reset": ("Give a one-time password", "设置一次性密码"),
    "users.end": ("Sign out everywhere", "结束全部会话"),
    "users.label": ("What for", "用途"),
    "users.days": ("Days (0: without end)", "天数（0 为不限期）"),
    "users.issue": ("Make a token", "创建令牌"),
    "users.revoke": ("Revoke", "撤销"),
    "users.revoke_this": ("Revoke token {n}", "撤销令牌 {n}"),
    "users.expires": ("Opens until", "有效期至"),
    "users.used": ("Last used", "最近使用"),
    "users.never": ("never", "从未"),
    "users.endless": ("without end", "不限期"),
    "users.over": ("opens nothing any more", "已失效"),
    "users.no_tokens": ("No tokens.", "没有令牌。"),
    "users.once_shown": (
        "One-time password for {name}. Tell it now: it is not shown again. It is good for "
        "choosing a password of one's own.",
        "{name} 的一次性密码如下，仅显示这一次，请立即告知本人。首次登录时须设置自己的密码。",
    ),
    "users.token_shown": (
        "The new token of {name}. Keep it now: it is not shown again.",
        "{name} 的新令牌如下，仅显示这一次，请立即保存。",
    ),
    "users.done.added": ("The user was added.", "用户已添加。"),
    "users.done.role": (
        "The role was changed; sessions have ended.",
        "角色已更改，会话已结束。",
    ),
    "users.done.disabled": ("The user comes in no more.", "用户已停用。"),
    "users.done.enabled": ("The user may come in again.", "用户已启用。"),
    "users.done.unlocked": ("Wrong passwords are forgotten.", "已解锁。"),
    "users.done.ended": ("The user was signed out everywhere.", "该用户的全部会话已结束。"),
    "users.done.revoked": ("The token opens nothing any more.", "令牌已撤销。"),
}
