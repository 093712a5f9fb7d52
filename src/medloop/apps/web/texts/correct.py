"""What the reading page says about correcting findings and masks."""

from typing import Final

from medloop.clinical.report.language import Book

TEXTS: Final[Book] = {
    "correct.js.keys_findings": (
        "j, k: next, previous finding; a accept, r reject, e edit, n new, u undo",
        "j、k：下一个、上一个发现；a 接受，r 否定，e 编辑，n 新增，u 撤销",
    ),
    "correct.js.keys_mask": (
        "b brush, x eraser, c click to segment; [ and ]: radius; Esc: none",
        "b 画笔，x 橡皮，c 点选分割；[ 和 ]：半径；Esc：取消",
    ),
    "correct.js.keys_undo": (
        "Ctrl Z, Ctrl Y: undo, redo in the mask",
        "Ctrl Z、Ctrl Y：撤销、重做分割修改",
    ),
    "correct.js.findings": ("Findings", "发现"),
    "correct.js.none": ("No findings.", "未见异常发现。"),
    "correct.js.proposed": ("proposed", "待审"),
    "correct.js.accepted": ("accepted", "已接受"),
    "correct.js.rejected": ("rejected", "已否定"),
    "correct.js.changed": ("changed", "已修改"),
    "correct.js.added": ("added", "新增"),
    "correct.js.accept": ("Accept (a)", "接受 (a)"),
    "correct.js.reject": ("Reject (r)", "否定 (r)"),
    "correct.js.edit": ("Edit (e)", "编辑 (e)"),
    "correct.js.remove": ("Remove", "删除"),
    "correct.js.restore": ("As it was proposed", "恢复为原始结果"),
    "correct.js.add": ("New", "新增"),
    "correct.js.add_title": (
        "New finding: point at the image (n)",
        "新增发现：在图像上点选 (n)",
    ),
    "correct.js.point": (
        "Point at the finding in the image.",
        "请在图像上点选该发现的位置。",
    ),
    "correct.js.undo": ("Undo", "撤销"),
    "correct.js.redo": ("Redo", "重做"),
    "correct.js.undo_title": ("Take the last change back (u)", "撤销上一步修改 (u)"),
    "correct.js.stale": (
        "The reading was changed elsewhere and has been loaded again.",
        "该阅片记录已在别处修改，现已重新载入。",
    ),
    "correct.js.closed": (
        "This reading was handed in: it stays as it is.",
        "该阅片记录已提交，不能再修改。",
    ),
    "correct.js.barred": (
        "You know what the others say of this result: this reading stays as it is. "
        "You may decide between the others.",
        "您已知道其他医师对该结果的意见，此阅片记录不能再修改。您可以进行裁定。",
    ),
    "correct.js.concept": ("Finding", "发现"),
    "correct.js.site": ("Place", "部位"),
    "correct.js.no_site": ("not stated", "未注明"),
    "correct.js.its_segment": ("Its segment in the mask", "对应的分割标签"),
    "correct.js.no_segment": ("none", "无"),
    "correct.js.comment": ("Remark", "备注"),
    "correct.js.save": ("Save", "保存"),
    "correct.js.cancel": ("Cancel", "取消"),
    "correct.js.mask": ("Mask", "分割"),
    "correct.js.segments": ("Segments", "分割标签"),
    "correct.js.add_segment": ("+ Segment", "+ 标签"),
    "correct.js.add_segment_title": ("Begin a new segment", "新建分割标签"),
    "correct.js.segment_name": ("Name", "名称"),
    "correct.js.color": ("Color", "颜色"),
    "correct.js.add_it": ("Add", "添加"),
    "correct.js.tools": ("Tools", "工具"),
    "correct.js.brush": ("Brush", "画笔"),
    "correct.js.eraser": ("Eraser", "橡皮"),
    "correct.js.marks": ("Click to segment", "点选分割"),
    "correct.js.radius": ("Radius", "半径"),
    "correct.js.exact": ("Exact value", "精确数值"),
    "correct.js.pixels": ("pixels", "像素"),
    "correct.js.shape": ("Shape", "形状"),
    "correct.js.disc": ("Disc in this slice", "当前层面圆形"),
    "correct.js.ball": ("Ball through slices", "跨层球形"),
    "correct.js.range": ("Only intensities", "仅限灰度"),
    "correct.js.low": ("Lowest intensity", "最低灰度"),
    "correct.js.high": ("Highest intensity", "最高灰度"),
    "correct.js.range_pick": ("Pick", "取样"),
    "correct.js.range_pick_title": (
        "Take the range about a place in the image",
        "按图像中某处的灰度取范围",
    ),
    "correct.js.range_point": (
        "Point at the tissue that may be painted.",
        "请点选可绘制的组织。",
    ),
    "correct.js.cover": ("Paint over other segments", "可覆盖其他标签"),
    "correct.js.mark_is": ("A click marks", "点击标记"),
    "correct.js.inside": ("what belongs to it", "属于目标"),
    "correct.js.outside": ("what does not", "不属于目标"),
    "correct.js.reach": ("Reach of a click", "点击作用范围"),
    "correct.js.marks_hint": (
        "Click or scribble. With Alt or the right button a click marks the opposite. "
        "Further clicks refine the same object.",
        "单击或涂划。按住 Alt 或用右键则标记相反。后续点击继续修正同一目标。",
    ),
    "correct.js.new_object": ("Next object", "下一目标"),
    "correct.js.new_object_title": (
        "Clicks from now on draw another object",
        "此后的点击用于另一目标",
    ),
    "correct.js.undo_mask": ("Undo the last change of the mask", "撤销上一步分割修改"),
    "correct.js.redo_mask": ("Redo the change of the mask", "重做分割修改"),
    "correct.js.between": ("Fill between slices", "层间插值"),
    "correct.js.between_title": (
        "Fill the slices between those you painted",
        "在手工绘制的层面之间插值",
    ),
    "correct.js.draw_two": (
        "Paint this segment on two slices with a gap between them first.",
        "请先在两个不相邻的层面上绘制该标签。",
    ),
    "correct.js.painted_since": (
        "Painted or chosen anew meanwhile: nothing was filled. Press it again.",
        "其间标签或勾画已改变，未作插值；请再点一次。",
    ),
    "correct.js.fill": ("Fill holes", "填充孔洞"),
    "correct.js.fill_title": (
        "Fill what the segment encloses, slice by slice",
        "逐层填充标签内的孔洞",
    ),
    "correct.js.fill_space": ("Fill holes in 3-D", "三维填充"),
    "correct.js.fill_space_title": (
        "Fill what the segment encloses on all sides",
        "填充各方向均封闭的空腔",
    ),
    "correct.js.no_holes": ("There are no holes.", "没有孔洞。"),
    "correct.js.largest": ("Keep largest", "保留最大块"),
    "correct.js.largest_title": (
        "Keep the largest connected piece of the segment",
        "仅保留该标签最大的连通块",
    ),
    "correct.js.one_piece": ("The segment is one piece.", "该标签只有一块。"),
    "correct.js.small": ("Remove islands below", "去除小块，小于"),
    "correct.js.small_title": (
        "Remove pieces of fewer voxels than this",
        "去除少于该体素数的连通块",
    ),
    "correct.js.least": ("Voxels a piece must have", "连通块最少体素数"),
    "correct.js.none_small": ("No piece is smaller.", "没有更小的连通块。"),
    "correct.js.upload": ("Upload…", "上传…"),
    "correct.js.upload_title": (
        "Take a mask made elsewhere: NIfTI or DICOM SEG on the same voxels",
        "导入其他软件的分割：同一网格的 NIfTI 或 DICOM SEG",
    ),
    "correct.js.uploaded": ("The mask was taken over.", "分割已导入。"),
    "correct.js.save_first": (
        "What you painted is not saved yet, and stays here: "
        "no file is taken or given until it is.",
        "勾画尚未保存，仍保留在本页；保存之前不能导入或导出文件。",
    ),
    "correct.js.state_saved": ("Saved", "已保存"),
    "correct.js.state_unsaved": ("Not saved yet", "尚未保存"),
    "correct.js.state_saving": ("Saving…", "正在保存…"),
    "correct.js.state_failed": (
        "Not saved; it is tried again every 10 s.",
        "保存失败，每 10 秒重试。",
    ),
    "correct.js.state_conflict": (
        "Not saved: the mask was changed elsewhere.",
        "未保存：分割已在别处修改。",
    ),
    "correct.js.keep_mine": ("Save mine over it", "以我的为准"),
    "correct.js.take_theirs": ("Take the other", "采用对方版本"),
}
