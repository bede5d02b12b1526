"""The network in torch, as an `Engine`. The only place of this room where torch is imported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from emotemporal.inference.engine import EngineState
from emotemporal.labels import LabelSpace
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.temporal import TemporalState, blank_state, split_states, stack_states

_CHUNK = 64  # frames encoded at once: bounds the memory of a long clip, changes no number


class TorchEngine:
    """Runs an `EmotionNet` in evaluation mode, in its own precision.

    Args:
        net: The network; it is moved to the device.
        labels: The order of its logits.
        device: In torch's words.
        compiled: Whether torch.compile makes the encoder's code first, which is most of the work.
            It takes a minute, at the first step; then the encoder is faster.

    Raises:
        ValueError: There is no such device.
    """

    def __init__(
        self, net: EmotionNet, labels: LabelSpace, device: str = "cpu", compiled: bool = False
    ) -> None:
        self._labels = labels
        try:
            self._device = torch.device(device)
            self._net = net.to(self._device).eval()
        except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
            reason = str(error).splitlines()[0]
            raise ValueError(f"device {device!r} cannot be used: {reason}. Try 'cpu'") from error
        if compiled:
            # Streams come and go: without `dynamic` each number of faces would be compiled anew.
            net.encoder.compile(dynamic=True)

    @property
    def labels(self) -> LabelSpace:
        """The order of the logits."""
        return self._labels

    @torch.inference_mode()
    def step(
        self, crops: UInt8[np.ndarray, "b n n 3"], states: Sequence[EngineState | None]
    ) -> tuple[Float[np.ndarray, "b k"], list[EngineState]]:
        """Advance `b` streams by one frame each; a state of None starts a stream."""
        if len(crops) != len(states):
            raise ValueError(f"{len(crops)} crops for {len(states)} streams; one each is needed")
        before = stack_states([self._open(state) for state in states])
        logits, after = self._net(self._to_tensor(crops)[:, None], before)
        return _to_array(logits[:, 0]), [EngineState(state) for state in split_states(after)]

    @torch.inference_mode()
    def run(self, crops: UInt8[np.ndarray, "t n n 3"]) -> Float[np.ndarray, "t k"]:
        """Judge one whole stream, from its start: what `t` steps would give.

        A head that looks ahead has no steps; it judges whole streams alone.
        """
        parts = [crops[start : start + _CHUNK] for start in range(0, len(crops), _CHUNK)]
        chunks = [self._net.encode(self._to_tensor(part)[None]) for part in parts]
        if self._net.config.looks_ahead:
            chunks = [torch.cat(chunks, dim=1)]
        state: TemporalState | None = None
        rows = []
        for features in chunks:
            logits, state = self._net.head(features, state)
            rows.append(_to_array(logits[0]))
        return np.concatenate(rows)

    def _open(self, state: EngineState | None) -> TemporalState:
        if state is None:
            return TemporalState(blank_state(self._net.config).hidden.to(self._device))
        assert isinstance(state, TemporalState), "a state of another engine"
        return state

    def _to_tensor(self, crops: UInt8[np.ndarray, "t n n 3"]) -> UInt8[Tensor, "t n n 3"]:
        return torch.from_numpy(np.ascontiguousarray(crops)).to(self._device)


def _to_array(logits: Float[Tensor, "t k"]) -> Float[np.ndarray, "t k"]:
    return logits.float().cpu().numpy()
