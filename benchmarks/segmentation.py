"""Dice of one fold, trained here and by nnU-Net v2 on the same cases for the same time.

``python -m benchmarks.segmentation --data DIR --run RUN --work FOLDER [--fold 0]``: trains a
fold of the recipe (or goes on with it, in RUN), then nnU-Net's ``3d_fullres`` on the same
division until it has computed for as long, its rate falling to zero by then. Both use one
thread, and the clock is the processor's, so that other work on the machine counts for neither
side. Preparation of the cases is left out for both; nnU-Net validates two batches an epoch.
Held-out cases are answered with mirror images as each side does by default, and scored alike,
on their own grids.

It needs ``pip install nnunetv2``, and DIR in a layout that ``medloop train`` reads, in NIfTI.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from benchmarks.machine import describe
from medloop.evaluation.bootstrap import interval_95
from medloop.learning.segmentation.opening import Planned, plan_segmentation
from medloop.learning.train import Order, train

NAME, NUMBER = "Dataset004_peer", 4
STEPS = 50  # of nnU-Net, between looks at the clock


def ours(planned: Planned, options: argparse.Namespace) -> tuple[float, dict[str, list[float]]]:
    """Train the fold; return minutes of the processor and each case's Dice by class."""
    spent_s = 0.0
    kept = options.run / "minutes.json"
    if kept.is_file():
        spent_s = 60 * json.loads(kept.read_text())[f"fold{options.fold}"]
    else:
        order = Order(planned.recipe, options.data, options.run, resume=True, planned=planned)
        seconds: list[float] = []
        began = [time.process_time()]

        def epoch(_milestone: object) -> None:
            seconds.append(time.process_time() - began[0])
            began[0] = time.process_time()
            print(f"  medloop: epoch {len(seconds)}, {seconds[-1]:.0f} s", flush=True)

        train(order, report=epoch)
        # the first epoch's time holds the preparation of the cases
        spent_s = sum(seconds[1:]) + float(np.median(seconds[1:]))
        kept.write_text(json.dumps({f"fold{options.fold}": spent_s / 60}))
    found = json.loads((options.run / "folds" / f"fold{options.fold}.json").read_text())
    return spent_s / 60, dict(zip(found["name"], found["dice"], strict=True))


def theirs(
    planned: Planned, fold: int, minutes: float, work: Path
) -> tuple[float, dict[str, list[float]]]:
    """Let nnU-Net plan, prepare and train; return minutes and each case's Dice by class."""
    for part in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{part}"] = str(work / part)
    os.environ |= {"nnUNet_n_proc_DA": "1", "nnUNet_def_n_proc": "1", "nnUNet_compile": "f"}
    _write_raw(planned, work / "raw" / NAME)
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api  # noqa: PLC0415 (reads the environment)
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # noqa: PLC0415

    prepared = work / "preprocessed" / NAME
    if not (prepared / "nnUNetPlans_3d_fullres").is_dir():
        api.extract_fingerprints([NUMBER], num_processes=1)
        api.plan_experiments([NUMBER])
        api.preprocess([NUMBER], configurations=("3d_fullres",), num_processes=(1,))
    (prepared / "splits_final.json").write_text(json.dumps([_split(planned, fold)]))
    os.environ |= {"nnUNet_n_proc_DA": "0"}  # in this thread, as its planner does not allow
    torch.set_num_threads(1)
    shutil.rmtree(work / "results", ignore_errors=True)
    trainer = nnUNetTrainer(
        json.loads((prepared / "nnUNetPlans.json").read_text()) | {"continue_training": False},
        "3d_fullres",
        0,
        json.loads((prepared / "dataset.json").read_text()),
        device=torch.device("cpu"),
    )
    trainer.num_val_iterations_per_epoch = 2
    trainer.on_train_start()
    began = time.process_time()
    while (done := (time.process_time() - began) / (60 * minutes)) < 1:
        trainer.on_epoch_start()
        trainer.on_train_epoch_start()
        trainer.lr_scheduler.step(done * trainer.num_epochs)  # its polynomial, by time
        steps = [trainer.train_step(next(trainer.dataloader_train)) for _ in range(STEPS)]
        trainer.on_train_epoch_end(steps)
        with torch.no_grad():
            trainer.on_validation_epoch_start()
            seen = [trainer.validation_step(next(trainer.dataloader_val)) for _ in range(2)]
            trainer.on_validation_epoch_end(seen)
        trainer.on_epoch_end()
        print(
            f"  nnU-Net: {done:.0%}, {trainer.current_epoch} x {STEPS} steps",
            flush=True,
        )
    spent = (time.process_time() - began) / 60
    trainer.perform_actual_validation()
    answers = Path(trainer.output_folder) / "validation"
    labels = work / "raw" / NAME / "labelsTr"
    return spent, {
        path.name.removesuffix(".nii.gz"): _dice(
            labels / path.name, path, len(planned.dataset.classes)
        )
        for path in sorted(answers.glob("*.nii.gz"))
    }


def _write_raw(planned: Planned, folder: Path) -> None:
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for case in planned.sources:
        for n, channel in enumerate(case.channels):
            _link(channel.path, folder / "imagesTr" / f"{case.name}_{n:04d}.nii.gz")
        _link(case.label.path, folder / "labelsTr" / f"{case.name}.nii.gz")  # type: ignore[union-attr] # NIfTI
    classes = {name: values[0] for name, values in planned.dataset.classes.items()}
    about = {
        "channel_names": dict(enumerate(planned.dataset.channels)),
        "labels": {"background": 0, **classes},
        "numTraining": len(planned.sources),
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(about))


def _link(source: Path, target: Path) -> None:
    if not target.exists():
        target.symlink_to(source.resolve())


def _split(planned: Planned, fold: int) -> Mapping[str, Sequence[str]]:
    return {
        "train": [name for name, f in planned.fold_of.items() if f != fold],
        "val": [name for name, f in planned.fold_of.items() if f == fold],
    }


def _dice(truth: Path, answer: Path, classes: int) -> list[float]:
    one, other = (np.asarray(nib.load(path).dataobj) for path in (truth, answer))
    pairs = ((one == n, other == n) for n in range(1, classes + 1))
    return [float(2 * (a & b).sum() / max(a.sum() + b.sum(), 1)) for a, b in pairs]


def _mean(values: np.ndarray) -> str:
    rng = np.random.default_rng(0)
    mean, low, high = interval_95(lambda n: values[n].mean(), cases=len(values), rng=rng)
    return f"{mean:.4f} ({low:.4f} to {high:.4f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--recipe", default="hippocampus")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(describe())
    settings = dict(pair.split("=", 1) for pair in options.set)
    settings |= {"folds": str(options.fold), "final": "false"}
    planned = plan_segmentation(options.recipe, options.data, settings)
    minutes, mine = ours(planned, options)
    peer_minutes, peer = theirs(planned, options.fold, minutes, options.work)
    names = sorted(mine)
    for n, label in enumerate(planned.dataset.classes):
        for side, dice in (("medloop", mine), ("nnU-Net", peer)):
            print(f"{label} {side}: Dice {_mean(np.array([dice[name][n] for name in names]))}")
        gain = np.array([mine[name][n] - peer[name][n] for name in names])
        print(f"{label}: Dice of medloop less that of nnU-Net {_mean(gain)}")
    print(f"{len(names)} cases; medloop {minutes:.1f} min, nnU-Net {peer_minutes:.1f} min")


if __name__ == "__main__":
    main()
