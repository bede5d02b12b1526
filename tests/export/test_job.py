from __future__ import annotations

import errno
import os
from dataclasses import replace

import cv2
import numpy as np
import pytest

from emotemporal.data.readers import DatasetConfig
from emotemporal.export.check import read_labelled, read_some
from emotemporal.export.faces import drawn_crops
from emotemporal.export.job import ExportConfig, ExportError, check, export
from emotemporal.inference.load import load_engine
from emotemporal.models.checkpoint import load_checkpoint, save_checkpoint
from emotemporal.models.meta import CheckpointError, read_meta
from emotemporal.models.origin import without_paths


@pytest.fixture
def needs_onnx():
    for library in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(library, reason=f"exporting needs {library}: the extra 'export'")


def quantised(path, meta, crops):
    import onnx

    from emotemporal.export.graph import describe
    from emotemporal.export.quantise import quantise
    from emotemporal.inference.onnx_engine import OnnxEngine

    return OnnxEngine(describe(quantise(onnx.load(path), meta, crops), meta, "int8"), 1)


def fast(out, checkpoint, **options) -> ExportConfig:
    return ExportConfig(str(out), str(checkpoint), num_checked=16, **options)


@pytest.fixture
def labelled(make_checkpoint, tmp_path):
    """Faces labelled as the network judges them, to be right on; black pictures to calibrate on."""
    engine, meta = load_engine(make_checkpoint("frame"))
    faces = drawn_crops(replace(meta, preprocess=replace(meta.preprocess, size_px=48)), 24)
    seen = drawn_crops(meta, 24)
    logits, _ = engine.step(seen, [None] * 24)
    root = tmp_path / "labelled"
    for i, (face, index) in enumerate(zip(faces, logits.argmax(axis=1), strict=True)):
        folder = root / "test" / meta.labels.names[index]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{i}.png"), face[:, :, ::-1])
    black = root / "train" / "neutral"
    black.mkdir(parents=True)
    cv2.imwrite(str(black / "black.png"), np.zeros((48, 48, 3), np.uint8))
    return DatasetConfig("folder", str(root))


def test_half_precision_is_half_the_bytes_and_is_told(make_checkpoint, labelled, tmp_path):
    whole, out = make_checkpoint("frame"), tmp_path / "half.safetensors"
    report = export(fast(out, whole, half=True, data=labelled))
    assert out.stat().st_size < 0.51 * whole.stat().st_size
    assert report.num_bytes == out.stat().st_size
    assert report.accuracy_before == report.accuracy == 1.0
    assert "100.00% after, on 24 images of folder test" in str(report)
    assert read_meta(out) == read_meta(whole)


def test_a_graph_is_exported_checked_and_runs(needs_onnx, make_checkpoint, tmp_path):
    out = tmp_path / "gru.onnx"
    report = export(fast(out, make_checkpoint("gru")))
    assert report.difference <= 1e-4
    assert "not checked: accuracy; name labelled images with --dataset" in str(report)
    assert load_engine(out)[1] == read_meta(make_checkpoint("gru"))


@pytest.mark.parametrize(
    ("min_agreement", "said"),
    [
        (0.97, r"int8 gives the same label on .*--min_agreement"),
        (0.0, r"int8 lowers accuracy on folder test from 100\.00%.*--max_loss"),
    ],
    ids=["drawn-faces", "labelled-images"],
)
def test_int8_that_is_worse_is_refused(make_onnx, make_checkpoint, labelled, min_agreement, said):
    """Worse, because it was calibrated on black pictures."""
    engine, meta = load_engine(make_checkpoint("frame"))
    rounded = quantised(make_onnx("frame"), meta, read_some(labelled, "train", meta, 1, 0))
    config = fast("never.onnx", "any", int8=True, min_agreement=min_agreement)
    with pytest.raises(ExportError, match=said):
        check(config, engine, rounded, meta, read_labelled(labelled, "test", meta))


def test_a_failed_write_leaves_nothing(make_checkpoint, tmp_path, monkeypatch):
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = tmp_path / "out" / "half.safetensors"
    config = fast(target, make_checkpoint("frame"), half=True)
    # The check reads a file of its own; only what is written under the target's name may fail.
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: refuse(fd) if target.parent.exists() else real(fd))
    with pytest.raises(OSError, match="No space left"):
        export(config)
    assert list(target.parent.iterdir()) == []


def test_an_exported_file_names_no_folder_of_this_machine(make_checkpoint, tmp_path):
    net, meta = load_checkpoint(make_checkpoint("frame"))
    told = {"data": {"name": "ferplus", "root": "/home/somebody/ferplus"}, "out": ["/tmp/run/1"]}
    origin = replace(meta.origin, config={**told, "seed": 3, "labels": "savee7"})
    source, out = tmp_path / "told.safetensors", tmp_path / "exported.safetensors"
    save_checkpoint(source, net, replace(meta, origin=origin))
    export(fast(out, source))
    assert read_meta(out).origin.config == {
        "data": {"name": "ferplus", "root": "ferplus"},
        "out": ["1"],
        "seed": 3,
        "labels": "savee7",
    }
    assert b"/home/somebody" not in out.read_bytes()
    assert without_paths(read_meta(out)) == read_meta(out)


def test_a_graph_names_no_folder_of_this_machine(make_onnx):
    content = make_onnx().read_bytes()
    assert b"emotion_net.py" not in content
    assert b"site-packages" not in content


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"output": "net.pt"}, r"can end in \.onnx or \.safetensors"),
        ({"output": "net.safetensors", "int8": True}, r"must end in \.onnx"),
        ({"output": "net.onnx", "half": True}, r"must end in \.safetensors"),
        ({"output": "net.onnx", "calibrate_on": "data"}, "--dataset and --root"),
        ({"output": "net.onnx", "num_calibration": 0}, "num_calibration is 0"),
        ({"output": "net.onnx", "max_loss": 5.0}, "shares, 0 to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        ExportConfig(**options)


def test_a_graph_is_not_exported_again(make_onnx, tmp_path):
    with pytest.raises(CheckpointError, match=r"gru\.float32\.onnx"):
        export(ExportConfig(str(tmp_path / "again.onnx"), str(make_onnx())))


def test_videos_are_no_images_to_measure_on(make_checkpoint, tmp_path):
    folder = tmp_path / "savee" / "AudioVisualClip" / "DC"
    folder.mkdir(parents=True)
    (folder / "a1.avi").write_bytes(b"nothing")
    data = DatasetConfig("savee", str(tmp_path / "savee"))
    with pytest.raises(ValueError, match="of videos; export measures on images"):
        export(
            ExportConfig(str(tmp_path / "x.safetensors"), str(make_checkpoint("frame")), data=data)
        )
