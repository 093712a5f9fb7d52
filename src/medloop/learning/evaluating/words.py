"""The two languages of the page that an evaluation writes."""

from collections.abc import Mapping
from enum import StrEnum


class Language(StrEnum):
    """What the page is written in, as in ``--lang``."""

    ENGLISH = "en"
    CHINESE = "zh"


# Phrases by key: (English, Chinese). What is no key, such as a class, is shown as it is.
BOOK: Mapping[str, tuple[str, str]] = {
    "evaluation": ("Evaluation", "模型评估"),
    "figures": ("Figures", "指标"),
    "figure": ("Measure", "指标"),
    "of_all": ("all", "总体"),
    "mean_of_classes": ("mean of classes", "各类平均"),
    "value": ("Value", "数值"),
    "interval_95": ("95 % interval", "95% 置信区间"),
    "interval_by": ("Interval", "区间方法"),
    "bootstrap": ("bootstrap", "自助法"),
    "cases": ("n", "例数"),
    "class": ("Class", "类别"),
    "no_interval": ("none", "无"),
    "not_reported": ("not reported (n < 10)", "例数不足 10，不报告"),
    "bundle": ("Bundle", "模型包"),
    "weights": ("Weights (SHA-256)", "权重 (SHA-256)"),
    "data": ("Data", "数据"),
    "split": ("Part", "数据划分"),
    "patients": ("Patients", "患者数"),
    "photographs": ("Photographs", "照片数"),
    "measured_cases": ("Cases", "病例数"),
    "how": ("Intervals", "区间计算"),
    "how_cases": (
        "95 %, by bootstrap over cases unless named otherwise",
        "95%；除另注明外，对病例作自助法重抽样",
    ),
    "how_patients": (
        "95 %, by bootstrap over patients unless named otherwise",
        "95%；除另注明外，对患者作自助法重抽样",
    ),
    "case": ("case", "病例"),
    "reason": ("Reason", "原因"),
    "left_out": ("Cases left out", "未纳入的病例"),
    "by_group": ("By {column}", "按 {column} 分组"),
    "not_stated": ("not stated", "未提供"),
    # segmentation
    "dice": ("Dice", "Dice 系数"),
    "hd95": ("HD95", "95% 豪斯多夫距离"),
    "mean_surface_distance": ("Mean surface distance", "平均表面距离"),
    "surface_dice_1": ("Surface Dice at 1", "表面 Dice（容差 1）"),
    "surface_dice_2": ("Surface Dice at 2", "表面 Dice（容差 2）"),
    "surface_dice_3": ("Surface Dice at 3", "表面 Dice（容差 3）"),
    "volume_difference": ("Volume, found less true", "体积差（模型减真实）"),
    "volume_error": ("Volume error, absolute", "体积绝对误差"),
    "volume_error_share": ("Volume error, share of the truth", "体积相对误差"),
    "missed": ("Cases where the class was missed", "完全漏检的病例比例"),
    "invented": ("Cases where the class was invented", "无中生有的病例比例"),
    "dice_by_case": ("Dice of each case", "各病例 Dice"),
    "volumes": ("Volume of each case", "各病例体积"),
    "true_volume": ("true volume", "真实体积"),
    "found_volume": ("volume found", "模型体积"),
    "worst_cases": ("Worst cases", "表现最差的病例"),
    "worst_note": (
        "All cases stand in cases.csv, the worst first.",
        "全部病例见 cases.csv，按表现由差到好排列。",
    ),
    "contours_note": (
        "The slice with the most disagreement; green: true outline, orange: found.",
        "分歧最大的层面；绿色：真实轮廓，橙色：模型轮廓。",
    ),
    "worst_pictures": ("The worst cases in pictures", "最差病例图示"),
    # classification
    "accuracy": ("Accuracy", "准确率"),
    "balanced_accuracy": ("Balanced accuracy", "平衡准确率"),
    "kappa": ("Cohen's kappa", "Cohen kappa"),
    "quadratic_kappa": ("Quadratic-weighted kappa", "二次加权 kappa"),
    "auc": ("AUC", "AUC"),
    "macro_auc": ("Macro AUC (one class against the rest)", "宏平均 AUC（一对多）"),
    "average_precision": ("Average precision", "平均精确率"),
    "recall": ("Recall", "召回率"),
    "precision": ("Precision", "精确率"),
    "ece": ("Expected calibration error", "期望校准误差"),
    "brier": ("Brier score", "Brier 分数"),
    "sensitivity": ("Sensitivity", "灵敏度"),
    "specificity": ("Specificity", "特异度"),
    "ppv": ("Positive predictive value", "阳性预测值"),
    "npv": ("Negative predictive value", "阴性预测值"),
    "f1": ("F1", "F1"),
    "roc": ("ROC curve", "ROC 曲线"),
    "precision_recall": ("Precision against recall", "精确率-召回率曲线"),
    "reliability": ("Calibration", "校准曲线"),
    "one_minus_specificity": ("1 - specificity", "1 - 特异度"),
    "stated": ("probability stated", "模型给出的概率"),
    "seen": ("share seen", "实际发生比例"),
    "top_class": ("most probable class", "最可能类别"),
    "classes": (
        "True class (rows) against class given (columns)",
        "真实类别（行）与判定类别（列）",
    ),
    "bins": ("Cases behind the calibration curve", "校准曲线各区间例数"),
    "range": ("range", "区间"),
    "operating_point": ("Operating point", "工作点"),
    "threshold": ("Threshold", "阈值"),
    "chosen": ("chosen point", "所选工作点"),
    "as_it_runs": ("most probable class", "默认（最可能类别）"),
    # detection
    "froc": ("FROC curve", "FROC 曲线"),
    "cpm": ("CPM", "CPM"),
    "froc_0.125": ("Sensitivity at 1/8 false marks per scan", "每例 1/8 假阳性时的灵敏度"),
    "froc_0.25": ("Sensitivity at 1/4", "每例 1/4 假阳性时的灵敏度"),
    "froc_0.5": ("Sensitivity at 1/2", "每例 1/2 假阳性时的灵敏度"),
    "froc_1": ("Sensitivity at 1", "每例 1 个假阳性时的灵敏度"),
    "froc_2": ("Sensitivity at 2", "每例 2 个假阳性时的灵敏度"),
    "froc_4": ("Sensitivity at 4", "每例 4 个假阳性时的灵敏度"),
    "froc_8": ("Sensitivity at 8", "每例 8 个假阳性时的灵敏度"),
    "ap": ("Average precision of boxes", "边界框平均精确率"),
    "sensitivity_at_threshold": ("Sensitivity at the threshold", "默认阈值下的灵敏度"),
    "false_at_threshold": (
        "False marks per case at the threshold",
        "默认阈值下每例假阳性数",
    ),
    "false_per_scan": ("false marks per scan", "每例假阳性数"),
    "objects": ("Objects", "目标数"),
    "cases_with": ("cases with any", "含目标病例数"),
    "missed_objects": ("missed", "漏检"),
    "false_marks": ("false marks", "假阳性"),
    "mean_dice": ("mean Dice", "平均 Dice"),
    "true_class": ("true class", "真实类别"),
    "given_class": ("class given", "判定类别"),
    "p_true": ("probability of the true class", "真实类别概率"),
    "sex": ("sex", "性别"),
    "age": ("age", "年龄"),
    "site": ("site", "中心"),
    # comparison
    "comparison": ("Compared on the same cases", "同一病例上的比较"),
    "this_bundle": ("this", "本模型"),
    "other_bundle": ("other", "对照模型"),
    "difference": ("difference", "差值"),
    "test": ("test", "检验"),
    "comparison_note": (
        "Differences are this less other; p is two-sided and not corrected for their number.",
        "差值为本模型减对照模型；p 为双侧，未作多重比较校正。",
    ),
}  # fmt: skip


def say(key: str, language: Language, **values: str) -> str:
    """Look up a phrase and fill in its values; what is no key comes back as it is."""
    if key not in BOOK:
        return key
    english, chinese = BOOK[key]
    text = chinese if language is Language.CHINESE else english
    return text.format(**values) if values else text
