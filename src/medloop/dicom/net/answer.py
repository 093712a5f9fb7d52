"""What a peer answers to our request for an association (PS3.8 9.3.3 and 9.3.4)."""

from dataclasses import dataclass

from pynetdicom import evt
from pynetdicom.events import EventHandlerType
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ


@dataclass(slots=True)
class Answer:
    """The answer as it came off the wire; neither is set while none has come.

    pynetdicom loses a refusal if the peer has closed the connection before its negotiating
    thread looks again, so that a PACS which refuses would seem to be one that is silent.
    """

    is_accepted: bool = False
    refusal: str | None = None

    @property
    def handler(self) -> EventHandlerType:
        """What to hand to `AE.associate`, among its event handlers."""
        return evt.EVT_PDU_RECV, self._hear

    def _hear(self, event: evt.Event) -> None:
        if isinstance(event.pdu, A_ASSOCIATE_AC):
            self.is_accepted = True
        elif isinstance(event.pdu, A_ASSOCIATE_RJ):
            self.refusal = f"refuses the association: {event.pdu.reason_str.lower()}"
