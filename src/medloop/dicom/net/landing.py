"""Where objects come down that a PACS was asked for: files of a folder, and nothing else."""

import errno
import secrets
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import AE, AllStoragePresentationContexts, _config, evt

from medloop.core.errors import ServiceError
from medloop.core.names import SopUid

VERIFICATION: Final = UID("1.2.840.10008.1.1")
NATIVE: Final = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
# Each in a context of its own: the acceptor chooses one syntax a context, and most archives
# send an object only in the syntax it is stored in.
COMPRESSED: Final = (
    JPEGLosslessSV1,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    JPEG2000,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLSNearLossless,
    DeflatedExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2K,
    HTJ2KLosslessRPCL,
)


@dataclass(frozen=True, slots=True)
class Here:
    """Who we are to a PACS: our AE title, and where it reaches us (for C-MOVE)."""

    ae_title: str = "MEDLOOP"
    host: str = "127.0.0.1"
    port: int = 11112
    server_tls: ssl.SSLContext | None = None


class Landing:
    """Where objects come down: each that was asked for becomes a file of the folder."""

    def __init__(self, folder: Path, wanted: frozenset[SopUid]) -> None:
        self._folder = folder
        self._wanted = wanted
        self._landed: SimpleQueue[Path] = SimpleQueue()
        self._came: set[SopUid] = set()
        self.trouble: str | None = None

    def take(self, event: evt.Event) -> int:
        """Keep one object (C-STORE); returns its status (PS3.4 B.2.3)."""
        uid = SopUid(str(event.request.AffectedSOPInstanceUID))  # type: ignore[union-attr]
        if uid not in self._wanted:
            return 0xC000  # cannot understand: nobody asked for it
        path = self._folder / f"{secrets.token_hex(8)}.dcm"
        try:
            _write(event, path)
        except OSError as error:
            self.trouble = error.strerror or type(error).__name__
            return 0xA700  # out of resources
        self._came.add(uid)
        self._landed.put(path)
        return 0x0000

    def require_all(self, name: str) -> None:
        """Raise `ServiceError` if less came than was asked for."""
        if len(self._came) < len(self._wanted):
            raise ServiceError(f"{name} sent {len(self._came)} of {len(self._wanted)} objects")

    def landed(self) -> Iterator[Path]:
        """Yield what has come down and was not yielded before."""
        with suppress(Empty):
            while True:
                yield self._landed.get_nowait()


def _write(event: evt.Event, path: Path) -> None:
    if _config.STORE_RECV_CHUNKED_DATASET:  # then it is a file already
        path.write_bytes(event.dataset_path.read_bytes())
    else:
        path.write_bytes(event.encoded_dataset())


@contextmanager
def receiving(here: Here, landing: Landing, timeout_s: float) -> Iterator[bool]:
    """Listen where the PACS will send to; False if somebody of ours listens there already."""
    ae = AE(ae_title=here.ae_title)
    ae.require_called_aet = True
    ae.network_timeout = ae.acse_timeout = ae.dimse_timeout = timeout_s
    ae.add_supported_context(VERIFICATION)
    for context in AllStoragePresentationContexts:
        ae.add_supported_context(str(context.abstract_syntax), [*NATIVE, *COMPRESSED])
    try:
        server = ae.start_server(
            (here.host, here.port),
            block=False,
            ssl_context=here.server_tls,
            evt_handlers=[(evt.EVT_C_STORE, landing.take)],
        )
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise ServiceError(f"port {here.port} cannot be opened: {error.strerror}") from None
        yield False
        return
    try:
        yield True
    finally:
        if server is not None:
            server.shutdown()
