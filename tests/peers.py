"""Real peers on loopback: Orthanc (DICOM and DICOMweb), dcmtk's storescp and dcmqrscp.

Each is a context manager that starts a process on free ports, with a folder of its own, and
ends it whatever happens; each skips by name where its program is not installed.

    with orthanc(tmp_path, modalities={"MEDLOOP": 11112}) as pacs:
        send(pacs.aet, "127.0.0.1", pacs.dicom_port)
        assert pacs.get("/statistics")["CountInstances"] == 1
        pacs.kill()      # away, as after a power cut; what it had stored stays
        pacs.start()     # back, on the same ports with the same images
"""

import gc
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PLUGINS = Path("/usr/share/orthanc/plugins")
LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A TCP port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def is_listening(port: int) -> bool:
    """Whether somebody on this machine listens, without disturbing them by a connection."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            if state == "0A" and int(local.rpartition(":")[2], 16) == port:
                return True
    return False


def wait_until(condition: Callable[[], object], *, timeout_s: float = 30.0) -> None:
    """Wait until something holds, and fail if it never does."""
    ends = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends, "it never happened"
        time.sleep(0.02)


def forget_sockets() -> None:
    """Collect the sockets with which pynetdicom could not connect, and leaves open."""
    for thread in threading.enumerate():
        if type(thread).__module__.startswith("pynetdicom"):
            thread.join(5)
    collect_quietly()


def collect_quietly() -> None:
    """Collect what a library leaves open or running, here and not in some later test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@dataclass
class Peer:
    """A process of ours that listens; `log` is what it had to say."""

    command: Sequence[str]
    ports: Sequence[int]
    log: Path
    process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        # It ends with this process, even if this one is killed.
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*leash, *self.command],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.log.parent,
            )
        started = self.process

        def is_up() -> bool:
            assert started.poll() is None, self.log.read_text(errors="replace")[-2000:]
            return all(is_listening(port) for port in self.ports)

        wait_until(is_up, timeout_s=60)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, and wait until it is gone; ending twice is well."""
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


@dataclass
class Orthanc:
    """A PACS. `url` is its own REST service, `dicomweb` its QIDO-RS, WADO-RS and STOW-RS."""

    aet: str
    dicom_port: int
    http_port: int
    folder: Path
    peer: Peer
    credentials: tuple[str, str] | None = None
    host: str = LOOPBACK

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.http_port}"

    @property
    def dicomweb(self) -> str:
        return f"{self.url}/dicom-web"

    def start(self) -> None:
        """Start, also again after `stop` or `kill`: it still has its images."""
        self.peer.start()

    def stop(self) -> None:
        """End it in order."""
        self.peer.end()

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self.peer.end(signal.SIGKILL)

    def get(self, path: str):
        """Ask its REST service (``/statistics``, ``/instances``): parsed JSON."""
        return self.ask("GET", path).json()

    def ask(self, method: str, path: str, **more):
        """Send any request to its REST service; a refusal fails the test."""
        httpx = pytest.importorskip("httpx")
        with httpx.Client(trust_env=False, auth=self.credentials, timeout=60) as client:
            answer = client.request(method, self.url + path, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        return answer

    def upload(self, *objects: bytes) -> None:
        """Put DICOM objects in."""
        for each in objects:
            self.ask("POST", "/instances", content=each)

    def instances(self) -> dict[str, str]:
        """What it holds: SOP Instance UID -> SOP Class UID."""
        held = {}
        for name in self.get("/instances"):
            metadata = self.get(f"/instances/{name}/metadata?expand")
            tags = self.get(f"/instances/{name}/simplified-tags")
            held[tags["SOPInstanceUID"]] = metadata.get("SopClassUid", "")
        return held

    def clear(self) -> None:
        """Empty it, for a test that shares it with others."""
        for patient in self.get("/patients"):
            self.ask("DELETE", f"/patients/{patient}")


@contextmanager
def orthanc(
    folder: Path,
    *,
    aet: str = "ORTHANC",
    modalities: Mapping[str, int] | None = None,
    credentials: tuple[str, str] | None = None,
    is_started: bool = True,
    **configuration: object,
) -> Iterator[Orthanc]:
    """An Orthanc with DICOMweb, and every transfer syntax; images lie under `folder`.

    `modalities` are the peers it knows, AE title -> port on loopback: they may store, find and
    move, and it answers their storage commitment there. `credentials` (user, password) are
    asked by HTTP if given. `configuration` overrules keys of Orthanc's own.
    """
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if program is None or not (PLUGINS / "libOrthancDicomWeb.so").exists():
        pytest.skip("Orthanc with its DICOMweb plugin is not installed")
    home = folder / aet.lower()
    home.mkdir(parents=True)
    dicom_port, http_port = free_port(), free_port()
    names = ("libOrthancDicomWeb.so", "libOrthancGdcm.so")
    settings = {
        "Name": aet,
        "StorageDirectory": str(home / "storage"),
        "IndexDirectory": str(home / "storage"),
        "Plugins": [str(PLUGINS / name) for name in names if (PLUGINS / name).exists()],
        "DicomAet": aet,
        "DicomPort": dicom_port,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowStore": True,
        "DicomScpTimeout": 10,
        "DicomScuTimeout": 10,
        "DicomModalities": {
            title: {
                "AET": title,
                "Host": LOOPBACK,
                "Port": port,
                "AllowEcho": True,
                "AllowFind": True,
                "AllowGet": True,
                "AllowMove": True,
                "AllowStore": True,
                "AllowStorageCommitment": True,
            }
            for title, port in (modalities or {}).items()
        },
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": credentials is not None,
        "RegisteredUsers": dict([credentials]) if credentials else {},
        "HttpThreadsCount": 8,
        "OverwriteInstances": False,
        "StableAge": 1,
        "SaveJobs": False,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": True},
    } | configuration
    (home / "orthanc.json").write_text(json.dumps(settings, indent=1))
    command = [program, "--logdir=" + str(home), str(home / "orthanc.json")]
    peer = Peer(command, (dicom_port, http_port), home / "output.log")
    pacs = Orthanc(aet, dicom_port, http_port, home, peer, credentials)
    try:
        if is_started:
            pacs.start()
        yield pacs
    finally:
        pacs.kill()
        shutil.rmtree(home, ignore_errors=True)


@dataclass
class Node:
    """A node of dcmtk; `received` lists the files that it has taken."""

    aet: str
    port: int
    folder: Path
    peer: Peer
    host: str = LOOPBACK
    options: Sequence[str] = field(default=())

    def received(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if path.name != "index.dat")

    def start(self) -> None:
        self.peer.start()

    def kill(self) -> None:
        self.peer.end(signal.SIGKILL)


@contextmanager
def storescp(
    folder: Path, *options: str, aet: str = "STORESCP", is_started: bool = True
) -> Iterator[Node]:
    """dcmtk's receiver of C-STORE; `options` are its own, such as ``--refuse``, ``+xa``."""
    program = shutil.which("storescp")
    if program is None:
        pytest.skip("dcmtk's storescp is not installed")
    received = folder / aet.lower()
    received.mkdir(parents=True)
    port = free_port()
    command = [program, "-aet", aet, "-od", str(received), *options, str(port)]
    node = Node(aet, port, received, Peer(command, (port,), folder / "storescp.log"))
    node.options = options
    try:
        if is_started:
            node.start()
        yield node
    finally:
        node.kill()


@contextmanager
def dcmqrscp(
    folder: Path,
    *options: str,
    aet: str = "DCMQRSCP",
    modalities: Mapping[str, int] | None = None,
    is_started: bool = True,
) -> Iterator[Node]:
    """dcmtk's archive (C-STORE, C-FIND, C-MOVE, C-GET); it may move to `modalities`."""
    program = shutil.which("dcmqrscp")
    if program is None:
        pytest.skip("dcmtk's dcmqrscp is not installed")
    received = folder / aet.lower()
    received.mkdir(parents=True)
    port = free_port()
    known = "".join(
        f"peer{number} = ({title}, {LOOPBACK}, {at})\n"
        for number, (title, at) in enumerate((modalities or {}).items())
    )
    configuration = folder / "dcmqrscp.cfg"
    configuration.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\n{known}HostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{aet} {received} RW (200, 1024mb) ANY\nAETable END\n"
    )
    command = [program, "-c", str(configuration), *options]
    node = Node(aet, port, received, Peer(command, (port,), folder / "dcmqrscp.log"))
    node.options = options
    try:
        if is_started:
            node.start()
        yield node
    finally:
        node.kill()
