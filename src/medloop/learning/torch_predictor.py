"""A network in training where a bundle's predictor is expected."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext

import torch
from jaxtyping import Float32
from numpy import ndarray
from torch import Tensor, nn

from medloop.learning.loop import mixed_precision

Answers = Callable[..., Mapping[str, Tensor]]  # of what the network returns


class TorchPredictor:
    """Answers as the exported network does; `answers` names what the network returns.

    It computes in mixed precision where the device does, unless the answers are wanted in
    single precision, as the bundle's (`exact`).
    """

    def __init__(self, network: nn.Module, answers: Answers, *, exact: bool = False) -> None:
        self._network = network.eval()
        self._answers = answers
        self._exact = exact
        self._device = next(network.parameters()).device

    @torch.no_grad()
    def run(self, x_BCHW: Float32[ndarray, " b c *s"]) -> Mapping[str, ndarray]:  # noqa: N803 (as the protocol)
        """Answer a batch."""
        x = torch.from_numpy(x_BCHW).to(self._device)
        with nullcontext() if self._exact else mixed_precision(self._device):
            told = self._network(x)
        named = self._answers(*told) if isinstance(told, tuple) else self._answers(told)
        return {name: part.cpu().numpy() for name, part in named.items()}
