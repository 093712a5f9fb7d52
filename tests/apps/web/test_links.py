"""A study is opened in 3D Slicer by the address that its DICOM module understands."""

from urllib.parse import parse_qs, urlsplit

from medloop.apps.web.links import slicer_address, slicer_link
from medloop.apps.web.passwords import hash_password
from medloop.store.users import Role
from tests.apps.web.nodes import AWAY
from tests.store.studies import a_study

PASSWORD = "seven green umbrellas"  # noqa: S105
STUDY = "1.2.840.99999.1"


def test_slicer_is_led_to_the_study_with_a_token_for_an_hour(node, store, tmp_path, clock):
    store.receive(a_study(tmp_path, STUDY), now=clock())
    kept = hash_password(PASSWORD)
    node.context.users.add("li", Role.ADMINISTRATOR, now=clock(), password=kept)
    browser = node.client(at=AWAY)
    browser.post("/login", data={"name": "li", "password": PASSWORD})
    answer = browser.get(slicer_link(STUDY))
    assert answer.status_code == 303
    address = urlsplit(answer.headers["location"])
    assert (address.scheme, address.netloc) == ("slicer", "viewer")
    asked = {key: value[0] for key, value in parse_qs(address.query).items()}
    assert asked["studyUID"] == STUDY
    assert asked["dicomweb_endpoint"] == "http://127.0.0.1/dicom-web"
    slicer = node.client(Authorization=f"Bearer {asked['access_token']}")
    assert slicer.get(f"/dicom-web/studies?StudyInstanceUID={STUDY}").status_code == 200
    assert slicer.get("/api/me").json()["permissions"] == ["read"]  # addresses are seen
    assert slicer.get("/users").status_code == 403
    clock.passes(minutes=61)
    assert slicer.get("/dicom-web/studies").status_code == 401


def test_a_token_does_not_prolong_itself_by_another(node, store, tmp_path, clock):
    store.receive(a_study(tmp_path, STUDY), now=clock())
    address = node.program(Role.VIEWER).get(slicer_link(STUDY)).headers["location"]
    assert address == slicer_address(STUDY, "http://127.0.0.1/dicom-web")
    assert len(node.context.tokens.all()) == 1


def test_at_a_node_without_users_no_token_is_needed(node, store, tmp_path, clock):
    store.receive(a_study(tmp_path, STUDY), now=clock())
    address = node.client().get(slicer_link(STUDY)).headers["location"]
    assert address == slicer_address(STUDY, "http://127.0.0.1/dicom-web")
    assert "access_token" not in address


def test_a_study_that_is_not_here_leads_nowhere(node):
    assert node.client().get(slicer_link("1.2.3")).status_code == 404
    assert node.client().get("/slicer/nonsense").status_code == 422
