"""Every page that is looked at: screenshots and axe-core in both languages and both themes.

A page that is new is one line more here. Addresses may name what `a_reading_room` made:
{study}, {ct} and {photo} (jobs that are done), {failed} (a job).
"""

from dataclasses import dataclass

from medloop.store.users import Role


@dataclass(frozen=True)
class Look:
    """A page: `name` of its screenshots, and what to wait for before they are taken."""

    name: str
    path: str
    wait: str = "main h1"
    role: Role | None = Role.ADMINISTRATOR  # None: nobody has signed in


PAGES = (
    Look("login", "/login", role=None),
    Look("worklist", "/"),
    Look("worklist-nothing", "/?tab=reviewed", wait=".empty"),
    Look("read-ct", "/read/{ct}", wait="#reading[data-ready=all]"),
    Look("read-photograph", "/read/{photo}", wait="#reading[data-ready=all]"),
    Look("study", "/studies/{study}"),
    Look("study-photo", "/studies/{photo_study}"),
    Look("missing", "/there-is-no-such-page"),
    Look("models", "/models"),
    Look("model", "/models/retina_grading"),
    Look("jobs", "/jobs"),
    Look("job", "/jobs/{failed}"),
    Look("audit", "/audit"),
    Look("users", "/users"),
    Look("user", "/users/2"),
    Look("destinations", "/destinations"),
    Look("system", "/system"),
)
