"""The words of the retina report, English and Chinese (terms of Chinese ophthalmology).

Follow-up intervals: ICO recommendations, schedule for high-resource settings (Wong 2018,
Ophthalmology 125:1608). Macular edema grades: IDRiD (Porwal 2018). Quadrants are retinal.
"""

from collections.abc import Mapping

from medloop.clinical.report.language import Book
from medloop.clinical.report.notices import Translations

WORDS: Book = {
    "title": (
        "Diabetic retinopathy report",
        "糖尿病性视网膜病变眼底照相分析报告",
    ),
    "eye_R": ("Right eye (OD)", "右眼（OD）"),
    "eye_L": ("Left eye (OS)", "左眼（OS）"),
    "eye_": ("Eye not stated", "眼别未提供"),
    "seen_R": ("Eye not stated, looks like a right eye", "眼别未提供（似为右眼）"),
    "seen_L": ("Eye not stated, looks like a left eye", "眼别未提供（似为左眼）"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "value_share": ("{value} ({share})", "{value}（{share}）"),
    # conclusion
    "icdr_0": ("No apparent diabetic retinopathy", "未见明显糖尿病性视网膜病变"),
    "icdr_1": (
        "Mild non-proliferative diabetic retinopathy",
        "轻度非增殖期糖尿病性视网膜病变",
    ),
    "icdr_2": (
        "Moderate non-proliferative diabetic retinopathy",
        "中度非增殖期糖尿病性视网膜病变",
    ),
    "icdr_3": (
        "Severe non-proliferative diabetic retinopathy",
        "重度非增殖期糖尿病性视网膜病变",
    ),
    "icdr_4": ("Proliferative diabetic retinopathy", "增殖期糖尿病性视网膜病变"),
    "headline": (
        "{grade} (ICDR\u00a0{icdr}), confidence\u00a0{confidence}.",
        "{grade}（ICDR\u00a0{icdr}\u00a0级），置信度 {confidence}。",
    ),
    "headline_plain": ("{grade} (ICDR\u00a0{icdr}).", "{grade}（ICDR\u00a0{icdr}\u00a0级）。"),
    "headline_ungradable": (
        "Ungradable photograph: no reliable grade.",
        "图像质量不足，无法可靠分级。",
    ),
    "indicative": ("Indicative only: {answer}", "以下结果仅供参考：{answer}"),
    "referable_yes": ("Referable: yes ({probability}).", "需转诊：是（{probability}）。"),
    "referable_no": (
        "Referable: no (probability of referable disease {probability}).",
        "需转诊：否（需转诊病变概率 {probability}）。",
    ),
    "referable_yes_bare": ("Referable: yes.", "需转诊：是。"),
    "referable_no_bare": ("Referable: no.", "需转诊：否。"),
    "dme": (
        "Macular edema grade {dme}: {meaning}.",
        "糖尿病性黄斑水肿（DME）{dme} 级：{meaning}。",
    ),
    "dme_0": ("no hard exudates seen", "未见硬性渗出"),
    "dme_1": (
        "hard exudates, all more than one disc diameter from the fovea",
        "可见硬性渗出，均距黄斑中心凹 1 个视盘直径以外",
    ),
    "dme_2": (
        "hard exudates within one disc diameter of the fovea",
        "黄斑中心凹 1 个视盘直径以内可见硬性渗出",
    ),
    # follow-up
    "follow_ungradable": (
        "Repeat the photograph, with pupil dilation if needed. If it stays ungradable, refer "
        "for a dilated eye examination.",
        "建议重新拍摄，必要时散瞳；如仍无法分级，建议转诊眼科行散瞳眼底检查。",
    ),
    "follow_0": (
        "No referral for retinopathy. Next eye photograph in 1–2 years.",
        "无需因视网膜病变转诊；1–2 年内复查眼底照相。",
    ),
    "follow_1": (
        "No referral for retinopathy. Re-examine in 6–12 months.",
        "无需因视网膜病变转诊；6–12 个月内复查。",
    ),
    "follow_suspect": (
        "Repeat the photograph, with pupil dilation if needed. Refer to an ophthalmologist "
        "even if it stays ungradable: referable disease is suspected.",
        "建议重新拍摄，必要时散瞳。疑有需转诊病变：即使仍无法分级，也建议转诊眼科。",
    ),
    "follow_probable": (
        "Refer to an ophthalmologist within 3–6 months: referable disease is probable although "
        "the grade alone would not ask for referral.",
        "建议 3–6 个月内转诊眼科：虽仅按分级无需转诊，但存在需转诊病变的可能性较大。",
    ),
    "follow_not": (
        "No referral, as the reader decided. By rule the grades ask for more: {advice}",
        "医师决定：无需转诊。但按分级规则：{advice}",
    ),
    "follow_reader": (
        "Refer to an ophthalmologist, as the reader decided; the grades alone would not ask "
        "for referral.",
        "医师决定：转诊眼科；仅按分级无需转诊。",
    ),
    "follow_2": (
        "Refer to an ophthalmologist within 3–6 months.",
        "建议 3–6 个月内转诊眼科。",
    ),
    "follow_dme_1": (
        "Refer to an ophthalmologist within 3 months; examine the macula (OCT).",
        "建议 3 个月内转诊眼科，并检查黄斑（OCT）。",
    ),
    "follow_3": (
        "Refer to an ophthalmologist soon, within 3 months at the latest.",
        "建议尽快转诊眼科，最迟不超过 3 个月。",
    ),
    "follow_dme_2": (
        "Refer to an ophthalmologist within 1 month, with OCT: edema of the macular center "
        "is possible.",
        "建议 1 个月内转诊眼科并行 OCT 检查：水肿可能累及黄斑中心。",
    ),
    "follow_4": (
        "Refer promptly to a retina specialist, within 1 month at the latest.",
        "建议尽快转诊眼底病专科，最迟不超过 1 个月。",
    ),
    "guideline": (
        "By rule from the grades, after the ICO guidelines (2018, high-resource settings). "
        "Local guidelines, vision, symptoms and the other eye take precedence.",
        "依据 ICO 糖尿病眼病指南（2018，资源充足地区）由分级按规则得出；"
        "以当地指南、视力、症状及对侧眼情况为准。",
    ),
    # scales
    "scale_icdr": ("ICDR", "ICDR 国际分级"),
    "about_icdr": (
        "International Clinical Diabetic Retinopathy severity scale, graded 0 to 4 by a neural "
        "network on the whole photograph and by decision trees on its lesions.",
        "糖尿病性视网膜病变国际临床分级（0–4 级），由观察整幅照片的神经网络"
        "与判读病变的决策树共同判定。",
    ),
    "bar_icdr_0": ("0 none apparent", "0 无明显病变"),
    "bar_icdr_1": ("1 mild NPDR", "1 轻度非增殖期"),
    "bar_icdr_2": ("2 moderate NPDR", "2 中度非增殖期"),
    "bar_icdr_3": ("3 severe NPDR", "3 重度非增殖期"),
    "bar_icdr_4": ("4 proliferative", "4 增殖期"),
    "scale_dme": ("Macular edema", "黄斑水肿"),
    "about_dme": (
        "Risk of diabetic macular edema, by the distance of hard exudates from the fovea in "
        "disc diameters (DD). Only OCT measures thickening.",
        "按硬性渗出与黄斑中心凹的距离（以视盘直径 DD 计）评估糖尿病性黄斑水肿风险；"
        "视网膜厚度须由 OCT 确认。",
    ),
    "bar_dme_0": ("0 no exudates", "0 无硬性渗出"),
    "bar_dme_1": ("1 beyond 1 DD", "1 位于 1 DD 以外"),
    "bar_dme_2": ("2 within 1 DD", "2 位于 1 DD 以内"),
    "scale_referable": ("Referable", "需转诊"),
    "about_referable": (
        "More than mild retinopathy (ICDR 2 or more) or macular edema.",
        "中度及以上病变（ICDR ≥ 2 级）或黄斑水肿。",
    ),
    "scale_cn1984": ("CN1984", "中国 1984 年分期"),
    "stage": ("stage {stage}", "{stage} 期"),
    "stage_0": ("no stage", "无（未见病变）"),
    "about_cn1984": (
        "China's 1984 staging, by rule from the lesions found{lesions}: I microaneurysms, "
        "II hard exudates, III soft exudates, IV new vessels. Not ICDR, not convertible.",
        "由检出病变{lesions}按规则得出：Ⅰ 微血管瘤，Ⅱ 硬性渗出，Ⅲ 软性渗出，Ⅳ 新生血管。"
        "与 ICDR 分级标准不同，不可换算。",
    ),
    "from_lesions": (" ({names})", "（{names}）"),
    "scale_etdrs": ("ETDRS range", "ETDRS 等级范围"),
    "about_etdrs": (
        "ETDRS levels (10 to 85) that fit this photograph; exact levels need seven fields.",
        "与本照片相符的 ETDRS 严重程度等级（10–85）；精确等级需七视野照相。",
    ),
    "scale_four": ("Four classes", "四分类"),
    "about_four": (
        "From ICDR: 0 = 0 (none), 1 = 1 (mild), 2 = 2 (moderate), 3 = 3 or 4.",
        "由 ICDR 归并：0 = 0 级，1 = 1 级，2 = 2 级，3 = 3 或 4 级。",
    ),
    "bar_four_0": ("0 none apparent", "0 无明显病变"),
    "bar_four_1": ("1 mild", "1 轻度"),
    "bar_four_2": ("2 moderate", "2 中度"),
    "bar_four_3": ("3 severe or proliferative", "3 重度或增殖期"),
    # lesions
    "table_lesions": ("Lesions found", "检出病变"),
    "lesion": ("Lesion", "病变"),
    "MA": ("Microaneurysms", "微血管瘤"),
    "HE": ("Retinal hemorrhages", "视网膜内出血"),
    "EX": ("Hard exudates", "硬性渗出"),
    "SE": ("Soft exudates (cotton-wool spots)", "软性渗出（棉絮斑）"),
    "short_MA": ("microaneurysms", "微血管瘤"),
    "short_HE": ("hemorrhages", "出血"),
    "short_EX": ("hard exudates", "硬性渗出"),
    "short_SE": ("soft exudates", "软性渗出"),
    "key_MA": ("Microaneurysms", "微血管瘤"),
    "key_HE": ("Hemorrhages", "出血"),
    "key_EX": ("Hard exudates", "硬性渗出"),
    "key_SE": ("Soft exudates", "软性渗出"),
    "OD": ("Optic disc", "视盘"),
    "fovea": ("Fovea", "黄斑中心凹"),
    "quadrant_ST": ("Superotemporal", "颞上"),
    "quadrant_SN": ("Superonasal", "鼻上"),
    "quadrant_IT": ("Inferotemporal", "颞下"),
    "quadrant_IN": ("Inferonasal", "鼻下"),
    "elsewhere": ("Not placed", "未定位"),
    "total": ("Total", "合计"),
    "area_px": ("Area (pixels)", "面积（像素）"),
    "area_field": ("Area (% of field)", "面积（占视野 %）"),
    "area_estimated": ("Area (mm², disc = 1.8 mm)", "面积（mm²，按视盘 1.8 mm 估算）"),
    "area_mm2": ("Area (mm²)", "面积（mm²）"),
    "note_lesions": (
        "Found by a neural network, which misses lesions and finds false ones, microaneurysms "
        "most of all. New vessels, venous beading and IRMA are not searched for.",
        "由神经网络检出，可能漏检或误检（以微血管瘤为甚）；未检测新生血管、静脉串珠及 IRMA。",
    ),
    # figures
    "photograph": ("Photograph", "眼底照片"),
    "overlay": ("Lesions outlined", "病变标注"),
    "heat": ("What the grade rests on", "分级依据热力图"),
    "cross": ("Fovea (cross)", "中心凹（十字）"),
    "low": ("weaker", "弱"),
    "high": ("stronger evidence", "强"),
    # quality
    "gradable": (
        "sufficient for grading (focus, illumination, field).",
        "清晰度、照明及视野满足分级要求。",
    ),
    "ungradable": ("not sufficient for grading.", "不满足分级要求。"),
    # limits
    "limit_scope": (
        "Grades diabetic retinopathy and macular edema on one color fundus photograph of an "
        "adult with diabetes. Other disease (glaucoma, macular degeneration, vein occlusion, "
        "tumor …) is not looked for; nothing outside the photograph is seen.",
        "仅针对成年糖尿病患者的单张彩色眼底照片，评估糖尿病性视网膜病变及黄斑水肿；"
        "不检测其他眼病（青光眼、黄斑变性、静脉阻塞、肿瘤等），照片范围以外的病变无法发现。",
    ),
    "limit_not_for": (
        "Not for children, in pregnancy, after laser, injection or vitrectomy, nor for "
        "ultra-wide-field, hand-held or smartphone photographs: not tested there.",
        "不适用于儿童、孕妇，激光、玻璃体腔注药或玻璃体切割术后的眼，以及超广角、手持或手机拍摄的照片"
        "（未经验证）。",
    ),
    "limit_trained": (
        "Trained on IDRiD: about 400 photographs from one eye clinic in India, one camera "
        "(Kowa VX-10α, 50°, dilated pupils). Expect lower accuracy elsewhere.",
        "训练数据为 IDRiD：印度一家眼科诊所、同一机型（Kowa VX-10α，50°，散瞳）约 400 张照片；"
        "用于其他人群或机型时准确度可能降低。",
    ),
    "limit_trained_other": (
        "Training data and accuracy: see the model card of the bundle named under provenance.",
        "训练数据及准确度见“结果来源”所列模型的模型卡。",
    ),
}

# Chinese for what the analysis may remark, by Notice.code.
NOTICES: Translations = {
    "quality.focus": "对焦不清（清晰度 {value:.2f}，下限 {limit:.2f}）。",
    "quality.contrast": "血管对比度不足（{value:.3f}，下限 {limit:.3f}）。",
    "quality.dark": "曝光不足（亮度 {value:.0f}，下限 {limit:.0f}）。",
    "quality.uneven": "照明不均匀（{value:.2f}，下限 {limit:.2f}）。",
    "quality.shadow": "暗区遮挡占视野 {value:.0%}，超过 {limit:.0%}。",
    "quality.burnt": "过曝区域占视野 {value:.0%}，超过 {limit:.0%}。",
    "quality.field": "可见视野比例仅 {value:.0%}，低于 {limit:.0%}。",
    "quality.frameless": "未见视野边缘，图像可能为照片的裁剪部分。",
    "quality.macula": "黄斑不在视野内。",
    "disc_uncertain": "视盘定位不确定（置信度 {value:.2f}，下限 {limit:.2f}）。",
    "fovea_uncertain": (
        "未能辨认中心凹，按解剖位置推定（置信度 {value:.2f}，下限 {limit:.2f}）。"
    ),
    "laterality_disagrees": "标注眼别为 {stated}，但照片似为 {seen}，请核对眼别。",
    "grade_disagrees": (
        "病变规则与神经网络不一致：检出病变提示 ICDR 至少 {least} 级，"
        "神经网络判定为 ICDR {icdr} 级（新生血管不在检测范围，请人工核对）。"
    ),
    "dme_disagrees": (
        "病变规则与神经网络对黄斑水肿的判定不一致：检出硬性渗出提示 {rule} 级，"
        "神经网络判定为 {dme} 级。"
    ),
}

SHIPPED_BUNDLES = frozenset({"retina_grading", "retina_lesions"})

ROMAN: Mapping[str, str] = {"I": "Ⅰ", "II": "Ⅱ", "III": "Ⅲ", "IV": "Ⅳ", "V": "Ⅴ", "VI": "Ⅵ"}
