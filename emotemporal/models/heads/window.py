"""A GRU that forgets: only the last frames count. The ablation of a memory without end."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from emotemporal.models.config import ModelConfig
from emotemporal.models.temporal import TemporalState


class WindowGRUHead(nn.Module):
    """The causal GRU, begun anew for each answer and run over the last `window_frames` frames.

    Its weights have the names and shapes of a `gru` of one layer, and while a stream is no longer
    than the window it says the same. Where a window begins, its hidden state is zero.

    Its memory is the frames before in the window, as what they give to the GRU's gates: computed
    once a frame, not once a window. The last number of each row is 1 for a frame, and 0 where the
    stream had not begun: there the hidden state stays zero.
    """

    def __init__(self, feature_dim: int, num_labels: int, config: ModelConfig) -> None:
        super().__init__()
        self.window = config.window_frames
        self.norm = nn.LayerNorm(feature_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.gru = nn.GRU(feature_dim, config.hidden_dim, batch_first=True)
        self.classifier = nn.Linear(config.hidden_dim, num_labels)

    def forward(
        self,
        features: Float[Tensor, "b t d"],
        state: TemporalState | None = None,
        lengths: Int[Tensor, " b"] | None = None,
    ) -> tuple[Float[Tensor, "b t k"], TemporalState]:
        """Advance the stream by `t` frames; `t = 1` is the live case, `t = T` the offline one."""
        weight, _, bias, _ = self.gru.all_weights[0]
        gates = functional.linear(self.dropout(self.norm(features)), weight, bias)
        rows = torch.cat([gates, torch.ones_like(gates[..., :1])], dim=-1)
        if state is None:
            past = rows.new_zeros(rows.shape[0], self.window - 1, rows.shape[-1])
            outputs = self._from_the_start(rows)
        else:
            past = rearrange(state.hidden, "window b d -> b window d")
            history = torch.cat([past, rows], dim=1)
            outputs = self._run(_windows(history, rows.shape[1], self.window))[:, :, -1]
        kept = torch.cat([past, rows], dim=1)[:, rows.shape[1] :]
        return self.classifier(outputs), TemporalState(rearrange(kept, "b window d -> window b d"))

    def _from_the_start(self, rows: Float[Tensor, "b t g"]) -> Float[Tensor, "b t h"]:
        # The windows that a stream's first frame is in are one run, stopped at different frames.
        size = min(self.window, rows.shape[1])
        outputs = self._run(_windows(rows, rows.shape[1] - size + 1, size))
        return torch.cat([outputs[:, 0], outputs[:, 1:, -1]], dim=1)

    def _run(self, windows: Float[Tensor, "b n w g"]) -> Float[Tensor, "b n w h"]:
        """Run each window by itself, with the equations of `nn.GRU`."""
        _, weight, _, bias = self.gru.all_weights[0]
        hidden = windows.new_zeros(*windows.shape[:2], self.gru.hidden_size)
        outputs = []
        for row in windows.unbind(dim=2):
            gates, is_real = row[..., :-1], row[..., -1:]
            of_hidden = functional.linear(hidden, weight, bias)
            reset, update, new = gates.chunk(3, dim=-1)
            reset_hidden, update_hidden, new_hidden = of_hidden.chunk(3, dim=-1)
            kept = torch.sigmoid(update + update_hidden)
            drawn = torch.tanh(new + torch.sigmoid(reset + reset_hidden) * new_hidden)
            hidden = is_real * torch.lerp(drawn, hidden, kept)
            outputs.append(hidden)
        return torch.stack(outputs, dim=2)


def _windows(rows: Float[Tensor, "b t g"], number: int, size: int) -> Float[Tensor, "b n w g"]:
    starts = torch.arange(number, device=rows.device)[:, None]
    return rows[:, starts + torch.arange(size, device=rows.device)[None]]
