"""The options of ``medloop train``."""

from argparse import ArgumentParser
from pathlib import Path


def train_options(parser: ArgumentParser) -> None:
    """Add the options of ``medloop train``."""
    parser.add_argument("recipe", metavar="RECIPE", help="name of a recipe")
    parser.add_argument("--data", type=Path, required=True, help="folder of the training data")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="folder of the bundle to make"
    )
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="overrule one field of the recipe (may be repeated)",
    )
    parser.add_argument(
        "--from",
        dest="base",
        metavar="BUNDLE",
        help="start from the weights of this bundle (a shipped or installed name, or a folder)",
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same weights (on CPU)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="also write the curves as TensorBoard events, under work/tensorboard",
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="also make INT8 twins of the networks, if the main figure holds out of fold",
    )
    parser.add_argument(
        "--ray",
        type=int,
        default=0,
        metavar="N",
        help="train in N processes of a Ray cluster (RAY_ADDRESS, or one started here)",
    )
    parser.add_argument(
        "--lesions",
        type=Path,
        metavar="RUN",
        help="folder of a retina_lesions training: its lesions give a second opinion of grades",
    )
