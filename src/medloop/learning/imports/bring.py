"""From a foreign network to a bundle: exported, compared with its original, sealed."""

import re
import shutil
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import tomli_w
import torch
from torch import Tensor, nn

from medloop.core.errors import FOREIGN_ERRORS, InputError
from medloop.learning.base import save_network
from medloop.learning.exporter_notes import without_exporter_notes
from medloop.learning.imports.frame import Frame
from medloop.learning.imports.monai_bundle import read_monai_bundle
from medloop.learning.imports.nnunet import read_nnunet
from medloop.learning.imports.source import Foreign
from medloop.models.architecture import Kind
from medloop.models.bundle import CARD, NETWORK, PLAN, WEIGHTS, Bundle, load_bundle, seal
from medloop.models.predict import open_weights

_FARTHEST = 1e-4  # between a probability of the original and of the ONNX file
_LARGEST_ZIP = 16 * 2**30  # bytes, unpacked


class Answer(nn.Module):
    """Mean logits of foreign networks, as probabilities, on arrays in our frame."""

    def __init__(self, members: Sequence[nn.Module], frame: Frame | None) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.frame = frame

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, C, S) to probabilities (B, N, S), background first."""
        x = image if self.frame is None else self.frame.to_foreign(image)
        logits = torch.stack([member(x) for member in self.members]).mean(0)
        out = torch.softmax(logits, dim=1)
        return out if self.frame is None else self.frame.to_ours(out)


def bring(source: Path, out: Path, *, orientation: str | None = None) -> Bundle:
    """Make a bundle at `out` of a MONAI bundle (folder or zip) or an nnU-Net results folder.

    `orientation` says where the training images' columns, rows and slices ran, as ``"LPS"``,
    where the source does not: nnU-Net keeps no record of it, and LPS is assumed.

    Raises
    ------
    InputError
        If the source is neither, is damaged, or asks for what a plan cannot say; or if the ONNX
        network answers otherwise than its original.
    ServiceError
        If a library the source needs is not installed.
    """
    with _opened(source) as folder:
        if (folder / "plans.json").is_file():
            foreign = read_nnunet(folder, orientation=orientation)
        elif (folder / "configs" / "metadata.json").is_file():
            foreign = read_monai_bundle(folder, orientation=orientation)
        else:
            raise InputError(
                f"{source} has neither plans.json (nnU-Net) nor configs/metadata.json (MONAI)"
            )
        part = out.with_name(f".{uuid.uuid4().hex}")
        part.mkdir(parents=True)
        try:
            _write(foreign, part, name=_name(out))
            part.rename(out)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return load_bundle(out)


@contextmanager
def _opened(source: Path) -> Iterator[Path]:
    """Yield the folder with the configuration: the source, or what a zip holds."""
    if source.is_dir():
        yield source
        return
    with TemporaryDirectory() as scratch:
        try:
            with zipfile.ZipFile(source) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
                if size > _LARGEST_ZIP:
                    raise InputError(
                        f"{source} unpacks to {size} bytes, at most {_LARGEST_ZIP}"
                    )
                archive.extractall(scratch)
        except FOREIGN_ERRORS as why:
            raise InputError(f"{source} cannot be unpacked: {type(why).__name__}") from why
        except zipfile.BadZipFile as why:
            raise InputError(f"{source} is neither a folder nor a zip") from why
        roots = sorted(Path(scratch).rglob("configs/metadata.json"))
        yield roots[0].parent.parent if roots else Path(scratch)


def _write(foreign: Foreign, folder: Path, *, name: str) -> None:
    model = Answer(foreign.networks, foreign.frame).eval()
    plan = foreign.plan
    rng = np.random.default_rng(0)
    shape = (1, len(plan.channels), *plan.patch)
    example = torch.from_numpy(rng.standard_normal(shape, np.float32))
    try:
        with torch.no_grad():
            wanted = model(example).numpy()
    except FOREIGN_ERRORS as why:
        raise InputError(
            f"the network refuses a window of {plan.patch}: {_first(why)}"
        ) from why
    if wanted.shape != (1, len(plan.classes) + 1, *plan.patch):
        raise InputError(
            f"the network answers {wanted.shape[1:]}, told were {len(plan.classes)} classes and"
            f" background on {plan.patch}"
        )
    _export(model, example, folder / WEIGHTS, is_script=foreign.is_script)
    runtime = open_weights(folder / WEIGHTS, engine="onnxruntime")
    found = runtime.run(example.numpy())["probability"]
    if not (farthest := float(np.abs(found - wanted).max())) <= _FARTHEST:
        raise InputError(
            f"the ONNX network is {farthest:.2g} away from its original, limit {_FARTHEST}"
        )
    if plan.architecture.kind is not Kind.FOREIGN:
        save_network(foreign.networks[0], folder / NETWORK)  # as it is, for whoever trains on
    (folder / PLAN).write_text(plan.to_json(), encoding="utf-8")
    (folder / CARD).write_text(_card(foreign, name, farthest), encoding="utf-8")
    seal(folder)


def _export(model: nn.Module, example: Tensor, path: Path, *, is_script: bool) -> None:
    """Write FP32 ONNX; a TorchScript program can only be traced."""
    try:
        with without_exporter_notes(), torch.no_grad():
            torch.onnx.export(
                torch.jit.trace(model, example) if is_script else model,
                (example,),
                str(path),
                input_names=["image"],
                output_names=["probability"],
                dynamo=not is_script,
                external_data=False,
                verbose=False,
            )
    except FOREIGN_ERRORS as why:
        raise InputError(f"the network has no ONNX form: {_first(why)}") from why
    proto = onnx.load(str(path))
    proto.doc_string = proto.graph.doc_string = ""
    for part in (proto, proto.graph, *proto.graph.node):
        del part.metadata_props[:]
        part.doc_string = ""
    path.write_bytes(proto.SerializeToString(deterministic=True))


@dataclass(frozen=True, slots=True)
class _Facts:
    """What every imported card says."""

    not_for: tuple[str, ...] = (
        "diagnosis or treatment",
        "any use before its accuracy was measured on data of one's own",
    )
    intended_use: str = "Research: a network that another program trained, run by medloop."
    how: str = "nothing was measured here: the network was imported as it is"


def _card(foreign: Foreign, name: str, farthest: float) -> str:
    facts = _Facts()
    return tomli_w.dumps(
        {
            "name": name,
            "version": foreign.version,
            "title": foreign.title,
            "intended_use": facts.intended_use,
            "not_for": list(facts.not_for),
            "limits": list(foreign.limits),
            "license": foreign.license,
            "classes": {each: f"label {n + 1}" for n, each in enumerate(foreign.plan.classes)},
            "training": {
                "data": f"not known here: {foreign.origin}",
                "imported_from": foreign.origin,
                "files_sha256": dict(foreign.files),
                "farthest_from_original": farthest,
            },
            "evaluation": {"how": facts.how, "figures": []},
        },
        multiline_strings=False,
    )


def _name(out: Path) -> str:
    """Make a bundle's name of a folder's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", out.resolve().name).strip("._-") or "imported"


def _first(why: BaseException) -> str:
    return (str(why).strip().splitlines() or [type(why).__name__])[0][:200]
