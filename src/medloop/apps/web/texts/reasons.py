"""Why something was not done, in Chinese: analyses skipped, documents not made, no INT8 twin.

By the English words, with {names} for what varies. `{why}` holds reasons of its own, joined by
semicolons; `{names}` and `{held}` are lists, joined by commas; `{figure}` is a card's;
`{file}`, `{keyword}`, `{group}` and `{element}` are one word.
"""

from collections.abc import Mapping
from typing import Final

REASONS: Final[Mapping[str, str]] = {
    # what becomes of a job
    "quarantined: {count} workers were lost on it, the last: {why}": (
        "已隔离：{count} 个工作进程在此任务上异常终止，最后一次：{why}"
    ),
    "gave up after {count} attempts: {why}": "尝试 {count} 次后放弃：{why}",
    "gave up after {count} workers were lost": "{count} 个工作进程异常终止后放弃",
    "gave up: {why}": "已放弃：{why}",
    "attempt {count} of {most}: {why}": "第 {count} 次尝试（共 {most} 次）：{why}",
    "worker lost: {why}": "工作进程异常终止：{why}",
    "its lease ran out": "租约到期",
    "killed by signal {number}": "被信号 {number} 终止",
    "ended with exit code {number}": "以退出码 {number} 结束",
    "took longer than {limit} s": "耗时超过 {limit} 秒",
    "canceled by {name}: {said}": "由 {name} 取消：{said}",
    "canceled by {name}": "由 {name} 取消",
    "internal error: {kind}": "内部错误：{kind}",
    "the result has no DICOM object for it": "该结果没有可发送至此目标的 DICOM 对象",
    "nothing in the study is for {analysis}": "该检查中没有适合 {analysis} 的图像",
    # which series of a study an analysis reads
    "no axial {region} CT in the study: {why}": "检查中没有可用的{region}轴位 CT：{why}",
    "no T1-weighted MR volume in the study: {why}": (
        "检查中没有可用的 T1 加权 MR 三维图像：{why}"
    ),
    "no photograph in the study: {held}": "检查中没有照片，只有：{held}",
    "modality {modality}, not {wanted}": "模态为 {modality}，不是 {wanted}",
    "body part {part}, not {region}": "检查部位为 {part}，不是{region}",
    "described as {word}, not T1": "序列描述为 {word}，不是 T1",
    "{plane} slices, not axial": "{plane}层面，不是轴位",
    "{word}, not a plain reconstruction": "{word}，不是常规重建图像",
    "{held}, not a volume": "{held}，不是三维图像",
    "without pixels": "不含像素",
    "{modality} without pixels": "{modality} 不含像素",
    "slices {size} mm thick, the limit is {limit} mm": "层厚 {size} mm，上限为 {limit} mm",
    "slices {size} mm apart, the limit is {limit} mm": "层间距 {size} mm，上限为 {limit} mm",
    "slices cover {size} mm, at least {least} mm are needed": (
        "层面覆盖 {size} mm，至少需要 {least} mm"
    ),
    "{modality} holds no image": "{modality} 不含图像",
    # volumes
    "a picture, not a CT volume": "是照片，不是 CT 三维图像",
    "a picture, not an MR volume": "是照片，不是 MR 三维图像",
    "values in {unit}, not in HU": "数值单位为 {unit}，不是 HU",
    "values are not in HU: {share} are of air, a CT has {least} or more": (
        "数值不是 HU：空气占 {share}，CT 至少为 {least}"
    ),
    "slices {size} mm and pixels {pixel} mm apart exceed {most} and {widest} mm": (
        "层间距 {size} mm、像素间距 {pixel} mm，超过上限 {most} mm 与 {widest} mm"
    ),
    "{count} slices of {size} mm, at least {least} slices of {side} mm are needed": (
        "{count} 层，每层 {size} mm；至少需要 {least} 层，每层 {side} mm"
    ),
    "{count} slices, at least {least} are needed": "{count} 层，至少需要 {least} 层",
    "Values are 1024 too high: the rescale intercept is missing": (
        "数值偏高 1024：缺少重缩放截距（Rescale Intercept）"
    ),
    "Values are inverted: air is brighter than tissue": "数值反转：空气比组织更亮",
    "Values are not in HU: no peaks of air and soft tissue": (
        "数值不是 HU：未见空气与软组织的峰"
    ),
    # the hippocampus
    "too coarse to measure a hippocampus: voxels {size} mm apart exceed {most} mm": (
        "分辨率不足以测量海马：体素间距 {size} mm，超过 {most} mm"
    ),
    "volume of {size} mm has a side over {most} mm; cut out the region around one "
    "hippocampus, about {region} mm": (
        "三维图像为 {size} mm，有一边超过 {most} mm；请截取一侧海马周围的区域，约 {region} mm"
    ),
    "volume of {size} mm has a side under {least} mm; cut out the region around one "
    "hippocampus, about {region} mm": (
        "三维图像为 {size} mm，有一边不足 {least} mm；请截取一侧海马周围的区域，约 {region} mm"
    ),
    "no MR image: {count} different values, an MR image has {least} or more": (
        "不是 MR 图像：只有 {count} 个不同的数值，MR 图像至少有 {least} 个"
    ),
    "no hippocampus found: no voxel of the volume is labelled": "未找到海马：没有体素被标注",
    # head and neck
    "{count} of {most} organs at risk found: no CT of head and neck": (
        "{most} 个危及器官中仅找到 {count} 个：不是头颈部 CT"
    ),
    "no head and neck: {size} mm of slices are as narrow as a head or neck, at least "
    "{least} mm are needed": (
        "未见头颈部：宽度与头或颈相符的层面仅 {size} mm，至少需要 {least} mm"
    ),
    # lungs
    "no lungs found: {why}": "未找到肺：{why}",
    "not enough lung: {size} mm of lung along the body, {least} mm are needed": (
        "肺的范围不足：沿身体长轴 {size} mm，需要 {least} mm"
    ),
    "the volume shows no body": "图像中未见人体",
    "the volume is in {unit}, not in HU": "图像的单位为 {unit}，不是 HU",
    "the volume is only {size} voxels": "图像只有 {size} 个体素",
    "no air in the body, the lowest is {lowest} HU": "人体内无空气，最低值为 {lowest} HU",
    "no part of the body reads as lung": "人体内没有符合肺的部分",
    # photographs
    "not a color fundus photograph: {why}": "不是彩色眼底照片：{why}",
    "a volume": "是三维图像",
    "the picture is gray, color difference {value} is under {least}": (
        "照片为灰度，颜色差异 {value}，低于 {least}"
    ),
    "the picture is gray": "照片为灰度",
    "nothing is lit": "照片全暗",
    "field of {size} px is under {least} px": "视野为 {size} 像素，小于 {least} 像素",
    "{share} of a field is seen, under {least}": "仅见视野的 {share}，低于 {least}",
    "gray, color difference {value} under {least}": "灰度，颜色差异 {value}，低于 {least}",
    "red > green > blue in {share} of it, under {least}": (
        "红 > 绿 > 蓝的部分占 {share}，低于 {least}"
    ),
    "hue spread {value} exceeds {most}": "色调离散度 {value}，超过 {most}",
    "red to green {value} without a dark frame is under {least}": (
        "无暗色边框，红绿比 {value}，低于 {least}"
    ),
    "red to green {value} is under {least}": "红绿比 {value}，低于 {least}",
    "texture {value} without a dark frame exceeds {most}": (
        "无暗色边框，纹理 {value}，超过 {most}"
    ),
    "texture {value} exceeds {most}": "纹理 {value}，超过 {most}",
    "no structure: {value} is under {least}": "无结构：{value}，低于 {least}",
    "noise without structure: {value}": "仅有噪声而无结构：{value}",
    "vessels {value} radii long without a dark frame are under {least}": (
        "无暗色边框，血管长度为半径的 {value} 倍，低于 {least}"
    ),
    "vessels {value} radii long are under {least}": (
        "血管长度为半径的 {value} 倍，低于 {least}"
    ),
    # documents of what was signed
    "no longer what was signed: {names}; look at it and sign again": (
        "与签署时不一致：{names}；请查看后重新签署"
    ),
    "what was signed has schema {schema}": "签署内容的格式为 {schema}，无法识别",
    "what was signed cannot be read": "无法读取签署的内容",
    "images are in a PACS that is not this node's archive": (
        "图像保存在 PACS 中，而本节点并不以其为存档"
    ),
    "study holds {found} of the {count} objects to read": (
        "所需的 {count} 个对象中，检查只有 {found} 个"
    ),
    "labels are {own}, the volume {other}": "标签为 {own}，图像为 {other}",
    "archive lacks object {digest}": "存档中缺少对象 {digest}",
    "archived object {digest} is damaged, now {found}": (
        "存档中的对象 {digest} 已损坏，现为 {found}"
    ),
    "archive cannot be read: {system}": "无法读取存档：{system}",
    "archive cannot be written: {system}": "无法写入存档：{system}",
    "file cannot be read: {system}": "无法读取文件：{system}",
    "result folder cannot be read: {system}": "无法读取结果文件夹：{system}",
    "result folder cannot be written: {system}": "无法写入结果文件夹：{system}",
    "cache cannot be written: {system}": "无法写入缓存：{system}",
    "PACS holds no object of the study": "PACS 中没有该检查的对象",
    "PACS did not send {lost} of {count} objects": "PACS 未发送 {count} 个对象中的 {lost} 个",
    "a figure could not be compressed": "无法压缩插图",
    "there is no issue {number}": "没有编号为 {number} 的签署文件",
    "issue {number} was taken over while it was made": "签署文件 {number} 已由其他进程接手",
    "there is no finding {key}": "没有编号为 {key} 的发现",
    "edit {number} cannot be read: {system}": "无法读取第 {number} 次修改：{system}",
    "finding {key} was added: there is nothing to accept": "发现 {key} 为新增，无需接受",
    "finding {key} was added: remove it": "发现 {key} 为新增：请直接移除",
    "finding {key} was added: there is nothing to restore": "发现 {key} 为新增，无需恢复",
    "finding {key} was proposed by the analysis: reject it": (
        "发现 {key} 由分析提出：请予以否定"
    ),
    "the next added finding is {key}, not {other}": "下一个新增的发现为 {key}，不是 {other}",
    "reading {number} is at edit {edit}, the {what} {known}": (
        "阅片 {number} 已更新至第 {edit} 次修改，请重新载入"
    ),
    "reading {number} was signed a moment ago": "阅片 {number} 刚刚已签署",
    "reading {number}: final report, an addendum needs one": (
        "阅片 {number}：补充报告须以正式报告为前提"
    ),
    "reading {number}: final report, only an addendum follows": (
        "阅片 {number}：正式报告之后只能签署补充报告"
    ),
    # files that cannot be read
    "cannot be read: {system}": "无法读取：{system}",
    "slice {file}: {why}": "层面 {file}：{why}",
    "holds no DICOM object: neither class, modality nor image in it": (
        "不含 DICOM 对象：既无类别，也无模态或图像"
    ),
    "DICOMDIR lists other files; it holds no image": "DICOMDIR 只列出其他文件，不含图像",
    "DICOM file is damaged: {why}": "DICOM 文件已损坏：{why}",
    "DICOM file is truncated: it ends after {count} bytes": (
        "DICOM 文件不完整：仅有 {count} 字节"
    ),
    "DICOM header is damaged: {why}": "DICOM 文件头已损坏：{why}",
    "DICOM header names no object, study or series": "DICOM 文件头未标明对象、检查或序列",
    "DICOM image header is damaged: {why}": "DICOM 图像头已损坏：{why}",
    "deflated DICOM file has no usable file meta group": (
        "压缩的 DICOM 文件缺少可用的文件元信息"
    ),
    "deflated DICOM file inflates to more than the limit of {limit} MiB": (
        "压缩的 DICOM 文件解压后超过 {limit} MiB 的上限"
    ),
    "deflated DICOM file is damaged": "压缩的 DICOM 文件已损坏",
    "functional groups are damaged ({why})": "功能组已损坏（{why}）",
    "{count} frames without functional groups: no frame has a position": (
        "{count} 帧没有功能组：各帧均无位置"
    ),
    "{count} frames, but {found} functional groups": "{count} 帧，但有 {found} 个功能组",
    "modality lookup table is damaged ({why})": "模态查找表已损坏（{why}）",
    "image cannot be shown ({why})": "图像无法显示（{why}）",
    "image holds {count} frames, not frame {number}": "图像有 {count} 帧，没有第 {number} 帧",
    "floating-point pixels are no photograph": "浮点像素不是照片",
    "{photometric} image holds {kind} values; 8 or 16 bit are read": (
        "{photometric} 图像的数值类型为 {kind}；可读取 8 或 16 位"
    ),
    "holds no pixel data": "不含像素数据",
    "holds floating-point pixels": "含浮点像素，无法读取",
    "compressed frame is damaged: its own header cannot be read": (
        "压缩帧已损坏：无法读取其自身的文件头"
    ),
    "compressed frame is damaged: it is no well-formed lossless JPEG": (
        "压缩帧已损坏：不是完好的无损 JPEG"
    ),
    "compressed frame is {own} pixels, the header says {other}": (
        "压缩帧为 {own} 像素，文件头为 {other}"
    ),
    "JPEG-LS frame is damaged (CharLS error {code})": "JPEG-LS 帧已损坏（CharLS 错误 {code}）",
    "no decoder for {syntax} is installed": "未安装 {syntax} 的解码器",
    "pixels cannot be decoded ({syntax}): damaged, or no installed decoder reads them": (
        "无法解码像素（{syntax}）：数据已损坏，或已安装的解码器均不支持"
    ),
    "pixels cannot be decoded ({syntax}): {why}": "无法解码像素（{syntax}）：{why}",
    "image has {samples} samples of {bits} bits; 1, 3 or 4 of 1 to 32 are read": (
        "图像每像素 {samples} 个采样、{bits} 位；可读取 1、3 或 4 个 1 至 32 位的采样"
    ),
    "image holds {size} GB in {frames} frames; the limit is {limit} GB": (
        "图像共 {frames} 帧、{size} GB，上限为 {limit} GB"
    ),
    "image is {size} pixels; the limit is {side} pixels a side and {most} million in all": (
        "图像为 {size} 像素；每边上限 {side} 像素，总计 {most} 百万像素"
    ),
    "image is {size} pixels": "图像为 {size} 像素",
    "image is truncated: {held} bytes of {needed}": (
        "图像不完整：{needed} 字节中仅有 {held} 字节"
    ),
    "image promises {frames} frames in {count} bytes": (
        "图像声明有 {frames} 帧，却只有 {count} 字节"
    ),
    "slice is {own}, the first one {other}": "有层面为 {own}，而第一层为 {other}",
    "volume holds {size} GB; the limit is {limit} GB": (
        "三维图像为 {size} GB，上限为 {limit} GB"
    ),
    "{count} slices lie where another lies, and differ: several acquisitions?": (
        "{count} 层与其他层位置相同而内容不同：可能为多次采集"
    ),
    "{lost} of {count} slices are missing, {run} in a row; the limit is {most} and {longest} "
    "in a row": (
        "{count} 层中缺少 {lost} 层，连续缺少 {run} 层；上限为 {most} 层，连续 {longest} 层"
    ),
    "{lost} of {count} slices lack a usable {element}": (
        "{count} 层中有 {lost} 层缺少可用的 {element}"
    ),
    "ImageOrientationPatient is not two perpendicular unit vectors": (
        "ImageOrientationPatient 不是两个相互垂直的单位向量"
    ),
    "PixelSpacing is {size} mm, not positive": "PixelSpacing 为 {size} mm，不是正数",
    "slice gaps run from {least} to {most} mm; the limit is a factor of {limit}": (
        "层间距为 {least} 至 {most} mm；上限为 {limit} 倍"
    ),
    "slices lie beside each other, not behind each other": "各层左右并列，而非前后排列",
    "it ends too early": "过早结束",
    "it asks for more memory than there is": "所需内存超过现有内存",
    "its sequences are nested too deep": "序列嵌套过深",
    "its elements cannot be read, or do not fit together": "数据元素无法读取或相互矛盾",
    "{keyword} ({group},{element}) is missing": "缺少 {keyword}（{group},{element}）",
    "{keyword} ({group},{element}) cannot be read": "无法读取 {keyword}（{group},{element}）",
    "({group},{element}) is missing": "缺少（{group},{element}）",
    "({group},{element}) cannot be read": "无法读取（{group},{element}）",
    # room to write
    "disk cannot be reached: {system}": "无法访问磁盘：{system}",
    "disk is read-only": "磁盘为只读",
    "disk is full: under {free} MB free": "磁盘已满：可用空间不足 {free} MB",
    # INT8 twins
    "{figure} {fp32} in FP32, {int8} in INT8 with {kept} of {count} operations in FP32; it may "
    "fall by {most}": (
        "{figure}：FP32 为 {fp32}，INT8 为 {int8}（{count} 个运算中 {kept} 个保留 FP32）；"
        "允许下降 {most}"
    ),
    "not measured yet": "尚未测量",
}
# Values that have a name in Chinese.
WORDS: Final[Mapping[str, str]] = {
    "chest": "胸部",
    "head and neck": "头颈部",
    "axial": "轴位",
    "coronal": "冠状位",
    "sagittal": "矢状位",
    "oblique": "斜位",
    "empty": "无内容",
    "object": "该对象",
    "pictures": "照片",
    "volume": "三维图像",
    "none": "（无像素）",
    "the result": "分析结果",
    "the mask": "分割",
    "findings": "发现",
    "assessments": "评估",
    "sentences": "自动生成的文字",
    "the conclusion": "结论",
}
