"""The words of the lung report, English and Chinese (terms of chest radiology)."""

from collections.abc import Mapping

from medloop.clinical.report.language import Book
from medloop.clinical.report.notices import Translations
from medloop.core.code import Code

# What a reader may find that is no nodule: it has no category and counts in none.
OTHERS: Mapping[Code, tuple[str, str]] = {
    Code("99MEDLOOP", "LUNG-GGO", "Ground-glass opacity"): ("Ground-glass opacity", "磨玻璃影"),
    Code("99MEDLOOP", "LUNG-CONSOLID", "Consolidation"): ("Consolidation", "实变"),
    Code("99MEDLOOP", "LUNG-GRANULOMA", "Calcified granuloma"): (
        "Calcified granuloma",
        "钙化灶",
    ),
    Code("99MEDLOOP", "LUNG-NODE", "Intrapulmonary lymph node"): (
        "Intrapulmonary lymph node",
        "肺内淋巴结",
    ),
    Code("SCT", "46621007", "Atelectasis"): ("Atelectasis", "肺不张"),
    Code("SCT", "87433001", "Pulmonary emphysema"): ("Pulmonary emphysema", "肺气肿"),
    Code("SCT", "60046008", "Pleural effusion"): ("Pleural effusion", "胸腔积液"),
    Code("SCT", "36118008", "Pneumothorax"): ("Pneumothorax", "气胸"),
    Code("SCT", "30746006", "Lymphadenopathy"): ("Lymphadenopathy", "淋巴结肿大"),
}
WORDS: Book = {
    "title": ("Chest CT: pulmonary nodules", "胸部 CT 肺结节分析报告"),
    "subject": ("Lungs", "双肺"),
    # conclusion
    "none": ("No nodule found.", "未检出肺结节。"),
    "none_but": (
        "No nodule listed, Lung-RADS {category}.",
        "未列出肺结节，Lung-RADS {category} 类。",
    ),
    "one": (
        "One nodule, Lung-RADS {category}.",
        "检出 1 个结节，Lung-RADS {category} 类。",
    ),
    "several": (
        "{count} nodules, highest Lung-RADS {category}.",
        "检出 {count} 个结节，最高 Lung-RADS {category} 类。",
    ),
    "nodule": (
        "{number}. {place}, {size}\u00a0mm {kind}{details}, Lung-RADS {category}.",
        "{number}. {place}，{size}\u00a0mm {kind}{details}，Lung-RADS {category} 类。",
    ),
    "unmeasured": (
        "{number}. {place}, {kind}, not measured{details}.",
        "{number}. {place}，{kind}，未测量{details}。",
    ),
    "kind_of": ("{texture} nodule", "{texture}结节"),
    "kind_nodule": ("nodule", "结节"),
    "other": ("{number}. {place}: {what}.", "{number}. {place}：{what}。"),
    "mediastinum": ("Mediastinum", "纵隔"),
    "pleura": ("Pleura", "胸膜"),
    "solid_part": (", solid part {size}\u00a0mm", "，实性成分 {size}\u00a0mm"),
    "suspicion": (", suspicion {share}", "，可疑度 {share}"),
    "calcified_diffuse": (", calcified", "，弥漫钙化"),
    "calcified_central": (", calcified in the middle", "，中央钙化"),
    "calcified_eccentric": (", partly calcified", "，偏心钙化"),
    "fat": (", with fat", "，含脂肪"),
    "spiculated": (", spiculated", "，有毛刺"),
    "juxtapleural": (", at the pleura", "，邻近胸膜"),
    "perifissural": (", at a fissure", "，邻近叶间裂"),
    "more": ("{count} more in the table.", "其余 {count} 个见下表。"),
    # since an earlier study
    "since": (
        "Compared with the study of {date}, {days} days before: {counts}.",
        "与 {days} 天前（{date}）的检查比较：{counts}。",
    ),
    "since_nothing": (
        "Compared with the study of {date}, {days} days before: no nodule then, none now.",
        "与 {days} 天前（{date}）的检查比较：前后均未检出结节。",
    ),
    "count_grown": ("{count} growing", "增大 {count} 个"),
    "count_grown slowly": ("{count} growing slowly", "缓慢增大 {count} 个"),
    "count_new": ("{count} new", "新发 {count} 个"),
    "count_stable": ("{count} stable", "稳定 {count} 个"),
    "count_shrunk": ("{count} smaller", "缩小 {count} 个"),
    "count_gone": ("{count} gone", "消失 {count} 个"),
    "count_not covered": ("{count} not comparable", "无法比较 {count} 个"),
    "was": (
        "; was {size}\u00a0mm on {date} ({volume}): {change}",
        "；{date} 为 {size}\u00a0mm（{volume}）：{change}",
    ),
    "was_bare": (
        "; was {size}\u00a0mm on {date}: {change}",
        "；{date} 为 {size}\u00a0mm：{change}",
    ),
    "was_texture": (", {texture} then", "，当时为{texture}"),
    "volume_doubling": (
        "volume {share}, doubling time {days}\u00a0days",
        "体积 {share}，倍增时间 {days}\u00a0天",
    ),
    "volume_less": ("volume {share}", "体积 {share}"),
    "volume_same": (
        "volume {share}, within measurement error",
        "体积 {share}，在测量误差范围内",
    ),
    "is_new": ("; new since {date}", "；较 {date} 新发"),
    "is_not covered": (
        "; not comparable with {date}",
        "；与 {date} 无法比较",
    ),
    "grown": ("growing", "增大"),
    "grown slowly": ("growing slowly", "缓慢增大"),
    "stable": ("stable", "稳定"),
    "shrunk": ("smaller", "缩小"),
    "new": ("new", "新发"),
    "gone": ("gone", "消失"),
    "not covered": ("not comparable", "无法比较"),
    "compared": ("Compared with {date}", "与 {date} 检查比较"),
    "now": ("Now, mm", "本次，mm"),
    "then": ("Then, mm (No.)", "前次，mm（编号）"),
    "mean_change": ("Mean, mm", "平均径变化，mm"),
    "volume_change": ("Volume", "体积变化"),
    "doubling": ("Doubling time, days", "倍增时间，天"),
    "change": ("Course", "变化"),
    "compared_note": (
        "Earlier result: study {study} of {date}, {days} days before, medloop {version}, "
        "{count} nodules. Doubling time only where the volume grew by more than 25 %, beyond "
        "what two scans of an unchanged nodule differ by. New, and gone, are nodules that one "
        "result of both does not list although its scan covers the place: look at both scans.",
        "前次结果：{date} 检查（{study}），{days} 天前，medloop {version}，{count} 个结节。"
        "仅当体积增加超过 25%（超出同一结节两次扫描的测量误差）时给出倍增时间。新发、消失指"
        "扫描范围包含该处而一次结果未列出者：请对照两次图像。",
    ),
    # places
    "right upper": ("Right upper lobe", "右肺上叶"),
    "right middle": ("Right middle lobe", "右肺中叶"),
    "right lower": ("Right lower lobe", "右肺下叶"),
    "left upper": ("Left upper lobe", "左肺上叶"),
    "left lower": ("Left lower lobe", "左肺下叶"),
    "lung": ("Lung", "肺"),
    "unsure_place": ("{place} (probably)", "{place}（可能）"),
    "solid": ("solid", "实性"),
    "part-solid": ("part-solid", "部分实性"),
    "non-solid": ("non-solid", "非实性（磨玻璃）"),
    # advice
    "advice_none": (
        "Read the whole scan: a nodule that was not found is not ruled out.",
        "请完整阅片：未检出不能排除结节存在。",
    ),
    "advice_0": (
        "Measure the nodules: without their size there is no category.",
        "请先测量结节：缺少径线，无法分类。",
    ),
    "advice_1": (
        "Screening: low-dose CT in 12 months.",
        "筛查建议：12 个月后复查低剂量 CT。",
    ),
    "advice_2": (
        "Screening: low-dose CT in 12 months.",
        "筛查建议：12 个月后复查低剂量 CT。",
    ),
    "advice_3": (
        "Screening: low-dose CT in 6 months.",
        "筛查建议：6 个月后复查低剂量 CT。",
    ),
    "advice_4A": (
        "Screening: low-dose CT in 3 months; PET/CT may be considered for a solid part of "
        "8\u00a0mm or more.",
        "筛查建议：3 个月后复查低剂量 CT；实性成分 ≥ 8\u00a0mm 可考虑 PET/CT。",
    ),
    "advice_4B": (
        "Referral for clinical evaluation: diagnostic chest CT, PET/CT or tissue sampling.",
        "建议转诊进一步评估：诊断性胸部 CT、PET/CT 或组织活检。",
    ),
    "advice_4X": (
        "Referral for clinical evaluation: diagnostic chest CT, PET/CT or tissue sampling.",
        "建议转诊进一步评估：诊断性胸部 CT、PET/CT 或组织活检。",
    ),
    "guideline": (
        "Lung-RADS v2022, as for a baseline screening CT: no earlier study was compared.",
        "Lung-RADS v2022，按基线筛查 CT 分类，未与既往检查比较。",
    ),
    "guideline_prior": (
        "Lung-RADS v2022, as for a follow-up of the study of {date}: growth is more than "
        "1.5\u00a0mm of the mean diameter within 12 months.",
        "Lung-RADS v2022，按随访分类：与 {date} 检查比较，12 个月内平均径增加超过 1.5\u00a0mm "
        "为增大。",
    ),
    "fleischner": (
        "If found by chance in an adult without cancer (Fleischner 2017): at low risk {low}; "
        "at high risk {high}.",
        "若为无肿瘤病史成人偶然发现（Fleischner 2017）：低危者{low}；高危者{high}。",
    ),
    "fleischner_same": (
        "If found by chance in an adult without cancer (Fleischner 2017): {low}.",
        "若为无肿瘤病史成人偶然发现（Fleischner 2017）：{low}。",
    ),
    "fleischner_young": (
        "The Fleischner guideline is for patients of 35 years and more.",
        "Fleischner 指南仅适用于 35 岁及以上患者。",
    ),
    # table
    "table": ("Nodules", "结节列表"),
    "number": ("No.", "编号"),
    "lobe": ("Lobe", "肺叶"),
    "axes": ("Axes (mean), mm", "长径 x 短径（平均），mm"),
    "greatest": ("3D, mm", "三维最大径，mm"),
    "volume": ("Volume, mm³", "体积，mm³"),
    "kind": ("Density", "密度"),
    "solid_mm": ("Solid part, mm", "实性成分，mm"),
    "signs": ("Signs", "征象"),
    "probability": ("Nodule", "结节概率"),
    "suspected": ("Suspicion", "可疑度"),
    "category": ("Lung-RADS", "Lung-RADS"),
    "sign_calcified": ("calcium", "钙化"),
    "sign_fat": ("fat", "脂肪"),
    "sign_spiculated": ("spiculation", "毛刺"),
    "sign_juxtapleural": ("juxtapleural", "邻胸膜"),
    "sign_perifissural": ("perifissural", "邻叶间裂"),
    "note": (
        "Axes in the axial plane. Nodule: probability that three of four readers would mark "
        "it. Suspicion: probability that the readers of LIDC-IDRI would have suspected "
        "malignancy, an opinion from images, no pathology. Lobes follow the fissures as far "
        "as they are seen.",
        "长径、短径在横断面测量。结节概率：四位阅片者中三位会标记为结节的概率。可疑度："
        "LIDC-IDRI 阅片者怀疑恶性的概率，为影像学意见，并非病理结果。肺叶依可见叶间裂划分。",
    ),
    # figures
    "figure": ("Key images", "关键图像"),
    "heat": ("Where the network looked", "模型关注区域"),
    "heat_low": ("little", "低"),
    "heat_high": ("much", "高"),
    # limits
    "limit_scope": (
        "Looks for nodules of 4 to 30 mm only. Masses, consolidation, lymph nodes, airways, "
        "pleura, bones and everything else in the image are not looked at.",
        "仅检测 4–30 mm 的肺结节；不分析肿块、实变、淋巴结、气道、胸膜、骨骼及图像其余部分。",
    ),
    "limit_not_for": (
        "Not for children, slices over 5 mm, lungs after surgery or with extensive fibrosis: "
        "not tested there. A second look by a qualified reader decides.",
        "不适用于儿童、层厚大于 5 mm、肺部术后或广泛纤维化者（未经验证）。"
        "须由具备资质的医生复核。",
    ),
    "limit_trained": (
        "Trained on few scans of LIDC-IDRI and on nodules drawn into them; the card gives the "
        "figures and their wide intervals. Expect lower accuracy elsewhere.",
        "训练数据为少量 LIDC-IDRI 扫描及绘制的结节；准确度及其较宽的置信区间见模型卡。"
        "用于其他人群或设备时准确度可能降低。",
    ),
    "limit_trained_other": (
        "Training data and accuracy: see the model card of the bundle named under provenance.",
        "训练数据及准确度见“结果来源”所列模型的模型卡。",
    ),
}

# Chinese for what the analysis may remark, by Notice.code.
NOTICES: Translations = {
    "thick-slices": "层厚 {slice_mm:.1f} mm：可能漏检小结节，测量值准确度降低。",
    "slices-apart": "层厚 {thickness_mm:.2f} mm，层间距 {gap_mm:.2f} mm：扫描不连续。",
    "sharp-kernel": "采用锐利重建算法：小结节的 CT 值可能有偏差。",
    "lungs-cut": "肺部未完全包含在扫描范围内。",
    "lung-missing": "仅见一侧肺，另一侧未显示或含气过少。",
    "hu-padding": "图像含填充值 {padding:g}。",
    "hu-calibration": (
        "CT 值可能有偏差：{tissue} 的峰值为 {seen_hu:.0f} HU，通常为 {usual_hu:.0f} HU。"
    ),
    "lung-disagreement": (
        "结节 {nodule}：Lung-RADS {category} 类，但可疑度为 {suspicion:.0%}，"
        "二者不一致，请核对图像。"
    ),
    "lung-matched": (
        "肺 CT 值分布与训练数据不同：检测时已匹配（最多 {most_hu:+.0f} HU），测量仍用原始值。"
    ),
    "lung-unmeasured": "另有 {count} 处可疑结节无法勾画，未列出。",
    "lung-volume-growth": (
        "结节 {nodule}：按径线未增大，但体积倍增时间为 {days} 天，请核对两次勾画。"
    ),
    "lung-prior-unaligned": "前次结果未记录肺的位置，未比较结节。",
    "lung-prior-slices": (
        "本次层厚 {now_mm:.2f} mm，前次 {then_mm:.2f} mm：可致测量值差异，小结节可能漏检。"
    ),
    "lung-prior-kernel": "本次重建算法 {now}，前次 {then}：可致小结节测量值差异。",
    "lung-prior-networks": "前次检查由其他模型分析，检出的结节可能因此不同。",
    "lung-prior-breath": (
        "本次肺容积 {now_ml} ml，前次 {then_ml} ml：吸气程度或扫描范围不同，"
        "位置和大小可能有差异。"
    ),
    "prior-undated": "患者有其他检查结果，但检查日期缺失：未比较。",
    "prior-same-day": "患者的另一检查为同一天：未比较。",
    "prior-unreadable": "患者的前次结果无法读取：未比较。",
    "lung-solid-unsized": "结节 {nodule} 的实性成分未测量，分类时按全部为实性计。",
    "lung-unsized": "结节 {nodule} 未测量，Lung-RADS 分类未将其计入。",
    "lung-many": "检出结节超过 {most} 个，仅列出最可能的 {most} 个。",
}

# Chinese for what Fleischner 2017 advises, by the words of `fleischner.advise`.
ADVICE: Mapping[str, str] = {
    "no routine follow-up": "无需常规随访",
    "optional CT at 12 months": "可选择 12 个月后复查 CT",
    "CT at 6-12 months, then consider CT at 18-24 months": (
        "6–12 个月复查 CT，18–24 个月考虑再次复查"
    ),
    "CT at 6-12 months, then CT at 18-24 months": "6–12 个月及 18–24 个月复查 CT",
    "consider CT at 3 months, PET/CT, or tissue sampling": (
        "考虑 3 个月复查 CT、PET/CT 或组织活检"
    ),
    "CT at 3-6 months, then consider CT at 18-24 months": (
        "3–6 个月复查 CT，18–24 个月考虑再次复查"
    ),
    "CT at 3-6 months, then CT at 18-24 months": "3–6 个月及 18–24 个月复查 CT",
    "CT at 6-12 months to confirm persistence, then every 2 years until 5 years": (
        "6–12 个月复查 CT 确认是否持续存在，此后每 2 年复查至 5 年"
    ),
    "CT at 3-6 months to confirm persistence; highly suspicious if it persists: consider "
    "PET/CT, biopsy or resection": (
        "3–6 个月复查 CT 确认是否持续存在；持续存在则高度可疑，考虑 PET/CT、活检或切除"
    ),
    "CT at 3-6 months to confirm persistence, then, if the solid part stays below 6 mm, annual "
    "CT for 5 years": (
        "3–6 个月复查 CT 确认是否持续存在，实性成分保持小于 6 mm 者此后每年复查 CT 至 5 年"
    ),
    "CT at 3-6 months; if stable, consider CT at 2 and 4 years": (
        "3–6 个月复查 CT；稳定者考虑 2 年和 4 年复查"
    ),
    "CT at 3-6 months; then by the most suspicious nodule": (
        "3–6 个月复查 CT，此后按最可疑结节处理"
    ),
}

SHIPPED_BUNDLE = "lung_nodules"
