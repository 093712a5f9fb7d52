"""A real node: ``medloop serve`` with its processes, and ways to hurt it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.peers import LOOPBACK, free_port, is_listening, wait_until

PARTS = ("receiver", "keeper", "web", "worker")


@dataclass
class Node:
    """A node in a folder of its own; everything it says is in `log`."""

    folder: Path
    dicom_port: int = field(default_factory=free_port)
    web_port: int = field(default_factory=free_port)
    settings: str = ""
    workers: int = 1
    aet: str = "MEDLOOP"
    process: subprocess.Popen | None = None

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def log(self) -> Path:
        return self.folder / "node.log"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.web_port}"

    @property
    def environment(self) -> Mapping[str, str]:
        kept = {key: value for key, value in os.environ.items() if "MEDLOOP" not in key}
        return {**kept, "MEDLOOP_CONFIG": str(self.folder / "medloop.toml")}

    def write_settings(self) -> None:
        """Write medloop.toml: ports, then what the test wants."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "medloop.toml").write_text(
            f'home = "{self.home}"\n[dicom]\nport = {self.dicom_port}\n'
            f"[web]\nport = {self.web_port}\nfetch_niivue = false\n{self.settings}"
        )

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.write_settings()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "medloop", "serve", "--workers", str(self.workers)],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        self.wait_until_up()

    def wait_until_up(self) -> None:
        """Wait until all parts run and both ports answer."""

        def is_up() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.said()[-3000:]
            return is_listening(self.dicom_port) and is_listening(self.web_port)

        wait_until(is_up, timeout_s=180)

    def said(self) -> str:
        """What it wrote to its log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def parts(self) -> dict[str, int]:
        """Process ids by the name of the part; of workers the first."""
        found: dict[str, int] = {}
        if self.process is None:
            return found
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError, ValueError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if parent == self.process.pid and b"medloop" in words:
                    name = (
                        words[words.index(b"--part") + 1] if b"--part" in words else b"worker"
                    )
                    found.setdefault(name.decode(), int(entry.name))
        return found

    def kill(self, part: str) -> bool:
        """Kill a part without warning, or the "supervisor"; False if it is not there."""
        if part == "supervisor":
            assert self.process is not None
            self.process.kill()
            self.process.wait()
            return True
        number = self.parts().get(part)
        if number is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
        return True

    def stop(self) -> int | None:
        """Ask it to stop, and return its exit code."""
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.terminate()
        return self.process.wait(timeout=90)

    def run(self, *words: str) -> subprocess.CompletedProcess:
        """Run another command of medloop with this node's settings."""
        return subprocess.run(
            [sys.executable, "-m", "medloop", *words],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@contextmanager
def node(folder: Path, settings: str = "", **how: int) -> Iterator[Node]:
    """Run a node while the block runs."""
    made = Node(folder, settings=settings, **how)
    try:
        made.start()
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                made.stop()
            made.process.kill()
            made.process.wait()


def pacs_section(name: str, port: int, aet: str) -> str:
    """A destination that takes C-STORE."""
    return (
        f'[[destination]]\nkind = "dicom"\nname = "{name}"\nhost = "{LOOPBACK}"\n'
        f'port = {port}\nae_title = "{aet}"\n'
    )


def send(path: Path, to: Node) -> None:
    """Send a file, or a folder of files, by C-STORE; dcmtk proposes what files need."""
    program = shutil.which("dcmsend")
    if program is None:
        pytest.skip("dcmsend (dcmtk) is not installed")
    where = [LOOPBACK, str(to.dicom_port)]
    how = ["--scan-directories", "--recurse"] if path.is_dir() else []
    done = subprocess.run(
        [program, "-aec", to.aet, *where, *how, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
