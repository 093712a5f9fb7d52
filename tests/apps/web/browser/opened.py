"""The reading page that somebody has opened: what it holds, and where to point."""

# What the page's own scripts have put together.
PAGE = "(await import(document.querySelector('script[src*=\"read/main.js\"]').src)).page"
_COUNT = (
    f"""async (label) => {PAGE}.view.mask.data.reduce((n, each) => n + (each === label), 0)"""
)
_POINT = f"""async ([mm, away]) => {{
  const {{ view }} = {PAGE};
  const [x, y, z] = view.toIndex(mm);
  return view.panes[0].pointAt([x + away / view.spacing[0], y, z]);
}}"""


def reading(page) -> dict:
    """The reading as the page knows it, once its edits have arrived."""
    return page.evaluate(
        f"""async () => {{
          const {{ session }} = {PAGE}.correct;
          await session.after(() => null);
          return session.reading;
        }}"""
    )


def findings(page) -> list[dict]:
    """The findings of the reading, those that were rejected among them."""
    return reading(page)["findings"]


def voxels(page, label: int) -> int:
    """How many voxels a segment has."""
    return page.evaluate(_COUNT, label)


def loses_voxels(page, label: int, before: int) -> None:
    """Wait until a segment is smaller than it was."""
    page.wait_for_function(
        f"async ([label, before]) => await ({_COUNT})(label) < before", arg=[label, before]
    )


def jump_to(page, finding: dict) -> None:
    """Choose a finding in the list, and see that the axial plane goes to its slice."""
    page.locator(f"[data-key='{finding['key']}'] .correct-name").click()
    page.wait_for_function(
        f"""async (mm) => {{
          const {{ view }} = {PAGE};
          const slider = document.querySelector(".read-pane.axial input[type=range]");
          return Number(slider.value) === Math.round(view.toIndex(mm)[2]);
        }}""",
        arg=finding["center_lps_mm"],
    )


def beside(page, finding: dict, mm: float) -> dict[str, float]:
    """Where on the axial plane a place so far to the patient's left of a finding is."""
    x, y = page.evaluate(_POINT, [finding["center_lps_mm"], mm])
    return {"x": x, "y": y}


def click(page, position: dict[str, float]) -> None:
    """Click on the axial plane."""
    page.locator(".read-pane.axial canvas").click(position=position)


def saved(page) -> None:
    """Wait until the mask is kept."""
    page.locator(".correct-state[data-state=saved]").wait_for(timeout=30_000)
