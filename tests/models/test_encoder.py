from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from emotemporal.models.encoder import build_encoder, initialise
from emotemporal.models.meta import CheckpointError


@pytest.fixture
def encoder() -> torch.nn.Module:
    return build_encoder("resnet18")[0]


def prefixed(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in tensors.items()}


def assert_filled(encoder: torch.nn.Module, tensors: Mapping[str, Tensor]) -> None:
    state = encoder.state_dict()
    assert all(torch.equal(state[name], value) for name, value in tensors.items())


@pytest.mark.parametrize(("name", "feature_dim"), [("resnet18", 512), ("resnet50", 2048)])
@torch.inference_mode()
def test_an_encoder_gives_as_many_features_as_it_says(name, feature_dim):
    encoder, said = build_encoder(name)
    assert said == feature_dim
    assert encoder.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, feature_dim)
    assert not any(key.startswith("fc") for key in encoder.state_dict())


def test_an_unknown_encoder_is_refused_with_those_there_are():
    # With run-time type checks, those are quicker to refuse it.
    with pytest.raises((ValueError, TypeError), match=r"(?s)'vgg'.*'resnet18'.*'resnet50'"):
        build_encoder("vgg")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "backbone.", "encoder.", "module.backbone.", "_orig_mod.net.features_of_mine."],
)
def test_weights_are_found_behind_any_prefix(encoder, resnet18_tensors, tmp_path, prefix):
    save_file(prefixed(resnet18_tensors, prefix), tmp_path / "w.safetensors")
    report = initialise(encoder, "resnet18", str(tmp_path / "w.safetensors"))
    assert_filled(encoder, resnet18_tensors)
    assert set(report.matched) == set(resnet18_tensors)


@pytest.mark.parametrize(
    "wrappers",
    [(), ("state_dict",), ("model",), ("model_state_dict",), ("model", "state_dict")],
    ids=str,
)
def test_weights_are_found_in_the_usual_wrappers(encoder, resnet18_tensors, tmp_path, wrappers):
    content: object = prefixed(resnet18_tensors, "module.")
    for key in reversed(wrappers):
        content = {key: content, "epoch": 90, "best_accuracy": 0.5}
    torch.save(content, tmp_path / "w.pth")
    report = initialise(encoder, "resnet18", str(tmp_path / "w.pth"))
    assert_filled(encoder, resnet18_tensors)
    assert len(report.matched) == len(resnet18_tensors)


def test_the_network_with_more_of_the_encoder_is_taken(encoder, resnet18_tensors, tmp_path):
    few = dict(list(resnet18_tensors.items())[:5])
    both = {**prefixed(few, "a."), **prefixed(resnet18_tensors, "b.")}
    save_file({k: v.clone() for k, v in both.items()}, tmp_path / "w.safetensors")
    report = initialise(encoder, "resnet18", str(tmp_path / "w.safetensors"))
    assert len(report.matched) == len(resnet18_tensors)
    assert set(report.unused) == set(prefixed(few, "a."))


def test_what_did_not_match_is_told_and_left_as_drawn(encoder, resnet18_tensors, tmp_path):
    given = {k: v for k, v in resnet18_tensors.items() if not k.endswith("num_batches_tracked")}
    classifier = {"fc.weight": torch.zeros(8, 512), "fc.bias": torch.zeros(8)}
    save_file({**given, **classifier}, tmp_path / "w.safetensors")
    drawn = encoder.layer4[1].conv1.weight.clone()
    report = initialise(encoder, "resnet18", str(tmp_path / "w.safetensors"))
    assert torch.equal(encoder.layer4[1].conv1.weight, drawn)
    assert report.unused == ("fc.bias", "fc.weight")
    assert len(report.missing) == 10
    assert all(name.startswith("layer4.1.") for name in report.missing)
    told = str(report)
    assert f"{len(given)} tensors matched" in told
    assert "not in the file: layer4.1.conv1.weight" in told
    assert "and 4 more" in told
    assert "not used: fc.bias, fc.weight" in told


def test_a_resnet50_is_no_resnet18(encoder, tmp_path):
    with torch.device("meta"):
        shapes = build_encoder("resnet50")[0].state_dict()
    # In its first blocks, 97 of a ResNet-18's 120 tensors are there with their name and shape.
    first_blocks = {k: v for k, v in shapes.items() if not re.match(r"layer\d\.[2-9]", k)}
    tensors = {k: torch.zeros(v.shape, dtype=v.dtype) for k, v in first_blocks.items()}
    save_file(tensors, tmp_path / "w.safetensors")
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    with pytest.raises(
        CheckpointError, match=r"fits 97 of the 120.*layer1\.0\.conv1.*Is it a resnet18\?"
    ):
        initialise(encoder, "resnet18", str(tmp_path / "w.safetensors"))
    assert_filled(encoder, before)


def test_a_resnet18_is_no_resnet50(resnet18_tensors, tmp_path):
    save_file(dict(resnet18_tensors), tmp_path / "w.safetensors")
    with torch.device("meta"):
        larger, _ = build_encoder("resnet50")
    with pytest.raises(CheckpointError, match="Is it a resnet50"):
        initialise(larger, "resnet50", str(tmp_path / "w.safetensors"))


def test_another_network_is_refused_with_its_names(encoder, tmp_path):
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match=r"fits 0 of the 120.*features\.0\.weight"):
        initialise(encoder, "resnet18", str(tmp_path / "w.safetensors"))


class RunsWhenRead:
    """Writes a file when it is unpickled by a reader that runs what a pickle says."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


@pytest.mark.parametrize("save", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x))])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(encoder, tmp_path, save):
    save({"state_dict": RunsWhenRead(tmp_path / "it_ran")}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"w\.pth cannot be read as tensors"):
        initialise(encoder, "resnet18", str(tmp_path / "w.pth"))
    assert not (tmp_path / "it_ran").exists()


def test_that_pickle_runs_for_who_trusts_it(tmp_path):
    pickle.loads(pickle.dumps(RunsWhenRead(tmp_path / "it_ran")))
    assert (tmp_path / "it_ran").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"not weights", b"\x80\x02", b"PK\x03\x04", b"\xff" * 64], ids=repr
)
def test_a_file_of_anything_else_is_refused_by_name(encoder, tmp_path, suffix, content):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"w\{suffix}"):
        initialise(encoder, "resnet18", str(path))


@pytest.mark.parametrize("content", [[1, 2], torch.zeros(3), {"a": 1}], ids=["list", "one", "none"])
def test_a_file_without_named_tensors_is_refused_by_name(encoder, tmp_path, content):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"w\.pth"):
        initialise(encoder, "resnet18", str(tmp_path / "w.pth"))


def test_a_dictionary_that_holds_itself_is_refused(encoder, tmp_path):
    knot: dict[str, object] = {}
    knot["model"] = knot
    torch.save(knot, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="fits 0"):
        initialise(encoder, "resnet18", str(tmp_path / "w.pth"))


def test_a_missing_file_is_named(encoder):
    with pytest.raises(FileNotFoundError, match=r"/nowhere/w\.pth"):
        initialise(encoder, "resnet18", "/nowhere/w.pth")


def test_without_a_network_imagenet_weights_come_with_a_remedy(encoder, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(CheckpointError, match=r"https://download.*--init FILE"):
        initialise(encoder, "resnet18", "imagenet")
