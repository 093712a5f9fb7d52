"""Jobs with a result that a reader can correct: a drawn chest CT, a drawn fundus."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np

from medloop.clinical.lung import codes as lung
from medloop.clinical.retina import codes as retina
from medloop.clinical.retina.findings import Lesion, Scene, describe
from medloop.core.edit import Action, Edit
from medloop.core.errors import ServiceError
from medloop.core.finding import Finding, Measurement, Result
from medloop.core.image import HeatMap, LabelMap, Picture, Volume
from medloop.core.record import from_json
from medloop.core.study import Case, SopUid, StudyUid
from medloop.imaging.fundus import find_field
from medloop.imaging.landmarks import find_landmarks
from medloop.imaging.lobes import Lobe
from medloop.imaging.vessels import open_view
from medloop.store import Entry, Job, JobState, Kept, Store, end_job
from medloop.store.reading import Reading
from medloop.workflow.filing import file_products
from medloop.workflow.intake import gather
from medloop.workflow.products import Makers, write_products
from medloop.workflow.routing import selection_from
from medloop.workflow.stored import StoreArchive
from tests.apps.web.browser.room import BALLS, a_chest
from tests.apps.web.jobs_done import a_ball, provenance_of
from tests.necks import write_ct
from tests.phantoms import a_fundus

READER = "dr.li"
CENTERS = tuple(center for center, _ in BALLS)


def without_pdf() -> Makers:
    """Real makers, but for the second that printing takes."""
    real = Makers.real()

    def none(_page: str) -> bytes:
        raise ServiceError("none in tests")

    return Makers(real.figures, real.html, none, real.dicom)


def a_read_ct(
    store: Store,
    folder: Path,
    *,
    now: datetime,
    destinations: tuple[str, ...] = (),
    volume: Volume | None = None,
) -> Job:
    """Let a chest CT arrive and be analyzed: two solid nodules of 14 and 8 mm."""
    write_ct(volume or a_chest(), folder)
    study = gather([folder], scratch=folder).studies[0]
    store.receive(study, now=now)
    uids = [each.uid for each in study.series[0].instances]

    def answer(case: Case) -> Result:
        volume = case.images[0]
        assert isinstance(volume, Volume)
        labels = np.zeros(volume.grid.shape, np.uint8)
        findings = []
        for n, (center, size) in enumerate(BALLS, start=1):
            labels[a_ball(volume.grid, center, size)] = n
            findings.append(_nodule(center, size, n))
        solid = {"texture": "solid", "calcification": "none", "smooth": "no"}
        return Result(
            provenance_of("lung", case),
            tuple(findings),
            {
                "Lung-RADS": "4A",
                "Lung-RADS_because": "solid, 8 to less than 15 mm",
                "nodules": 2,
                "Fleischner_low": "x",
                "Fleischner_high": "x",
                "nodule_1": {"Lung-RADS": "4A", "because": "solid", **solid},
                "nodule_2": {"Lung-RADS": "4A", "because": "solid", **solid},
            },
            LabelMap(labels, {n: lung.segment_of(n) for n in (1, 2)}, volume.grid),
        )

    return done(store, study.uid, uids, "lung", answer, now, destinations)


def a_read_fundus(
    store: Store, folder: Path, *, now: datetime, destinations: tuple[str, ...] = ()
) -> Job:
    """Let a drawn fundus arrive and be analyzed: lesions of each kind, ICDR 2."""
    folder.mkdir(parents=True)
    drawn = a_fundus()
    rgb = drawn.picture.array
    cv2.imwrite(str(folder / "eye.png"), rgb[..., ::-1])
    study = gather([folder], scratch=folder).studies[0]
    store.receive(study, now=now)
    uids = [each.uid for each in study.series[0].instances]

    def answer(case: Case) -> Result:
        picture = case.images[0]
        assert isinstance(picture, Picture)
        field = find_field(rgb)
        scene = Scene(picture.size, field, find_landmarks(open_view(rgb, field)))
        lesions = [
            Lesion(
                each.kind,
                (each.x, each.y),
                tuple(round(v) for v in (each.x - 3, each.y - 3, each.x + 4, each.y + 4)),
                float(np.pi * each.radius**2),
                0.9,
                scene.quadrant(each.x, each.y),
            )
            for each in drawn.lesions
        ]
        labels = np.zeros(picture.size, np.uint8)
        for kind in ("SE", "HE", "EX", "MA"):
            labels[drawn.masks[kind]] = retina.LABELS[kind]
        heat = np.zeros(picture.size, np.uint8)
        heat[200:300, 400:500] = 200
        fovea = scene.landmarks.fovea
        return Result(
            provenance_of("retina", case),
            describe(lesions, scene),
            {
                "ICDR": 2,
                "ICDR_probabilities": (0.05, 0.1, 0.7, 0.1, 0.05),
                "DME": 1,
                "DME_probabilities": (0.2, 0.6, 0.2),
                "CN1984": "III",
                "ETDRS_range": "35-47",
                "referable": True,
                "referable_probability": 0.8,
                "gradable": True,
                "disc_center_px": scene.landmarks.disc.center_px,
                "fovea_center_px": fovea.center_px if fovea else None,
            },
            LabelMap(labels, retina.SEGMENTS),
            heat_maps=(HeatMap("grade", heat, "class activation map"),),
        )

    return done(store, study.uid, uids, "retina", answer, now, destinations)


def read(store: Store, job: Job, *steps: tuple[str, str, object], now: datetime) -> Reading:
    """Let the reader open the job and do steps: action, target, after."""
    reading = store.readings.open(job.id, READER, now=now)
    for action, target, after in steps:
        known = store.readings.get(reading.id).number
        edit = Edit(0, Action(action), target, None, after, 1.0, 1, now)
        store.readings.append(reading.id, edit, expected=known, now=now)
    return store.readings.get(reading.id)


def done(  # noqa: PLR0913, PLR0917 - a whole job in one breath
    store: Store,
    study: StudyUid,
    uids: list[SopUid],
    analysis: str,
    answer: Callable[[Case], Result],
    now: datetime,
    destinations: tuple[str, ...],
) -> Job:
    """Run one job as a worker does, and keep its result."""
    store.jobs.add(study, analysis, uids, now=now)
    job = store.jobs.claim("w1", [analysis], now=now)
    assert job is not None
    known = store.catalog.study(study)
    case = StoreArchive(store).case(known, selection_from(known, uids))
    name = f"{study}/{analysis}-{job.id}"
    folder = store.results_folder / name
    write_products(case, answer(case), folder, language="en", makers=without_pdf())
    record = from_json((folder / "result.json").read_text(encoding="utf-8"))
    products = tuple(path.name for path in folder.iterdir())
    file_products(store, folder, now=now)
    kept = Kept(job.id, name, products, record, now)
    entry = Entry(now, "w1", "analyzed", study, {})
    to = JobState.SENDING if destinations else JobState.DONE
    return end_job(store, job, to, entry, kept=kept, destinations=destinations)


def _nodule(center: tuple[float, float, float], size: float, label: int) -> Finding:
    values = ((lung.LONG_AXIS, size), (lung.SHORT_AXIS, size), (lung.MEAN_DIAMETER, size))
    volume = Measurement(lung.VOLUME, np.pi / 6 * size**3, "mm3")
    return Finding(
        lung.NODULE,
        lung.SITES[Lobe.RIGHT_UPPER if center[0] < 0 else Lobe.LEFT_LOWER],
        (*(Measurement(code, value, "mm") for code, value in values), volume),
        probability=0.5 + 0.1 * label,
        center_lps_mm=center,
        segment=label,
    )
