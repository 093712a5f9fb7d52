"""The words of the hippocampus report, English and Chinese (terms of neuroradiology)."""

from medloop.clinical.report.language import Book
from medloop.clinical.report.notices import Translations

WORDS: Book = {
    "title": ("Hippocampal volumetry report", "海马体积测量报告"),
    "subject_right": ("Right hippocampus", "右侧海马"),
    "subject_left": ("Left hippocampus", "左侧海马"),
    "subject_unknown": ("Hippocampus, side not known", "海马（侧别未知）"),
    "by_position": ("{subject}, by position in the scanner", "{subject}（依扫描坐标判定）"),
    # conclusion
    "headline": (
        "Hippocampal volume {volume}\u00a0mm³.",
        "海马体积 {volume}\u00a0mm³。",
    ),
    "headline_none": ("Hippocampal volume not stated.", "未给出海马体积。"),
    "headline_doubtful": (
        "Hippocampal volume {volume}\u00a0mm³, doubtful: check the outline first.",
        "海马体积 {volume}\u00a0mm³，结果存疑：请先核对轮廓。",
    ),
    "parts": (
        "Anterior part (head) {anterior}\u00a0mm³, posterior part (body and tail) "
        "{posterior}\u00a0mm³.",
        "前部（海马头）{anterior}\u00a0mm³，后部（海马体和海马尾）{posterior}\u00a0mm³。",
    ),
    "range": (
        "Drawn more strictly or more generously, the whole would measure {low} to "
        "{high}\u00a0mm³.",
        "若轮廓取严或取宽，海马总体积为 {low} 至 {high}\u00a0mm³。",
    ),
    "advice": (
        "Look at the outline. Then compare with the other side, and with norms for age, sex "
        "and head size that were made with the same outline protocol.",
        "请先核对轮廓，再与对侧及采用相同勾画标准、按年龄、性别和颅内体积建立的正常参考值比较。",
    ),
    "advice_doubtful": (
        "Do not use the numbers before the outline has been checked on the images. If the "
        "region was cut out too narrowly, cut it out again.",
        "核对图像上的轮廓之前，请勿使用上述数值；若所截取区域过小，请重新截取后分析。",
    ),
    "guideline": (
        "No norms are applied here: a volume alone neither shows nor excludes atrophy.",
        "本报告未使用正常参考值：单凭体积不能判定或排除海马萎缩。",
    ),
    # table
    "table": ("Volumes (mm³)", "体积（mm³）"),
    "structure": ("Structure", "结构"),
    "volume": ("Volume", "体积"),
    "strict": ("Strict outline", "取严"),
    "generous": ("Generous outline", "取宽"),
    "expected": ("Expected", "期望值"),
    "share": ("Share", "占比"),
    "sureness": ("Mean probability", "平均概率"),
    "whole": ("Whole hippocampus", "海马整体"),
    "anterior": ("Anterior (head)", "前部（海马头）"),
    "posterior": ("Posterior (body and tail)", "后部（海马体和海马尾）"),
    "note": (
        "Volume: voxels labelled. Strict and generous: voxels with a probability over "
        "75\u00a0% and over 25\u00a0%, no confidence interval. Expected: sum of the "
        "probabilities. Voxels {voxel}\u00a0mm, region {region}\u00a0mm (left–right, "
        "front–back, head–foot).",
        "体积：标注体素之和。取严、取宽：概率大于 75% 与大于 25% 的体素之和，并非置信区间。"
        "期望值：各体素概率之和。体素 {voxel}\u00a0mm，"
        "区域 {region}\u00a0mm（左右、前后、头足）。",
    ),
    # limits
    "limit_scope": (
        "Measures one hippocampus on a T1-weighted MR volume cut to the region around it "
        "(about 35 x 50 x 35 mm). It looks for no disease: atrophy is not graded, sclerosis "
        "and signal change are not seen, nothing else in the image is looked at.",
        "仅在截取自 T1 加权磁共振、包含单侧海马的区域（约 35 x 50 x 35 mm）内测量海马体积；"
        "不检测疾病：不评定萎缩程度，不识别海马硬化及信号异常，不分析图像其余部分。",
    ),
    "limit_not_for": (
        "Not for whole-head volumes, other sequences than T1, slices over 2.5 mm, children, "
        "tumor, hemorrhage, malformation or resection near by, nor for change across scanners: "
        "not tested there.",
        "不适用于全头颅扫描、非 T1 序列、层厚大于 2.5 mm、儿童，"
        "邻近有肿瘤、出血、畸形或手术切除者，"
        "以及不同设备间的随访比较（未经验证）。",
    ),
    "limit_trained": (
        "Trained on the hippocampus part of the Medical Segmentation Decathlon (Antonelli "
        "2022): adults with and without psychotic disorders, 1 mm T1, one center, one outline "
        "protocol. Volumes by other protocols differ. Expect lower accuracy elsewhere.",
        "训练数据为 Medical Segmentation Decathlon 海马部分（Antonelli 2022）："
        "成年人（含精神病性障碍患者），1 mm T1，单中心、同一勾画标准。"
        "采用其他标准所得体积不可直接比较；用于其他人群或设备时准确度可能降低。",
    ),
    "limit_trained_other": (
        "Training data and accuracy: see the model card of the bundle named under provenance.",
        "训练数据及准确度见“结果来源”所列模型的模型卡。",
    ),
}

# Chinese for what the analysis may remark, by Notice.code.
NOTICES: Translations = {
    "hippocampus_cut_off": (
        "海马轮廓触及容积边界（6 个面中的 {faces} 个）：可能未完整包含，体积可能偏小。"
    ),
    "hippocampus_volume": (
        "体积 {value:.0f} mm³ 超出海马的合理范围（{low:.0f} 至 {high:.0f} mm³），"
        "轮廓很可能有误。"
    ),
    "hippocampus_no_anterior": "未检出海马前部。",
    "hippocampus_no_posterior": "未检出海马后部。",
    "hippocampus_turned": "海马前部不在后部之前：请核对图像方位信息。",
    "hippocampus_pieces": "轮廓分为 {pieces} 块，最大块以外共 {apart:.0f} mm³。",
    "hippocampus_unsure": "轮廓不确定：取严 {low:.0f} mm³，取宽 {high:.0f} mm³。",
    "hippocampus_side": "图像标注的侧别与轮廓位置所示侧别不一致，请核对左右。",
}

SHIPPED_BUNDLE = "hippocampus"
