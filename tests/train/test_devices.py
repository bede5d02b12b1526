from __future__ import annotations

import pytest
import torch

from emotemporal.train.run import RunConfig, build_fabric


def test_a_gpu_that_is_not_there_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"finds no GPU here.*--run\.device cpu"):
        build_fabric(RunConfig(device="cuda"))
