"""What the reading page says about reports: conclusion, preview, signature, versions."""

from typing import Final

from medloop.clinical.report.language import Book

TEXTS: Final[Book] = {
    "report.refused.local": (
        "Nobody has signed in here, so nobody can sign. Add a user first: "
        "medloop users add NAME --role reader, then sign in.",
        "当前无人登录，无法签名。请先添加用户（medloop users add 用户名 --role reader），"
        "再登录。",
    ),
    "report.refused.token": (
        "Reports are signed by a person who signed in, not with a token.",
        "报告须由登录用户本人签名，不能使用令牌。",
    ),
    "report.refused.unproven": (
        "Your account has no password here, and this node asks no sign-in provider about it: "
        "ask an administrator for a password.",
        "您的账号在本节点没有密码，也没有可供核实身份的统一认证：请向管理员申请密码。",
    ),
    "report.refused.by_provider": (
        "Your account has no password here: you sign by signing in anew at your hospital's "
        "sign-in page, to which the report's page leads.",
        "您的账号在本节点没有密码：请在报告页面签名，系统将引导您到统一认证页面重新登录。",
    ),
    "report.refused.by_password": (
        "Your account has a password here: sign with it.",
        "您的账号在本节点设有密码：请使用密码签名。",
    ),
    "report.unsigned.title": ("Nothing was signed", "未签名"),
    "report.unsigned.back": ("Back to the report", "返回报告"),
    "report.unsigned.gone": (
        "What you wanted to sign waits here for ten minutes, for the browser in which you "
        "pressed sign, and once. Open the report and sign again.",
        "待签内容仅保留十分钟，且只能在点击签名的浏览器中使用一次。请打开报告重新签名。",
    ),
    "report.unsigned.cancelled": (
        "The sign-in page did not let you in, or you cancelled. Sign again when you are ready.",
        "统一认证未通过，或您已取消。如需签名，请重新操作。",
    ),
    "report.unsigned.untrusted": (
        "The answer of the sign-in provider does not hold. Sign again; if it happens again, "
        "tell an administrator.",
        "统一认证的应答无效。请重新签名；如再次出现，请联系管理员。",
    ),
    "report.unsigned.away": (
        "The sign-in provider cannot be reached. Sign again in a minute; if it lasts, tell an "
        "administrator.",
        "无法连接统一认证。请稍后重新签名；如持续出现，请联系管理员。",
    ),
    "report.unsigned.another": (
        "Somebody else signed in at the sign-in page than here. A report is signed by whoever "
        "reads it: sign again with your own account.",
        "在统一认证登录的不是当前用户。报告只能由本人签署：请用您自己的账号重新签名。",
    ),
    "report.unsigned.old": (
        "The sign-in provider did not ask you to sign in anew just now, and that is your "
        "signature. Sign again and sign in there; if it does not ask, tell an administrator.",
        "统一认证未在刚才要求您重新登录，而重新登录即为签名。请重新签名并在该页面登录；"
        "如页面未要求登录，请联系管理员。",
    ),
    "report.unsigned.session": (
        "Your session here has ended, or your role has changed. Sign in, open the report, and "
        "sign again.",
        "您在本节点的会话已结束，或角色已更改。请登录后打开报告重新签名。",
    ),
    "report.refused.role": (
        "Your role does not grant to sign reports.",
        "您的角色没有签署报告的权限。",
    ),
    "report.refused.reader": (
        "This reading is somebody else's: sign one of your own.",
        "该阅片由他人完成：请签署您自己的阅片。",
    ),
    "report.refused.password": (
        "The password is wrong, or there were too many tries: check it, or wait a minute. "
        "Nothing was signed.",
        "密码有误，或尝试次数过多：请核对或稍候。未签名。",
    ),
    "report.refused.final": (
        "The final report is signed: only an addendum can follow.",
        "正式报告已签署，只能追加补充报告。",
    ),
    "report.refused.early": (
        "An addendum follows a final report, which is not signed yet.",
        "补充报告须在正式报告签署之后。",
    ),
    "report.refused.empty": (
        "Write what the addendum says.",
        "请填写补充报告内容。",
    ),
    "report.refused.text": (
        "The addendum has characters that no report can show, such as those of control: "
        "type it anew.",
        "补充报告含有无法显示的字符（如控制字符）：请重新输入。",
    ),
    "report.refused.in": (
        "The reading was handed in without a report: it stays as it is.",
        "该阅片已提交且未签署报告，不能再更改。",
    ),
    "report.refused.apart": (
        "Several readers read this apart: the adjudication is signed, not a single reading.",
        "该结果由多名医师独立阅片：只签署裁定结果，不签署单次阅片。",
    ),
    "report.refused.stale": (
        "The reading has changed since this page was loaded: look at it again, then sign.",
        "阅片内容已有更改：请重新查看后再签名。",
    ),
    "report.refused.changed": (
        "Since you looked at the report, what it rests on has changed: {parts}. Nothing was "
        "signed: look at it again, then sign.",
        "自您查看报告后，其依据已有变更：{parts}。未签名：请重新查看后再签名。",
    ),
    "report.part.result": ("the result of the analysis", "分析结果"),
    "report.part.prior": ("the earlier study or its report", "既往检查或其报告"),
    "report.part.edits": ("corrections", "修改内容"),
    "report.part.mask": ("the mask", "勾画"),
    "report.part.conclusion": ("the conclusion", "结论"),
    "report.part.rules": ("the rules of this node", "本节点的规则"),
    "report.part.report": ("findings or sentences", "发现或语句"),
    "report.js.title": ("Report", "报告"),
    "report.js.generated": ("Generated from the findings", "根据发现自动生成"),
    "report.js.conclusion": ("Conclusion", "结论"),
    "report.js.hint": (
        "The report takes the generated conclusion unless you write your own.",
        "如不另行撰写，报告采用自动生成的结论。",
    ),
    "report.js.own": ("Your own text", "医师撰写"),
    "report.js.stands": ("Generated text", "自动生成"),
    "report.js.write": ("Write my own", "自行撰写"),
    "report.js.take": ("Take over the generated text", "采用自动生成内容"),
    "report.js.drop": ("Discard my text", "放弃自撰内容"),
    "report.js.stale": (
        "Findings changed after you wrote this: check that it still holds.",
        "撰写结论后发现有更改：请核对结论是否仍然成立。",
    ),
    "report.js.saving": ("Saving…", "正在保存…"),
    "report.js.saved": ("Saved", "已保存"),
    "report.js.unsaved": ("Not saved", "未保存"),
    "report.js.keep_first": (
        "What you drew or wrote is not saved: nothing can be signed until it is.",
        "勾画或文字尚未保存，暂不能签名。",
    ),
    "report.js.show_first": (
        "What you drew or wrote is not saved: the preview would not show it. It is tried again "
        "by itself.",
        "勾画或文字尚未保存，预览将不包含这些内容。系统会自动重试保存。",
    ),
    "report.js.preview": ("Preview", "预览"),
    "report.js.alone": ("Open alone", "单独打开"),
    "report.js.close": ("Close", "关闭"),
    "report.js.sign": ("Sign…", "签名…"),
    "report.js.sign_title": ("Sign the report", "签署报告"),
    "report.js.meaning": ("Meaning", "签名含义"),
    "report.js.preliminary": ("Preliminary report", "初步报告"),
    "report.js.final": ("Final report", "正式报告"),
    "report.js.addendum": ("Addendum", "补充报告"),
    "report.js.about.preliminary": (
        "You have looked at it; the final report may differ. It is sent as preliminary.",
        "已初步审阅，正式报告可能不同；以初步报告状态发送。",
    ),
    "report.js.about.final": (
        "You answer for it. It is sent as verified; only addenda can follow.",
        "由您负责，以已核实状态发送；此后只能追加补充报告。",
    ),
    "report.js.about.addendum": (
        "It is added to the final report, and sent with it as a new version.",
        "附于正式报告之后，作为新版本发送。",
    ),
    "report.js.language": ("Language of the report", "报告语言"),
    "report.js.addendum_text": ("What the addendum says", "补充内容"),
    "report.js.password": ("Your password", "您的密码"),
    "report.js.as": (
        "You sign as {name}. The password is your signature.",
        "签名者：{name}。输入密码即为签名。",
    ),
    "report.js.as_provider": (
        "You sign as {name}. Your hospital's sign-in page asks you to sign in once more: that "
        "is your signature. What you see now is what is signed.",
        "签名者：{name}。系统将转到统一认证页面，请重新登录：登录即为签名，签署内容为当前所见。",
    ),
    "report.js.go_sign": ("Sign in and sign", "登录并签名"),
    "report.js.unjudged": (
        "Automatic findings that are neither accepted nor rejected: {count}. They will be in "
        "the report as they are.",
        "{count} 项自动发现未经接受或否定，将原样写入报告。",
    ),
    "report.js.cancel": ("Cancel", "取消"),
    "report.js.do_sign": ("Sign", "签名"),
    "report.js.signing": ("Signing…", "正在签名…"),
    "report.js.signed": ("Signed: version {number}", "已签名：第 {number} 版"),
    "report.js.versions": ("Signed versions", "已签版本"),
    "report.js.none": ("Nothing signed yet.", "尚未签名。"),
    "report.js.version": ("Version {number}", "第 {number} 版"),
    "report.js.by": ("{signer}, {at}", "{signer}，{at}"),
    "report.js.state.waiting": ("documents are being made", "正在生成文档"),
    "report.js.state.issuing": ("documents are being made", "正在生成文档"),
    "report.js.state.failed": ("documents could not be made", "文档生成失败"),
    "report.js.state.sending": ("being sent", "正在发送"),
    "report.js.state.sent": ("sent to {names}", "已发送至 {names}"),
    "report.js.state.unsent": ("not delivered to {names}", "未能发送至 {names}"),
    "report.js.state.kept": ("filed", "已归档"),
    "report.js.again": ("Try again", "重试"),
}
