"""A bundle: a folder with everything needed to run one trained network, and to trust it.

``card.toml`` (what it is for, how it was made, how good it is), ``plan.json``, the weights in
``weights.onnx``, ``weights.int8.onnx`` where accuracy holds in INT8 (it refers to whole numbers
in ``weights.onnx``), ``forest.onnx`` where trees read another bundle's maps, and
``hashes.json`` (SHA-256 of each of them, checked on every load). Training leaves what another
training may start from: ``network.safetensors``, and ``adapter.safetensors`` where only
adapters moved.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from medloop.core.errors import InputError
from medloop.core.finding import Weights
from medloop.models.classification_plan import ClassificationPlan, classification_plan_from
from medloop.models.detection_plan import DetectionPlan, detection_plan_from
from medloop.models.nodule_plan import NodulePlan, nodule_plan_from
from medloop.models.plan import Plan, Task, plan_from_json
from medloop.models.segmentation_plan import SegmentationPlan, segmentation_plan_from

CARD, PLAN, WEIGHTS, HASHES = "card.toml", "plan.json", "weights.onnx", "hashes.json"
RUN: Final = Path("work", "recipe.json")  # what a training keeps its settings in
FOREST = "forest.onnx"
SCREEN = "screen.onnx"  # the first of two networks that look for nodules
INT8 = {WEIGHTS: "weights.int8.onnx", SCREEN: "screen.int8.onnx"}  # twins, where they are
NETWORK, ADAPTER = "network.safetensors", "adapter.safetensors"  # for whoever trains on
AnyPlan = Plan | SegmentationPlan | ClassificationPlan | DetectionPlan | NodulePlan


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A verified bundle folder. `card` is card.toml as read: an open document for people."""

    name: str
    version: str
    folder: Path
    plan: AnyPlan
    card: Mapping[str, Any]  # TOML has no closed type
    sha256: str

    @property
    def weights(self) -> Path:
        """FP32 weights, ONNX."""
        return self.folder / WEIGHTS

    @property
    def photograph_plan(self) -> Plan:
        """The plan of a network that reads photographs; `InputError` if this is none."""
        if not isinstance(self.plan, Plan):
            raise InputError(f"bundle {self.name} is for {self.plan.task}, not for photographs")
        return self.plan

    @property
    def segmentation_plan(self) -> SegmentationPlan:
        """The plan of a network that labels voxels; `InputError` if this is none."""
        if not isinstance(self.plan, SegmentationPlan):
            wanted = Task.SEGMENTATION
            raise InputError(f"bundle {self.name} is for {self.plan.task}, not {wanted}")
        return self.plan

    @property
    def classification_plan(self) -> ClassificationPlan:
        """The plan of a network that gives an image a class; `InputError` if this is none."""
        if not isinstance(self.plan, ClassificationPlan):
            wanted = Task.CLASSIFICATION
            raise InputError(f"bundle {self.name} is for {self.plan.task}, not {wanted}")
        return self.plan

    @property
    def detection_plan(self) -> DetectionPlan:
        """The plan of a network that finds objects; `InputError` if this is none."""
        if not isinstance(self.plan, DetectionPlan):
            raise InputError(
                f"bundle {self.name} is for {self.plan.task}, not {Task.DETECTION}"
            )
        return self.plan

    @property
    def nodule_plan(self) -> NodulePlan:
        """The plan of networks that look for nodules; `InputError` if this is none."""
        if not isinstance(self.plan, NodulePlan):
            raise InputError(f"bundle {self.name} is for {self.plan.task}, not {Task.NODULES}")
        return self.plan

    def twin(self, network: Path) -> Path | None:
        """INT8 weights of one of the bundle's networks; None where it has none."""
        path = network.with_name(INT8.get(network.name, network.name))
        return path if path != network and path.is_file() else None

    @property
    def screen(self) -> Path:
        """Weights of the first of two networks that look for nodules, ONNX.

        `InputError` if the bundle has none.
        """
        path = self.folder / SCREEN
        if not path.is_file():
            raise InputError(f"bundle {self.name} lacks {SCREEN}: half of what finds nodules")
        return path

    @property
    def both_identities(self) -> tuple[Weights, Weights]:
        """What a result says about the two networks that look for nodules."""
        return self.identity, Weights(self.name, self.version, sha256_of(self.screen))

    @property
    def forest(self) -> Path | None:
        """The second reader's trees, ONNX; None where the network answers alone."""
        path = self.folder / FOREST
        reads = isinstance(self.plan, Plan) and self.plan.reads
        return path if reads and path.is_file() else None

    @property
    def identity(self) -> Weights:
        """What a result says about the network that answered."""
        return Weights(self.name, self.version, self.sha256)


def shipped_bundles() -> tuple[str, ...]:
    """Names of the bundles that come with the package."""
    return tuple(sorted(p.name for p in _shipped().iterdir() if (p / CARD).is_file()))


def shipped_weights(name: str) -> frozenset[str]:
    """SHA-256 of what is in the shipped bundle of a name; empty if there is none."""
    path = _shipped() / name / HASHES
    if not path.is_file():
        return frozenset()
    return frozenset(json.loads(path.read_text(encoding="utf-8")).values())


def load_bundle(source: str | Path) -> Bundle:
    """Load a bundle by shipped name or folder, and check every hash.

    Raises
    ------
    InputError
        If there is no such bundle, a file is missing, or a hash does not match.
    """
    folder = Path(source)
    if not folder.is_dir():
        folder = _shipped() / str(source)
    if not (folder / CARD).is_file():
        if (folder / RUN).is_file():
            raise InputError(
                f"{source}: the training is not finished, so there is no bundle yet; go on with"
                " the same medloop train and --resume"
            )
        known = ", ".join(shipped_bundles()) or "none"
        raise InputError(f"{source} is neither a bundle folder nor shipped (shipped: {known})")
    verify(folder)
    try:
        card = tomllib.loads((folder / CARD).read_text(encoding="utf-8"))
        name, version = str(card["name"]), str(card["version"])
    except (tomllib.TOMLDecodeError, KeyError) as why:
        raise InputError(f"{folder / CARD} is no card: {why}") from why
    plan = any_plan((folder / PLAN).read_text(encoding="utf-8"))
    return Bundle(name, version, folder, plan, card, sha256_of(folder / WEIGHTS))


def any_plan(text: str) -> AnyPlan:
    """Read a plan of any kind; `InputError` if it is none."""
    try:
        raw = json.loads(text)
    except ValueError as why:
        raise InputError("plan.json is not a plan: it is no JSON") from why
    task = raw.get("task") if isinstance(raw, dict) else None
    if task == Task.SEGMENTATION:
        return segmentation_plan_from(raw)
    if task == Task.CLASSIFICATION:
        return classification_plan_from(raw)
    if task == Task.DETECTION:
        return detection_plan_from(raw)
    if task == Task.NODULES:
        return nodule_plan_from(raw)
    return plan_from_json(text)


def verify(folder: Path) -> None:
    """Check that each file is what ``hashes.json`` says; `InputError` names one that is not."""
    try:
        expected = json.loads((folder / HASHES).read_text(encoding="utf-8"))
    except (OSError, ValueError) as why:
        said = getattr(why, "strerror", None) or "it is no JSON"
        raise InputError(f"{folder / HASHES} cannot be read: {said}") from why
    if not isinstance(expected, dict) or not all(isinstance(d, str) for d in expected.values()):
        raise InputError(f"{folder / HASHES} is no list of SHA-256 by file name")
    for name in (CARD, PLAN, WEIGHTS):
        if name not in expected:
            raise InputError(f"{folder / HASHES} does not list {name}")
    for name, digest in expected.items():
        path = folder / name
        if not path.is_file():
            raise InputError(f"{path} is missing")
        if (found := sha256_of(path)) != digest:
            raise InputError(f"{path} has SHA-256 {found[:12]}..., expected {digest[:12]}...")


def seal(folder: Path) -> None:
    """Write ``hashes.json`` over the files a bundle has now."""
    known = (CARD, PLAN, WEIGHTS, SCREEN, *INT8.values(), FOREST, NETWORK, ADAPTER)
    names = [name for name in known if (folder / name).is_file()]
    digests = {name: sha256_of(folder / name) for name in names}
    (folder / HASHES).write_text(json.dumps(digests, indent=2) + "\n", encoding="utf-8")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _shipped() -> Path:
    return Path(str(files("medloop.models"))) / "shipped"
