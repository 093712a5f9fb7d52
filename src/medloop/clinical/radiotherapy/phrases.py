"""The words of the head and neck report, English and Chinese (terms of radiation oncology)."""

from collections.abc import Mapping
from typing import Final

from medloop.clinical.report.language import Book
from medloop.clinical.report.notices import Translations

WORDS: Book = {
    "title": ("Head and neck CT: organs at risk", "头颈部 CT 危及器官勾画报告"),
    "subject": ("Head and neck", "头颈部"),
    # conclusion
    "headline": (
        "{count} of {all} organs at risk outlined; nothing odd seen about them.",
        "已勾画 {count}/{all} 个危及器官，未见明显异常。",
    ),
    "headline_review": (
        "{count} of {all} organs at risk outlined; look at {review} first.",
        "已勾画 {count}/{all} 个危及器官；请首先核对其中 {review} 个。",
    ),
    "review_list": ("To look at first: {organs}.", "须首先核对：{organs}。"),
    "targets": (
        "Target volumes (GTV, CTV and PTV, such as those of 70, 63 and 56\u00a0Gy) are not "
        "drawn: which tissue is treated is a physician's decision and cannot be seen on CT "
        "alone.",
        "未勾画靶区（GTV、CTV、PTV，例如 70、63、56\u00a0Gy 靶区）：照射范围须由医师决定，"
        "仅凭 CT 无法确定。",
    ),
    "advice": (
        "Review every contour on every slice before it is used for planning, and correct it "
        "where needed.",
        "用于计划设计之前，请逐层核对每个轮廓，必要时修改。",
    ),
    "guideline": (
        "From a GTV drawn by a physician, medloop structures expand makes CTV and PTV by "
        "margins, cropped to the body or by organs. Names follow AAPM TG-263.",
        "由医师勾画 GTV 后，可用 medloop structures expand 按边界外扩生成 CTV 和 PTV，"
        "并可按体表或器官裁剪。器官命名遵循 AAPM TG-263。",
    ),
    # table
    "table": ("Organs at risk", "危及器官"),
    "organ": ("Organ", "器官"),
    "tg263": ("TG-263 name", "TG-263 名称"),
    "volume": ("Volume (cm³)", "体积（cm³）"),
    "range": ("Strict to generous", "取严至取宽"),
    "usual": ("In labelled cases", "标注病例范围"),
    "expected": ("Expected Dice", "预期 Dice"),
    "mirror": ("Mirror Dice", "镜像 Dice"),
    "review": ("Look at", "须核对"),
    "note": (
        "Strict to generous: volumes of outlines at a probability of 0.75 and 0.25. In "
        "labelled cases: 1st to 99th percentile of the volume in the {cases} planning CTs of "
        "OpenKBP's training part, where the organ was drawn. Expected Dice: agreement with "
        "what the network's own probabilities expect; mirror Dice: agreement of its answers to "
        "the image and to its mirror image. Both say how unsure the network is; a network is "
        "surer than it is right, so the overlap with a physician's outline is lower. Voxels "
        "{voxel}\u00a0mm (left–right, front–back, head–foot).",
        "取严至取宽：以概率 0.75 与 0.25 为界的体积。标注病例范围：OpenKBP 训练部分 {cases} 例"
        "计划 CT 中已勾画该器官者体积的第 1 至第 99 百分位。预期 Dice："
        "与网络自身概率期望的一致性；镜像 Dice：对原图与镜像图两次结果的一致性。"
        "二者仅反映网络自身的不确定程度；网络往往过于自信，与医师勾画的重合度会更低。"
        "体素 {voxel}\u00a0mm（左右、前后、头足）。",
    ),
    "figure": (
        "Outlines, axial, coronal and sagittal: 1 brainstem and spinal cord, 2 parotids, "
        "3 mandible (bone window), 4 larynx and oesophagus",
        "轮廓（横断面、冠状面、矢状面）：1 脑干和脊髓，2 腮腺，3 下颌骨（骨窗），4 喉和食管",
    ),
    # limits
    "limit_scope": (
        "Outlines seven organs on planning CT of adults. It looks for no tumor, no lymph nodes "
        "and no other organ, and does not see whether an organ is diseased, displaced or "
        "removed.",
        "仅在成人计划 CT 上勾画七个器官；不识别肿瘤、淋巴结及其他器官，"
        "也不能判断器官是否病变、移位或已切除。",
    ),
    "limit_not_for": (
        "Not for treatment unless a physician has reviewed every contour. Not tested on "
        "children, after operations, with large tumors, strong metal artifacts, MR or "
        "cone-beam CT.",
        "未经医师逐一审核轮廓，不得用于治疗。未在儿童、术后、巨大肿瘤、"
        "严重金属伪影、磁共振或锥形束 CT 上验证。",
    ),
    "limit_trained": (
        "Trained on OpenKBP (Babier 2021): planning CTs with voxels of 3.9\u00a0mm in the "
        "slice and 2 to 3\u00a0mm between slices, outlined for treatment at several centers. "
        "Borders are no surer than such voxels show, however fine the CT is, and other outline "
        "protocols differ.",
        "训练数据为 OpenKBP（Babier 2021）：层面内体素约 3.9\u00a0mm、层间距 2 至 3\u00a0mm "
        "的计划 CT，轮廓来自多中心临床勾画。无论 CT 多精细，边界精度不优于该体素；"
        "其他勾画规范可能不同。",
    ),
    "limit_trained_other": (
        "Training data and accuracy: see the model card of the bundle named under provenance.",
        "训练数据及准确度见“结果来源”所列模型的模型卡。",
    ),
}

# Names in sentences, by the keys of `ORGANS`.
NAMES: Book = {
    "brainstem": ("Brainstem", "脑干"),
    "spinal_cord": ("Spinal cord", "脊髓"),
    "right_parotid": ("Right parotid", "右侧腮腺"),
    "left_parotid": ("Left parotid", "左侧腮腺"),
    "oesophagus": ("Oesophagus", "食管"),
    "larynx": ("Larynx", "喉"),
    "mandible": ("Mandible", "下颌骨"),
}

# Why an organ is to be looked at, in one word, by the reasons of `notices`.
REASONS: Book = {
    "missing": ("not found", "未检出"),
    "volume": ("volume", "体积"),
    "place": ("place", "位置"),
    "pieces": ("pieces", "分块"),
    "dropped": ("stray pieces", "散在小块"),
    "border": ("cut off", "截断"),
    "unsure": ("unsure", "不确定"),
    "mirror": ("mirror image", "镜像不一致"),
}

_BY_ORGAN: Final[Mapping[str, str]] = {
    "missing": "未检出{organ}：如有需要请手工勾画。",
    "place": "{organ}的位置相对多数其他器官超出标注病例的范围。",
    "volume": (
        "{organ}体积 {{volume_cm3:.1f}} cm³，超出 {{cases}} 例标注病例 98% 的范围"
        "（{{low:.1f}} 至 {{high:.1f}} cm³）。"
    ),
    "pieces": "{organ}轮廓分为 {{pieces}} 块。",
    "dropped": "{organ}另有 {{dropped_cm3:.1f}} cm³ 的散在小块，已去除。",
    "border": "{organ}触及扫描边界：可能未完整包含。",
    "unsure": "{organ}轮廓不确定：预期 Dice 为 {{dice:.2f}}。",
    "mirror": "{organ}在镜像图上的结果不同：两次结果的 Dice 为 {{dice:.2f}}。",
}

# Chinese for what the analysis may remark, by Notice.code.
NOTICES: Translations = {
    "oar-sides": (
        "右侧腮腺位于左侧腮腺的患者左侧 {distance_mm:.0f} mm："
        "轮廓或图像的左右可能颠倒，请核对。"
    ),
    "oar-no-frame": "CT 未标明参考坐标系：未写入 RTSTRUCT。",
    "oar-hu": "未见空气和软组织的 HU 峰值：CT 可能已裁剪至局部区域，或数值不是 HU。",
    "hu-padding": "图像含填充值 {padding:g}。",
    "hu-calibration": (
        "CT 值可能有偏差：{tissue} 的峰值为 {seen_hu:.0f} HU，通常为 {usual_hu:.0f} HU。"
    ),
    "oar-thick-slices": "层厚 {slice_mm:.1f} mm：头足方向的轮廓精度降低。",
    **{
        f"oar-{reason}_{key}": text.format(organ=names[1])
        for reason, text in _BY_ORGAN.items()
        for key, names in NAMES.items()
    },
}

SHIPPED_BUNDLE: Final = "head_neck_oars"
