"""What the pages of adjudication and agreement say."""

from typing import Final

from medloop.clinical.report.language import Book

TEXTS: Final[Book] = {
    "apart.js.note.read": (
        "{wanted} readers read this apart. Hand yours in when it is complete: the others' are "
        "shown when all are in.",
        "本结果由 {wanted} 位阅片者独立阅片。完成后请提交；全部提交后方可查看他人的意见。",
    ),
    "apart.js.note.adjudicate": (
        "This is an adjudication: hand it in, or sign it, and it counts.",
        "这是一份裁定：提交或签署后即以其为准。",
    ),
    "apart.js.hand_in": ("Hand in", "提交"),
    "apart.js.sure": ("Hand in for good: it stays as it is", "确认提交：提交后不可更改"),
    "apart.js.keep_first": (
        "What you drew or wrote is not saved: nothing can be handed in until it is.",
        "勾画或文字尚未保存，暂不能提交。",
    ),
    "apart.js.handed_in": ("Handed in: it stays as it is.", "已提交，不可更改。"),
    "apart.js.barred": (
        "You know what the others say, and cannot hand this reading in any more.",
        "您已知道他人的意见，不能再提交此阅片记录。",
    ),
    "apart.js.others": ("What the others say", "查看他人的意见"),
    "adjudicate.title": ("Adjudicate", "裁定"),
    "adjudicate.of": ("{analysis}, job {job}", "{analysis}，任务 {job}"),
    "adjudicate.intro": (
        "What the readers say, side by side. Take a side as a whole or one by one; what you "
        "decide is a reading of its own, and it is the one that counts.",
        "各阅片者的意见并列如下。可整体采纳一方，也可逐项采纳；裁定本身是一份独立的阅片记录，并以其为准。",
    ),
    "adjudicate.wait": (
        "{n} of {wanted} readings are in. Readers work apart: nobody sees another's reading "
        "before all are in.",
        "已提交 {n} 份，共需 {wanted} 份。各阅片者独立阅片："
        "全部提交之前，任何人都看不到他人的意见。",
    ),
    "adjudicate.own_first": (
        "Your own reading is open: hand it in first.",
        "您自己的阅片尚未提交：请先提交。",
    ),
    "adjudicate.read": ("Read it", "开始阅片"),
    "adjudicate.reader": ("Reader", "阅片者"),
    "adjudicate.state": ("State", "状态"),
    "adjudicate.state.open": ("open", "进行中"),
    "adjudicate.state.done": ("handed in", "已提交"),
    "adjudicate.purpose.read": ("reading", "阅片"),
    "adjudicate.purpose.adjudicate": ("adjudication", "裁定"),
    "adjudicate.take_all": ("Take all of {reader}", "整体采纳 {reader}"),
    "adjudicate.take_model": ("Take the analysis", "采纳分析结果"),
    "adjudicate.take": ("Take", "采纳"),
    "adjudicate.taken": ("taken", "已采纳"),
    "adjudicate.edit": ("Edit anew, or sign", "重新编辑或签署"),
    "adjudicate.hand_in": ("Hand the decision in", "提交裁定"),
    "adjudicate.hand_in_note": (
        "Once handed in it stays as it is; labels for training are taken from it. To sign a "
        "report of it, sign it on the reading page: that hands it in, too.",
        "提交后不可更改；训练所用标注将取自该裁定。如需签署报告，请在阅片页签署，签署即提交。",
    ),
    "adjudicate.decided": ("Decided by {reader}.", "已由 {reader} 裁定。"),
    "adjudicate.findings": ("Findings they differ about", "有分歧的发现"),
    "adjudicate.finding": ("Finding", "发现"),
    "adjudicate.mine": ("Decision", "裁定结果"),
    "adjudicate.differ": ("Differs in", "分歧项"),
    "adjudicate.alike": ("Findings on which all agree: {n}", "意见一致的发现：{n} 项"),
    "adjudicate.none": ("They agree on all findings.", "各方对所有发现意见一致。"),
    "adjudicate.grades": ("Grades", "分级"),
    "adjudicate.grade": ("Scale", "量表"),
    "adjudicate.agreed": ("agreed", "一致"),
    "adjudicate.differing": ("differ", "不一致"),
    "adjudicate.masks": ("Label maps", "分割标注"),
    "adjudicate.same_mask": (
        "All have the same label map.",
        "各方的分割标注相同。",
    ),
    "adjudicate.model": ("analysis", "分析结果"),
    "adjudicate.compare": ("Compare", "比较"),
    "adjudicate.with": ("with", "与"),
    "adjudicate.show": ("Show", "显示"),
    "adjudicate.slice": ("Slice", "层面"),
    "adjudicate.previous": ("Previous that differs", "上一处分歧"),
    "adjudicate.next": ("Next that differs", "下一处分歧"),
    "adjudicate.apart_here": ("{n} voxels differ in this slice", "该层面有 {n} 个体素不一致"),
    "adjudicate.js.apart_here": (
        "{n} voxels differ in this slice",
        "该层面有 {n} 个体素不一致",
    ),
    "adjudicate.picture": ("Differences drawn over the image", "叠加在图像上的分歧"),
    "adjudicate.only": ("only {reader}", "仅 {reader}"),
    "adjudicate.both": ("both, alike", "双方一致"),
    "adjudicate.both_other": ("both, as different segments", "双方均有，但类别不同"),
    "adjudicate.said.proposed": ("as proposed", "与建议一致"),
    "adjudicate.said.accepted": ("accepted", "已接受"),
    "adjudicate.said.rejected": ("rejected", "已否定"),
    "adjudicate.said.changed": ("changed", "已修改"),
    "adjudicate.said.added": ("added", "已添加"),
    "adjudicate.said.none": ("not there", "无"),
    "adjudicate.what.presence": ("whether it is there", "是否存在"),
    "adjudicate.what.concept": ("what it is", "性质"),
    "adjudicate.what.site": ("where it is said to be", "部位"),
    "adjudicate.what.measurements": ("measurements", "测量值"),
    "adjudicate.what.place": ("place", "位置"),
    "agreement.title": ("Agreement", "一致性"),
    "agreement.intro": (
        "How far readers agree with each other, with what was adjudicated, and with the "
        "analysis: on results whose readings are all in.",
        "阅片者彼此之间、与裁定结果以及与分析结果的一致程度；仅统计全部阅片均已提交的结果。",
    ),
    "agreement.small": (
        "With fewer than {few} results a figure is a first impression: the interval says more "
        "than the value, and two readers who differ once or twice can change it.",
        "结果少于 {few} 例时，数值仅为初步印象：区间比数值更有意义，一两次分歧即可使其改变。",
    ),
    "agreement.nothing": (
        "No reading is in yet. Figures appear when readings were handed in.",
        "尚无已提交的阅片。提交阅片后将显示数据。",
    ),
    "agreement.waiting": (
        "{n} results are still to be compared: load the page again.",
        "还有 {n} 个结果尚待比较：请刷新页面。",
    ),
    "agreement.todo": ("To adjudicate", "待裁定"),
    "agreement.todo_none": ("Nothing waits for a decision.", "没有待裁定的结果。"),
    "agreement.job": ("Result", "结果"),
    "agreement.analysis": ("Analysis", "分析"),
    "agreement.readers": ("Readers", "阅片者"),
    "agreement.differences": ("Differences", "分歧"),
    "agreement.open": ("Adjudicate", "裁定"),
    "agreement.missing": ("Waiting for readers", "等待阅片者"),
    "agreement.in": ("{n} of {wanted} in", "已提交 {n}/{wanted}"),
    "agreement.read": ("Read", "阅片"),
    "agreement.task": ("Task", "任务"),
    "agreement.who": ("Who", "双方"),
    "agreement.value": ("Agreement", "一致性"),
    "agreement.interval": ("95 % interval", "95% 区间"),
    "agreement.things": ("Compared", "比较数"),
    "agreement.results": ("Results", "结果数"),
    "agreement.remark": ("Remark", "备注"),
    "agreement.few": ("few", "例数少"),
    "agreement.one": ("one result: no interval", "仅 1 例：无区间"),
    "agreement.alone": ("one result: no kappa", "仅 1 例：无法计算 kappa"),
    "agreement.constant": (
        "one said the same throughout: kappa is 0",
        "一方始终给出同一意见：kappa 恒为 0",
    ),
    "agreement.unknown": ("all said the same: no kappa", "意见全部相同：无法计算 kappa"),
    "agreement.undrawn": ("nothing was drawn", "未作标注"),
    "agreement.all": ("all readers", "全体阅片者"),
    "agreement.model": ("analysis", "分析结果"),
    "agreement.adjudicated": ("adjudicated", "裁定结果"),
    "agreement.grade": ("{name}: kappa", "{name}：kappa"),
    "agreement.verdict": ("Accepting findings: kappa", "接受发现：kappa"),
    "agreement.findings": ("Findings: positive agreement", "发现：阳性一致率"),
    "agreement.mask": ("{name}: Dice", "{name}：Dice"),
    "agreement.gate": (
        "Labels of {analysis} are trained on while readers agree by {least} or more; others "
        "once they are adjudicated.",
        "{analysis} 的标注：阅片者一致性不低于 {least} 时可用于训练，其余须先裁定。",
    ),
    "agreement.how": ("How it is counted", "统计方法"),
    "agreement.how_grade": (
        "Grades: Cohen's kappa, the agreement beyond chance (1 full, 0 as by chance), with "
        "quadratic weights where grades have an order. All readers together: every pair counts "
        "both ways.",
        "分级：Cohen kappa，即超出偶然的一致性（1 为完全一致，0 与偶然无异）；"
        "有序分级采用二次加权。全体阅片者合计时，每一对按两个方向计入。",
    ),
    "agreement.how_findings": (
        "Findings: kappa of accepting or rejecting what was proposed; and positive agreement, "
        "twice the findings that both have over all that either has, added ones matched by "
        "place.",
        "发现：对建议发现接受或否定的 kappa；阳性一致率为双方共有发现数的两倍除以双方发现总数，"
        "新增发现按位置匹配。",
    ),
    "agreement.how_mask": (
        "Label maps: mean Dice over the segments of results in which one of the two drew, "
        "numbered ones together; where both left the analysis' labels as they were, nothing "
        "is counted.",
        "分割标注：在至少一方作过修改的结果中取各分割的 Dice 均值，带编号的同类分割合并统计；"
        "双方均保留分析标注的结果不计入。",
    ),
    "agreement.how_interval": (
        "Intervals: results are redrawn 1000 times (bootstrap), whole results, since findings "
        "of one image are alike.",
        "区间：以整个结果为单位重抽样 1000 次（bootstrap），因为同一图像中的发现彼此相关。",
    ),
}
