"""What a soak process does with one file: read all that medloop reads of it."""

import json
import resource
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

from medloop.core.errors import MedloopError
from medloop.core.study import Content, Selection
from medloop.workflow.intake import FolderArchive, gather
from tests.memory import memory_kb
from tests.soak.mutate import mutated

ADDRESS_SPACE_BYTES = 6 << 30  # keeps the machine alive; what counts is the resident 2 GB


@dataclass(frozen=True, slots=True)
class Read:
    """How the reading of one file ended; `trouble` is empty when it ended as promised."""

    number: int
    images: int
    trouble: str
    peak_bytes: int


def read_everything(file: Path, scratch: Path) -> int:
    """Index a file and read every image in it; return how many could be read."""
    intake = gather([file], scratch=scratch)
    assert all(problem.reason and "\n" not in problem.reason for problem in intake.problems)
    archive = FolderArchive(intake)
    images = 0
    for study in intake.studies:
        for series in study.series:
            if series.content is Content.NONE:
                continue
            try:
                images += len(archive.case(study, Selection((series,))).images)
            except MedloopError as error:
                if "\n" in str(error):
                    raise AssertionError(f"more than one line: {error!r}") from error
    return images


def read_one(sources: list[Path], *, seed: int, number: int) -> Read:
    """Make one broken file and read it."""
    _source, data = mutated(sources, seed=seed, number=number)
    trouble, images = "", 0
    with tempfile.TemporaryDirectory(prefix="medloop-soak-") as folder:
        file = Path(folder) / "broken.dcm"
        file.write_bytes(data)
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        try:
            images = read_everything(file, scratch)
        except Exception:  # noqa: BLE001 (whatever it is, it is what the soak looks for)
            trouble = traceback.format_exc()
    return Read(number, images, trouble, memory_kb("VmHWM") * 1024)


def main() -> None:
    """Say ready; then read numbers, one a line, and answer each with one line of JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    seed = int(sys.argv[1])
    sources = [Path(line) for line in Path(sys.argv[2]).read_text().splitlines()]
    answers = sys.stdout
    sys.stdout = sys.stderr
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        read = read_one(sources, seed=seed, number=int(line))
        answer = [read.number, read.images, read.trouble, read.peak_bytes]
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
