"""``medloop quantize``: an INT8 twin of a bundle's network, kept only if its figure holds.

The gate: the bundle's own main figure (Dice; AUC, or quadratic kappa of grades; sensitivity at
one false mark a case) falls by at most 0.5 points on cases that INT8 was not calibrated on. If
it falls further, the operations that harm the answers most compute in FP32 again: an eighth of
them, a quarter, then half. If that is not enough, the bundle gets no twin, and its card says
why. Images used to calibrate are kept nowhere.
"""

import math
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from jaxtyping import Float32
from numpy import ndarray

from medloop.core.errors import InputError, ServiceError
from medloop.evaluation.froc import froc, sensitivity_at
from medloop.learning.data.description import Task as Labels
from medloop.learning.evaluating import classification as classes
from medloop.learning.evaluating import detection as objects
from medloop.learning.evaluating import segmentation as voxels
from medloop.learning.evaluating.cases import Chosen, Count, choose, match_classes
from medloop.learning.gate import MOST_CASES, SHARES, Gate, Recorder, Rounding, with_verdict
from medloop.learning.integers import aligned, quantized, save_beside, unpacked
from medloop.models.bundle import CARD, INT8, WEIGHTS, Bundle, load_bundle, seal
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.detection_plan import DetectionPlan
from medloop.models.engines import Precision, Predictor
from medloop.models.predict import open_predictor, open_weights

Quantizer = Callable[[onnx.ModelProto, Sequence[Float32[ndarray, "b c *s"]]], onnx.ModelProto]


def quantize(
    bundle: Bundle,
    data: Path,
    out: Path,
    *,
    split: str | None = None,
    report: Count = lambda _done, _all: None,
    into: Quantizer = quantized,
) -> Gate:
    """Write a copy of a bundle to `out`, with an INT8 twin if that passes the gate.

    The gate is measured on the part `split` of the data, and without one on every second
    patient; calibration takes up to 32 cases of other patients.

    Raises
    ------
    InputError
        If the data are not what the bundle's task needs, name fewer than two patients, or give
        no figure.
    ServiceError
        If NNCF is not installed, or `out` cannot be written.
    """
    task = _task(bundle)
    every = choose(bundle, data, task, split=None, by=())
    measured = choose(bundle, data, task, split=split, by=()) if split else None
    calibrating, judged = divided(every, measured)
    exact = open_predictor(bundle, precision=Precision.FP32)
    recorder = Recorder(exact)
    _ask(bundle, recorder, calibrating, report)
    fp32 = main_figure(bundle, exact, judged, report)
    with tempfile.TemporaryDirectory() as scratch:
        twin = Path(scratch) / INT8[WEIGHTS]
        reference = unpacked(bundle.weights)
        whole = aligned(into(reference, recorder.kept), bundle.weights)
        rounding = Rounding(reference, whole, recorder.kept)
        gate = _best(rounding, bundle, (fp32, judged), twin, report)
        counts = {"calibrated_on": len(calibrating.cases), "measured_on": len(judged.cases)}
        about = {
            "in_fp32": list(gate.in_fp32),
            "data": every.dataset.name,
            "split": split or "every second patient",
            **counts,
        }
        card = with_verdict(bundle.card, gate, about)
        _write(bundle, out, twin if gate.passed else None, card)
    return gate


def divided(every: Chosen, measured: Chosen | None = None) -> tuple[Chosen, Chosen]:
    """Return cases to calibrate on, and cases of other patients to measure.

    Raises
    ------
    InputError
        If nothing is left to calibrate on.
    """
    patients = sorted({case.patient for case in every.cases})
    held = set(patients[1::2])
    if measured is not None:
        held = {case.patient for case in measured.cases}
    inside = [n for n, case in enumerate(every.cases) if case.patient in held]
    outside = [n for n, case in enumerate(every.cases) if case.patient not in held]
    if not inside or not outside:
        raise InputError(
            f"{every.dataset.name}: calibrating and measuring need different patients,"
            f" found {len(patients)} in all and {len(held)} to measure"
        )
    step = math.ceil(len(outside) / MOST_CASES)
    judged = measured if measured is not None else every.without(outside)
    taken = set(outside[::step])
    return every.without([n for n in range(len(every.cases)) if n not in taken]), judged


def main_figure(
    bundle: Bundle, network: Predictor, chosen: Chosen, report: Count
) -> tuple[str, float]:
    """Name and measure a bundle's main figure on some cases; higher is better.

    Raises
    ------
    InputError
        If the cases give none, such as an AUC of one class.
    """
    name, value = _figure(bundle, network, chosen, report)
    if not math.isfinite(value):
        raise InputError(f"{chosen.dataset.name}: {len(chosen.cases)} cases give no {name}")
    return name, value


def _figure(
    bundle: Bundle, network: Predictor, chosen: Chosen, report: Count
) -> tuple[str, float]:
    found = _ask(bundle, network, chosen, report)
    if isinstance(found, voxels.Segmented):
        return "Dice", float(voxels.mean_of(found.of("dice")[:, -1:])[0])
    if isinstance(found, classes.Classified):
        which = 2 if found.ordinal else 3
        measured = classes.overall(found, np.arange(len(found.truth)))
        return classes.names_of(found)[which], float(measured[which])
    curves = [froc(scans) for scans in found.judged if sum(len(scan.hits) for scan in scans)]
    at = [sensitivity_at(curve, 1.0) for curve in curves]
    return "sensitivity at 1 false mark", float(np.mean(at)) if at else math.nan


def _ask(
    bundle: Bundle, network: Predictor, chosen: Chosen, report: Count
) -> voxels.Segmented | classes.Classified | objects.Detected:
    """Answer every case as ``medloop evaluate`` does."""
    plan = bundle.plan
    if isinstance(plan, ClassificationPlan):
        numbers, _ = match_classes(plan.classes, chosen.dataset, bundle.name)
        return classes.run(plan, network, chosen, numbers, report)
    if isinstance(plan, DetectionPlan):
        numbers, _ = match_classes(plan.classes, chosen.dataset, bundle.name)
        return objects.run(plan, network, chosen, numbers, report)
    whole = bundle.segmentation_plan
    numbers, _ = match_classes(whole.classes, chosen.dataset, bundle.name)
    return voxels.run(whole, network, chosen, numbers, report)


def _task(bundle: Bundle) -> Labels:
    if isinstance(bundle.plan, ClassificationPlan):
        return Labels.CLASSIFICATION
    if isinstance(bundle.plan, DetectionPlan):
        return Labels.DETECTION
    bundle.segmentation_plan  # noqa: B018 (another kind is refused in one line)
    return Labels.SEGMENTATION


def _best(
    rounding: Rounding,
    bundle: Bundle,
    judged: tuple[tuple[str, float], Chosen],
    twin: Path,
    report: Count,
) -> Gate:
    """Write the twin with as few operations in FP32 as pass the gate, or the last one tried."""
    (name, fp32), chosen = judged
    every = len(rounding.operations())
    gate = Gate(name, fp32, -math.inf, (), every)
    for share in SHARES:
        onnx.save(rounding.with_spared(share), str(twin))
        network = open_weights(twin, precision=Precision.INT8)
        _, int8 = main_figure(bundle, network, chosen, report)
        gate = Gate(name, fp32, int8, rounding.spared(share), every)
        if gate.passed:
            break
    return gate


def _write(bundle: Bundle, out: Path, twin: Path | None, card: Mapping[str, Any]) -> None:
    """Copy a bundle under a hidden name, add twin and card, and rename it."""
    import tomli_w  # noqa: PLC0415 (only for cards)

    part = out.with_name(f".{out.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(bundle.folder, part)
        (part / INT8[WEIGHTS]).unlink(missing_ok=True)
        if twin is not None:
            save_beside(onnx.load(str(twin)), part / WEIGHTS, part / INT8[WEIGHTS])
        (part / CARD).write_text(tomli_w.dumps(card), encoding="utf-8")
        seal(part)
        load_bundle(part)
        if out.is_dir():
            out.rmdir()  # only an empty one
        part.replace(out)
    except OSError as why:
        raise ServiceError(f"{out} cannot be written: {why.strerror}") from why
    finally:
        shutil.rmtree(part, ignore_errors=True)
