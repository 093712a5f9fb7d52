"""What ``medloop structures`` understands; the work is done in `structures`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from medloop.apps.console import Exit, UsageError
from medloop.apps.settings import Settings

SUMMARY: Final = (
    "Grow, shrink and combine contours, and measure the dose to them. Target volumes are a"
    " physician's decision: this only grows what a physician drew."
)
EXAMPLES: Final = (
    "expand rtstruct.dcm --image CT/ --roi GTV --margin 5 --name CTV --crop-to BODY -o ctv.dcm",
    "expand ctv.dcm --image CT/ --roi CTV --margin left=3,right=3,superior=5 -o ptv.dcm",
    "combine rtstruct.dcm --image CT/ --roi PTV --minus SpinalCord --gap 2 -o out.dcm",
    "dose rtstruct.dcm --image CT/ --dose rtdose.dcm --json",
)
OPERATIONS: Final = ("union", "intersection", "subtraction", "xor")
_SIDES: Final = ("right", "left", "anterior", "posterior", "superior", "inferior")
_VERBS: Final = ("expand", "combine", "dose")


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", choices=_VERBS)
    parser.add_argument(
        "structures",
        metavar="STRUCTURES",
        type=Path,
        help="an RT structure set, or a label map as NIfTI",
    )
    parser.add_argument(
        "--image",
        type=Path,
        metavar="FOLDER",
        help="the images a structure set was drawn on (not for NIfTI)",
    )
    parser.add_argument(
        "--roi",
        dest="rois",
        metavar="NAME",
        action="append",
        default=[],
        help="a structure by name, or a label of a NIfTI file by number (may be repeated)",
    )
    parser.add_argument(
        "--margin",
        type=margin_of,
        metavar="MM",
        help="expand: mm on all sides, or right=MM,left=MM,anterior=MM,posterior=MM,"
        "superior=MM,inferior=MM (0 where not named); negative numbers shrink",
    )
    parser.add_argument(
        "--operation", choices=OPERATIONS, default="union", help="combine: how (default union)"
    )
    parser.add_argument("--crop-to", metavar="NAME", help="keep only what lies in this one")
    parser.add_argument(
        "--minus",
        metavar="NAME",
        action="append",
        default=[],
        help="leave out what lies in this one (may be repeated)",
    )
    parser.add_argument(
        "--gap",
        type=float,
        default=0.0,
        metavar="MM",
        help="distance to keep from the surfaces of --crop-to and --minus",
    )
    parser.add_argument("--name", help="name of the structure made, such as CTV or PTV")
    parser.add_argument("--dose", type=Path, metavar="FILE", help="dose: an RT dose in Gy")
    parser.add_argument(
        "--at",
        dest="doses_gy",
        type=float,
        metavar="GY",
        action="append",
        default=[],
        help="dose: also the volume that receives so many Gy (may be repeated; 20 gives V20)",
    )
    parser.add_argument("--json", action="store_true", help="dose: print JSON")
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        help="file to write: .dcm (RT structure set) or .nii.gz; dose: .csv of histograms",
    )


def answer(options: Namespace, _settings: Settings) -> Exit:
    """Check that the options belong together, and do what they ask.

    Raises
    ------
    UsageError
        If they do not.
    """
    from medloop.apps import structures

    wanted = structures.Wanted(
        options.structures,
        options.image,
        tuple(options.rois),
        options.crop_to,
        tuple(options.minus),
        options.gap,
    )
    if options.action == "dose":
        if options.dose is None:
            raise UsageError("structures dose needs --dose FILE")
        out = structures.Told(tuple(options.doses_gy), options.json, options.out)
        return structures.show_dose(wanted, options.dose, out)
    _require(options)
    name = options.name or ("grown" if options.action == "expand" else "combined")
    if options.action == "expand":
        return structures.expand_one(wanted, options.margin, name, options.out)
    return structures.combine(wanted, options.operation, name, options.out)


def _require(options: Namespace) -> None:
    verb = f"structures {options.action}"
    if options.out is None or not options.out.name.endswith((".dcm", ".nii", ".nii.gz")):
        raise UsageError(f"{verb} needs -o FILE, ending in .dcm, .nii or .nii.gz")
    if not options.gap >= 0:
        raise UsageError(f"--gap {options.gap:g} is below 0")
    if options.action == "expand":
        if len(options.rois) != 1:
            raise UsageError(f"{verb} needs one --roi, got {len(options.rois)}")
        if options.margin is None:
            raise UsageError(f"{verb} needs --margin")
    elif not options.rois:
        raise UsageError(f"{verb} needs --roi")


def margin_of(text: str) -> dict[str, float]:
    """Read a margin: one number, or sides with their numbers; in mm.

    Raises
    ------
    UsageError
        If it is neither.
    """
    try:
        if "=" not in text:
            return dict.fromkeys(_SIDES, float(text))
        sides = dict(part.split("=", 1) for part in text.replace(" ", "").split(","))
        if set(sides) <= set(_SIDES):
            return dict.fromkeys(_SIDES, 0.0) | {k: float(v) for k, v in sides.items()}
    except ValueError:
        pass
    raise UsageError(f"--margin {text!r} is no number and names no sides ({', '.join(_SIDES)})")
