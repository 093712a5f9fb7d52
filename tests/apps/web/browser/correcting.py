"""A page with nothing but what corrects a reading, over a plain viewer of the tests' own."""

import base64
import json
from pathlib import Path
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Response

from medloop.apps.web.context import Context
from medloop.apps.web.security import Permission, Principal, require
from medloop.apps.web.static_files import static_address
from medloop.apps.web.texts import texts
from medloop.apps.web.texts.correct import TEXTS
from medloop.clinical.report.language import Language
from medloop.store.users import Role

VIEW = Path(__file__).parents[1] / "correct" / "view.mjs"
SHOTS = Path(__file__).parents[4] / "build" / "screenshots"
WIDE = {"width": 1000, "height": 1300}
SCALE = 8  # screen pixels a voxel
Reader = Annotated[Principal, Depends(require(Permission.READ))]

_PAGE = """<!doctype html><html lang="{lang}" data-theme="{theme}"><head><meta charset="utf-8">
<meta name="csrf" content="{csrf}"><title>correct</title>
<link rel="icon" href="{icon}" type="image/svg+xml">
<link rel="stylesheet" href="{base}"><link rel="stylesheet" href="{style}">
<link rel="stylesheet" href="/dev/page.css"></head>
<body><main><canvas id="view" tabindex="0"></canvas><div id="correct"></div></main>
<div id="status" role="status"></div>
<script type="application/json" id="texts">{texts}</script>
<script type="module" src="/dev/page.js" data-job="{job}"></script></body></html>"""

_STYLE = """main { display: grid; grid-template-columns: 540px 400px; gap: 16px }
#view { touch-action: none; image-rendering: pixelated }"""

_SCRIPT = """
import { aView } from "/dev/view.js";
import { mountCorrect } from "%(correct)s/index.js";
import { getJson, send } from "%(static)s/http.js";
const job = %(job)s;
const scene = await getJson(`/api/jobs/${job}/scene`);
const reading = await send("POST", `/api/jobs/${job}/reading`, { purpose: "read" });
const bytes = await (await fetch(`/api/jobs/${job}/volume.nii`)).arrayBuffer();
const image = new Int16Array(bytes.slice(352));
const view = await aView(document.getElementById("view"), {
  image, size: scene.size, spacing: scene.spacing, affine: scene.affine,
  maskUrl: reading.mask.url, scale: %(scale)d,
});
const made = await mountCorrect(document.getElementById("correct"), reading, view);
window.page = { view, ...made };
document.body.dataset.ready = "yes";
"""


def router(context: Context) -> APIRouter:
    """Serve the page at /dev/{job}."""
    routes = APIRouter(include_in_schema=False)
    static = static_address("http.js").rpartition("/")[0]
    correct = static_address("correct/index.js").rpartition("/")[0]

    @routes.get("/dev/view.js")
    def view(_who: Reader) -> Response:
        source = VIEW.read_text().replace("CORRECT", correct)
        return Response(source, media_type="text/javascript")

    @routes.get("/dev/page.css")
    def style(_who: Reader) -> Response:
        return Response(_STYLE, media_type="text/css")

    @routes.get("/dev/page.js")
    def script(_who: Reader) -> Response:
        given = {"correct": correct, "static": static, "scale": SCALE}
        job = "document.querySelector('script[data-job]').dataset.job"
        return Response(_SCRIPT % {**given, "job": job}, media_type="text/javascript")

    @routes.get("/dev/{job}")
    def page(who: Reader, job: int, lang: str = "en", theme: str = "dark") -> Response:
        language = Language(lang)
        said = {key: TEXTS[key][language is Language.CHINESE] for key in TEXTS}
        filled = _PAGE.format(
            lang=lang,
            theme=theme,
            csrf=who.csrf,
            icon=static_address("icon.svg"),
            base=static_address("base.css"),
            style=static_address("correct/correct.css"),
            texts=json.dumps({**texts(language, "shell.js."), **said}),
            job=job,
        )
        return Response(filled, media_type="text/html")

    return routes


class Hand:
    """Whoever sits before the page."""

    def __init__(self, page, bench):
        self.page = page
        page.set_viewport_size(WIDE)
        page.context.add_cookies([bench.session(Role.ANNOTATOR)])
        self.url = bench.address("/dev/{ct}")
        self.open()

    def open(self, query: str = "") -> None:
        self.page.goto(self.url + query)
        self.page.locator("body[data-ready]").wait_for()

    @property
    def mask(self) -> np.ndarray:
        """What the page holds, (z, y, x)."""
        data, size = self.page.evaluate(
            "() => [btoa(String.fromCharCode(...page.view.mask.data)), page.view.size]"
        )
        return np.frombuffer(base64.b64decode(data), np.uint8).reshape(size[::-1])

    def show(self, index) -> None:
        self.page.evaluate("z => page.view.show(2, z)", int(index[2]))

    def at(self, index) -> tuple[float, float]:
        box = self.page.locator("#view").bounding_box()
        return tuple(box[side] + (index[n] + 0.5) * SCALE for n, side in enumerate("xy"))

    def click(self, index, **options) -> None:
        self.show(index)
        self.page.mouse.click(*self.at(index), **options)

    def drag(self, *indices) -> None:
        self.show(indices[0])
        self.page.mouse.move(*self.at(indices[0]))
        self.page.mouse.down()
        for index in indices[1:]:
            self.page.mouse.move(*self.at(index), steps=5)
        self.page.mouse.up()

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def wait_for(self, state: str) -> None:
        self.page.locator(f".correct-state[data-state={state}]").wait_for(timeout=15_000)

    def settle(self) -> None:
        """Let findings' edits arrive."""
        self.page.evaluate("() => page.session.after(() => null)")


def shot(name: str) -> Path:
    """Where a picture of the page is kept."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    return SHOTS / f"{name}.png"
