"""What refusals and reasons say in Chinese; programs, and English pages, get them as raised.

Rooms below speak English only, since they know no page. So a refusal is found here by its
English words, at the one place where it becomes an answer; and so is a reason that was stored,
such as why an analysis was skipped.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from medloop.apps.web.cards import Said, figure_name
from medloop.apps.web.texts import book, text
from medloop.apps.web.texts.reasons import REASONS, WORDS
from medloop.clinical.report.language import Language

# By the English words, with {names} for what varies; a value that has a name of its own in the
# books, such as a state or a role, is given in Chinese.
CHINESE: Final[Mapping[str, str]] = {
    # signing in, roles, pages that are old
    "sign in, or send a token": "请登录，或使用令牌",
    "your role, {role}, does not grant to {permission}": "您的角色（{role}）无权执行此操作",
    "the page is too old: load it again (its CSRF token is gone)": (
        "页面已过期：请重新载入（CSRF 令牌已失效）"
    ),
    "sent by a page of another site: refused": "请求来自其他网站的页面，已拒绝",
    "too many requests: wait and try again": "请求过于频繁：请稍后重试",
    "your account has no role here: ask an administrator": (
        "您的账户在本节点没有角色：请联系管理员"
    ),
    "the sign-in provider sent no identity": "登录服务未返回身份信息",
    "the sign-in provider's answer does not hold": "登录服务的应答无效",
    "the sign-in provider refused: start again": "登录服务拒绝了请求：请重新登录",
    "the sign-in provider let nobody in: start again": "登录服务未准许登录：请重新登录",
    "this sign-in was not begun here, or long ago: start again": (
        "此次登录并非由本页发起，或已超时：请重新登录"
    ),
    # passwords and users
    "a password is changed by whoever signed in with it": "密码只能由以其登录者本人更改",
    "the password until now is wrong, or its user is locked": "原密码有误，或该用户已被锁定",
    "a password has {shortest} to {longest} characters, got {count}": (
        "密码长度须为 {shortest} 至 {longest} 个字符，当前为 {count} 个"
    ),
    "this password is easy to guess: take several words that do not belong": (
        "该密码过于简单：请使用若干互不相关的词语"
    ),
    "there is no such user": "没有此用户",
    "there is no user {name}": "没有用户 {name}",
    "there is a user {name} already": "用户 {name} 已存在",
    "this user has no such token": "该用户没有此令牌",
    "a user's name has 1 to 64 letters, digits and . _ @ + -": (
        "用户名须为 1 至 64 个字母、数字或 . _ @ + -"
    ),
    "the first user is an administrator: nobody else could add more": (
        "首位用户须为管理员：否则无人可添加其他用户"
    ),
    "{name} is the last administrator: make another one first": (
        "{name} 是最后一位管理员：请先设置另一位管理员"
    ),
    "{name} signs in with the hospital's account, without a password": (
        "{name} 使用医院账户登录，没有密码"
    ),
    # readings
    "readers work apart: hand in your own reading first": (
        "各阅片者独立阅片：请先提交自己的阅片"
    ),
    "the reading is somebody else's: begin one of your own": (
        "该阅片属于他人：请开始您自己的阅片"
    ),
    "you decide between the others here: read something else": (
        "您负责裁定该结果，不能再对其阅片：请选择其他结果"
    ),
    "you have seen what the others say: adjudicate instead": (
        "您已看过他人的意见，不能再独立阅片：可进行裁定"
    ),
    "readings are not all in: adjudicate when they are": "阅片尚未全部提交：提交后方可裁定",
    "the reading was handed in: it stays as it is": "该阅片已提交，不可更改",
    "reading {number} was handed in; it stays as it is": "阅片 {number} 已提交，不可更改",
    "this adjudication was handed in: it stays as it is": "该裁定已提交，不可更改",
    "the reading is at edit {number} by now": "该阅片已更新至第 {number} 次修改：请重新载入",
    "it is at edit {number} by now": "内容已更新至第 {number} 次修改：请重新载入",
    "there is no reading {number}": "没有编号为 {number} 的阅片",
    "there is no reading of this name": "没有该阅片者的阅片",
    "there is no reading of this name to take": "没有可采纳的该阅片者的意见",
    "there is nothing of this kind to take": "没有可采纳的此类内容",
    "there is no such finding": "没有此发现",
    "there is no slice {number}": "没有第 {number} 层",
    "version {number} of reading {reading} has not failed": (
        "阅片 {reading} 的版本 {number} 并未失败"
    ),
    "there is no such document of this reading": "该阅片没有此文件",
    "the document is gone": "该文件已不存在",
    # masks
    "the mask is not gzipped whole": "分割文件的压缩数据不完整",
    "the mask's {differs} of the volume: draw on volume.nii": (
        "分割与图像的网格不一致（{differs}）：请在 volume.nii 上勾画"
    ),
    "the mask of a picture is sent as PNG": "照片的分割须为 PNG",
    "the mask is {own} pixels, the picture {other}": "分割为 {own} 像素，照片为 {other} 像素",
    "the mask's PNG is damaged": "分割的 PNG 已损坏",
    "the mask has colors; labels are gray values": "分割含有彩色；标签须为灰度值",
    "the mask holds label {label}; there are {known}: add a finding with that segment first": (
        "分割含有标签 {label}，现有标签为 {known}：请先新增该分割"
    ),
    "the mask is empty": "分割为空",
    "a mask of this image has at most {limit} MB": "此图像的分割最多为 {limit} MB",
    "the mask holds {low} to {high}; labels are 0 to {most}": (
        "分割的数值为 {low} 至 {high}；标签须为 0 至 {most}"
    ),
    "the mask holds values between whole numbers; labels are whole": (
        "分割含有非整数值；标签须为整数"
    ),
    "the file has {count} labels, a mask at most {most}: is it an image?": (
        "文件含 {count} 个标签，分割最多 {most} 个：请确认不是图像"
    ),
    "the volume did not come as DICOM: take the mask as NIfTI": (
        "原图像不是 DICOM：请以 NIfTI 导出分割"
    ),
    "nothing is labeled": "没有任何标注",
    "the segmentation is of another frame of reference": "该分割属于另一参考坐标系",
    "the DICOM segmentation cannot be read": "无法读取该 DICOM 分割",
    "the segmentation does not lie on this image": "该分割与此图像不对应",
    "the segmentation is {own} pixels, the picture {other}": (
        "分割为 {own} 像素，照片为 {other} 像素"
    ),
    # studies, jobs, models, files
    "no such study has arrived": "没有收到此检查",
    "job {number} has no result": "任务 {number} 没有结果",
    "there is no job {number}": "没有任务 {number}",
    "there is no such job": "没有此任务",
    "job {number} is {state}; only what waits or runs can be canceled": (
        "任务 {number} 的状态为“{state}”；只能取消等待中或运行中的任务"
    ),
    "job {number} is {state}; only one that failed is tried again": (
        "任务 {number} 的状态为“{state}”；只能重试失败的任务"
    ),
    "job {number} is {state}; only one that waits has a priority": (
        "任务 {number} 的状态为“{state}”；只有等待中的任务可设优先级"
    ),
    "job {number} has changed just now; look again": "任务 {number} 刚刚发生变化：请刷新",
    "job {number} has nothing to read: {reason}": "任务 {number} 没有可读取的内容：{reason}",
    "job {number} was corrected by a reader; its result stays": (
        "任务 {number} 的结果已由阅片者修改，予以保留"
    ),
    "there is no such result": "没有此结果",
    "the result is no longer kept": "该结果已不再保存",
    "the job is about a photograph: ask for its picture": "该任务的对象是照片",
    "the job is about a volume: ask for volume.nii": "该任务的对象是三维图像",
    "the result has no such heat map": "该结果没有此热图",
    "the result has no heat map of a volume": "该结果没有三维热图",
    "the result labels no voxels": "该结果没有分割标注",
    "there is no model of this name": "没有此名称的模型",
    "no destination of this name is set up": "没有此名称的发送目标",
    "a day is written 2026-03-01": "日期格式为 2026-03-01",
    "no viewer is installed here: medloop viewer install": (
        "本节点未安装查看器：medloop viewer install"
    ),
    "the viewer has no such file": "查看器没有此文件",
    "NiiVue is not installed: medloop viewer install niivue": (
        "未安装 NiiVue：medloop viewer install niivue"
    ),
    "no such file": "没有此文件",
    "send the files as multipart/form-data": "请以 multipart/form-data 发送文件",
    "the form has no file": "表单中没有文件",
    "body is larger than {limit} MB: send less at once": (
        "内容超过 {limit} MB：请减少单次发送的内容"
    ),
    "body exceeds the limit of {limit} MiB": "内容超过 {limit} MiB 的上限",
    "body has more than {most} parts": "单次发送不得超过 {most} 个文件",
    "something went wrong here (incident {number})": "系统内部出错（事件 {number}）",
}
_NAMES: Final = ("jobs.state", "shell.role")
_LISTS: Final = {"why": ("; ", "；"), "names": (", ", "、"), "held": (", ", "、")}
_ONE_WORD: Final = ("file", "keyword", "group", "element")
_CHINESE_LETTER: Final = re.compile("[\u3400-\u9fff]")


def reason_in(language: Language, said: str) -> Said:
    """Say a stored reason in a language; in English where nobody has written its Chinese."""
    words = chinese(said) if language is Language.CHINESE else None
    return Said(words, "zh-Hans") if words else Said(said, "en")


def in_words_of(language: Language, said: str, status: int) -> str:
    """Say a refusal in a language; one that has no Chinese words says its kind before them."""
    if language is not Language.CHINESE or _CHINESE_LETTER.search(said):
        return said
    known = chinese(said)
    if known is not None:
        return known
    key = f"error.title.{status}"
    kind = text(key if key in book() else "error.title.other", language)
    return f"{kind}：{said}"


def chinese(said: str) -> str | None:
    """Return what a refusal or a reason says in Chinese; None if nobody has written it."""
    plain = CHINESE.get(said) or REASONS.get(said)
    if plain:
        return plain
    for pattern, words in _patterns():
        if found := pattern.fullmatch(said):
            return words.format(**{k: _valued(k, v) for k, v in found.groupdict().items()})
    return None


def _valued(key: str, value: str) -> str:
    """Say in Chinese what stands for a name of a pattern; each part, if it is a list."""
    if key == "figure":
        return figure_name(value, Language.CHINESE)
    if key == "reason":
        return chinese(value) or value
    if key not in _LISTS:
        return _named(value)
    apart, joined = _LISTS[key]
    return joined.join(chinese(part) or _by_word(part) for part in value.split(apart))


def _by_word(part: str) -> str:
    """Name what a list holds: ``CT volume`` is CT 三维图像."""
    return WORDS.get(part) or " ".join(WORDS.get(word, word) for word in part.split()).replace(
        " （", "（"
    )


def _named(value: str) -> str:
    """Give a value its name in Chinese if the books have one."""
    keys = (f"{begin}.{value}" for begin in _NAMES)
    known = WORDS.get(value, value)
    return next((text(key, Language.CHINESE) for key in keys if key in book()), known)


def _valuable(name: re.Match[str]) -> str:
    """Match what stands for a name: one word for some, else as much as can be."""
    return rf"(?P<{name[1]}>\S+)" if name[1] in _ONE_WORD else f"(?P<{name[1]}>.+)"


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (re.compile(re.sub(r"\\{(\w+)\\}", _valuable, re.escape(english))), words)
        for english, words in (*CHINESE.items(), *REASONS.items())
        if "{" in english
    )
