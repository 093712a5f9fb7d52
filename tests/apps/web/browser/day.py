"""A node of its own for a day's work, and what people do on its pages."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydicom import dcmread

from medloop.store.users import Role
from tests.apps.web.browser.room import PASSWORD
from tests.necks import write_ct
from tests.nodes import Node, node
from tests.thorax import Ball, Chest, a_chest, a_grid

ANALYZED_MS = 240_000
# Half an adult's, so that it is read in seconds; where the balls are, before that.
SCALE = 0.55
BALLS = (Ball((-70.0, -10.0, 20.0), 20.0), Ball((75.0, 10.0, -30.0), 16.0))
FILES = 76
# What a person's hand does; a test has none, so the page is given the event.
_DROP = """([name, text]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name));
  for (const kind of ["dragover", "drop"]) {
    const how = { dataTransfer, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new DragEvent(kind, how));
  }
}"""


@contextmanager
def a_node_with(users: Mapping[str, Role], folder: Path, settings: str) -> Iterator[Node]:
    """Run a node whose users an administrator has added; all have `PASSWORD`."""
    password = folder / "password"
    password.write_text(PASSWORD + "\n")
    with node(folder / "node", settings) as started:
        for name, role in users.items():
            words = ("users", "add", name, "--role", str(role))
            added = started.run(*words, "--password-file", str(password))
            assert added.returncode == 0, added.stderr
        yield started


def sign_in(page, name: str) -> None:
    """Sign in at the door that is open."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login" not in url)


def drop(page, file: Path) -> None:
    """Let a file fall on the page."""
    page.evaluate(_DROP, [file.name, base64.b64encode(file.read_bytes()).decode()])


def write_chest(folder: Path) -> Path:
    """Write a drawn chest with a ball in each lung, as a scanner would name it."""
    low, high = (-180.0, -150.0, -180.0), (180.0, 170.0, 165.0)
    corners = [tuple(SCALE * each for each in corner) for corner in (low, high)]
    grid = a_grid(steps_mm=(2.5, 1.4, 1.4), low_mm=corners[0], high_mm=corners[1])
    write_ct(a_chest(Chest(balls=BALLS, scale=SCALE), grid).volume, folder)
    for file in folder.iterdir():
        data = dcmread(file)
        data.BodyPartExamined, data.SeriesDescription = "CHEST", "Thorax"
        data.save_as(file)
    return folder
