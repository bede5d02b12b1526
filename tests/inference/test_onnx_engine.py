from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from emotemporal.faces.detect import DetectorConfig
from emotemporal.inference.load import load_engine, load_model
from emotemporal.labels import AFFECTNET_8
from emotemporal.live.predict import PredictConfig, predict
from emotemporal.models.meta import CheckpointError, ModelConfig, pack_meta, read_meta
from emotemporal.preprocess import PreprocessConfig, preprocess
from emotemporal.storage import file_digest
from tests.fakes import with_head

onnxruntime = pytest.importorskip("onnxruntime", reason="the engine runs in ONNX Runtime")

from emotemporal.export.check import agreement, largest_difference  # noqa: E402
from emotemporal.export.faces import drawn_crops, random_crops  # noqa: E402
from emotemporal.inference.onnx_engine import OnnxEngine, open_onnx  # noqa: E402

HAAR = DetectorConfig("haar")


@pytest.fixture
def crops(tiny_checkpoint, tiny_clip):
    return preprocess(tiny_clip.crops[:6], read_meta(tiny_checkpoint).preprocess)


@pytest.mark.parametrize("storage", ["float32", "int8"])
@pytest.mark.parametrize("head", ["gru", "frame"])
def test_a_graph_says_what_the_checkpoint_says_of_itself(make_checkpoint, make_onnx, head, storage):
    model = load_model(make_onnx(head, storage))
    assert model.meta == read_meta(make_checkpoint(head))
    assert model.engine.labels == model.meta.labels
    assert model.engine_name == ("onnx" if storage == "float32" else "onnx-int8")


@pytest.mark.parametrize("head", ["gru", "frame"])
def test_a_graph_gives_the_probabilities_of_the_network(make_checkpoint, make_onnx, head):
    trained, meta = load_engine(make_checkpoint(head))
    exported, _ = load_engine(make_onnx(head))
    seen = np.concatenate([drawn_crops(meta, 5), random_crops(meta, 3)])
    assert largest_difference(trained, exported, meta, seen) < 1e-4


@pytest.mark.parametrize("head", ["gru", "frame"])
def test_int8_gives_faces_the_same_label(make_checkpoint, make_onnx, head):
    trained, meta = load_engine(make_checkpoint(head))
    exported, _ = load_engine(make_onnx(head, "int8"))
    faces = drawn_crops(meta, 64)
    logits, _ = trained.step(faces, [None] * 64)
    second, first = np.sort(logits, axis=1)[:, -2:].T
    # The network's weights are drawn: many faces lie on the border of two labels.
    clear = faces[first - second > 0.5]
    assert len(clear) > 10
    assert agreement(trained, exported, clear) >= 0.9


def test_another_network_is_noticed(make_checkpoint, make_onnx, crops):
    trained, meta = load_engine(make_checkpoint("gru"))
    rounded, _ = load_engine(make_onnx("gru", "int8"))
    assert largest_difference(trained, rounded, meta, crops) > 1e-4


@pytest.mark.parametrize("storage", ["float32", "int8"])
@pytest.mark.parametrize("head", ["gru", "frame"])
def test_steps_give_what_one_run_gives(make_onnx, crops, head, storage):
    engine, _ = load_engine(make_onnx(head, storage))
    state, rows = None, []
    for crop in crops:
        logits, (state,) = engine.step(crop[None], [state])
        rows.append(logits[0])
    np.testing.assert_allclose(np.stack(rows), engine.run(crops), rtol=0, atol=1e-4)


def test_streams_in_one_batch_do_not_touch_each_other(make_onnx, crops):
    engine, _ = load_engine(make_onnx())
    _, (running,) = engine.step(crops[:1], [None])
    together, states = engine.step(crops[1:3], [running, None])
    alone, _ = engine.step(crops[1:2], [running])
    new, _ = engine.step(crops[2:3], [None])
    assert len(states) == 2
    np.testing.assert_allclose(together, np.concatenate([alone, new]), rtol=0, atol=1e-4)


def test_engine_asks_one_state_a_crop(make_onnx, crops):
    engine, _ = load_engine(make_onnx())
    with pytest.raises(ValueError, match="2 crops for 1 streams"):
        engine.step(crops[:2], [None])


def described_as(path, meta, storage="float32") -> bytes:
    """Return the graph of `path` under another description."""
    import onnx

    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, pack_meta(meta, storage))
    return graph.SerializeToString()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"labels": AFFECTNET_8, "training_prior": (0.125,) * 8},
            r"outputs are logits.*\['b', 7\].*describes logits.*\['b', 8\]",
            id="labels",
        ),
        pytest.param(
            {"preprocess": PreprocessConfig(size_px=48)}, r"32, 32, 3\].*48, 48, 3\]", id="size"
        ),
        pytest.param({"model": ModelConfig(head="frame")}, "inputs are.*hidden", id="head"),
        pytest.param(
            {"model": ModelConfig(head="gru", hidden_dim=32)}, r"\[1, 'b', 16\]", id="memory"
        ),
    ],
)
def test_a_description_of_another_graph_is_refused(make_onnx, changes, said):
    path = make_onnx()
    meta = replace(open_onnx(path).meta, **changes)
    content = described_as(path, meta)
    with pytest.raises(CheckpointError, match=f"{said}.*export it again"):
        OnnxEngine(content)
    if find_spec("openvino") is not None:
        from emotemporal.inference.openvino_engine import OpenVinoEngine

        with pytest.raises(CheckpointError, match=f"{said}.*export it again"):
            OpenVinoEngine(content, num_threads=1)


def test_a_head_that_looks_ahead_is_refused_by_name(make_onnx):
    path = make_onnx()
    meta = with_head(open_onnx(path).meta, "bigru")
    with pytest.raises(CheckpointError, match="'bigru'"):
        OnnxEngine(described_as(path, meta))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("format_version", 99, "format_version is 99"),
        ("storage", "int3", "stored as 'int3'"),
        ("clip_rate_hz", "fast", "'fast' stands where a number belongs"),
    ],
)
def test_a_tampered_description_is_refused(make_onnx, field, value, said):
    import onnx

    graph = onnx.load(make_onnx())
    (entry,) = graph.metadata_props
    entry.value = json.dumps(json.loads(entry.value) | {field: value})
    with pytest.raises(CheckpointError, match=said):
        OnnxEngine(graph.SerializeToString())


def foreign_graph() -> bytes:
    import onnx
    from onnx import TensorProto, helper

    port = helper.make_tensor_value_info
    node = helper.make_node("Identity", ["x"], ["y"])
    ends = ([port("x", TensorProto.FLOAT, [1])], [port("y", TensorProto.FLOAT, [1])])
    opset = [onnx.helper.make_opsetid("", 20)]
    graph = helper.make_graph([node], "foreign", *ends)
    return helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(lambda: b"", "not an ONNX graph of emotemporal", id="empty"),
        pytest.param(lambda: b"\x89PNG\r\n", "not an ONNX graph of emotemporal", id="picture"),
        pytest.param(foreign_graph, "not an ONNX graph of emotemporal", id="foreign"),
    ],
)
def test_what_is_not_ours_is_refused_by_name(make_onnx, tmp_path, content, said):
    path = tmp_path / "other.onnx"
    path.write_bytes(content())
    with pytest.raises(CheckpointError, match=f"other.onnx cannot be used: .*{said}"):
        load_engine(path)


@pytest.mark.parametrize("share", [0.3, 0.999])
def test_a_truncated_graph_is_refused(make_onnx, share):
    whole = make_onnx().read_bytes()
    with pytest.raises(CheckpointError):
        OnnxEngine(whole[: int(len(whole) * share)])


def test_a_graph_whose_weights_lie_in_another_file_is_refused(make_onnx, tmp_path):
    import onnx

    path = tmp_path / "parted.onnx"
    onnx.save(onnx.load(make_onnx()), path, save_as_external_data=True, location="weights.bin")
    assert (tmp_path / "weights.bin").is_file()
    with pytest.raises(CheckpointError, match=r"parted\.onnx cannot be used"):
        load_engine(path)


def test_engines_refuse_each_others_files(make_checkpoint, make_onnx):
    with pytest.raises(CheckpointError, match="is for engine onnx or openvino, not for torch"):
        load_model(make_onnx(), "torch")
    with pytest.raises(CheckpointError, match="is for engine onnx-int8 or openvino-int8, not"):
        load_model(make_onnx("gru", "int8"), "onnx")
    with pytest.raises(CheckpointError, match=r"export --checkpoint .*--int8 true"):
        load_model(make_checkpoint(), "onnx-int8")
    with pytest.raises(ValueError, match="device is 'cuda'"):
        load_model(make_onnx(), device="cuda")
    with pytest.raises(FileNotFoundError, match="emotemporal export"):
        load_model("nowhere.onnx")


@pytest.fixture
def shipped(make_checkpoint, make_onnx, tmp_path, monkeypatch):
    """A package that ships the tiny checkpoint, and its int8 graph."""
    (tmp_path / "emotemporal.safetensors").write_bytes(make_checkpoint("gru").read_bytes())
    (tmp_path / "emotemporal.int8.onnx").write_bytes(make_onnx("gru", "int8").read_bytes())
    monkeypatch.setattr("emotemporal.weights.files", lambda package: tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("engine", "name", "file"),
    [
        ("auto", "onnx-int8", "emotemporal.int8.onnx"),
        ("onnx-int8", "onnx-int8", "emotemporal.int8.onnx"),
        ("torch", "torch", "emotemporal.safetensors"),
    ],
)
def test_without_a_name_the_shipped_model_is_taken(shipped, engine, name, file):
    model = load_model(None, engine)
    assert (model.engine_name, model.path) == (name, shipped / file)


def test_float32_in_onnx_does_not_ship_and_is_told_how_to_make(shipped):
    with pytest.raises(CheckpointError, match=r"export --output emotemporal\.onnx"):
        load_model(None, "onnx")


def test_without_a_graph_the_shipped_network_runs_in_torch(shipped):
    (shipped / "emotemporal.int8.onnx").unlink()
    assert load_model(None).engine_name == "torch"


def test_a_model_tells_in_one_line_what_it_is(make_onnx):
    model = load_model(make_onnx("gru", "int8"))
    told = str(model)
    assert "\n" not in told
    assert all(
        word in told for word in (model.path.name, model.digest[:12], "data none", "onnx-int8")
    )


def test_predict_without_a_checkpoint_names_what_it_uses(shipped, tiny_scene, tmp_path, caplog):
    caplog.set_level("INFO", logger="emotemporal")
    predict(PredictConfig([str(tiny_scene)], csv=str(tmp_path / "t.csv"), detector=HAAR))
    (told,) = [line for line in caplog.messages if line.startswith("model: ")]
    digest = file_digest(shipped / "emotemporal.int8.onnx")
    assert f"emotemporal.int8.onnx (SHA-256 {digest[:12]})" in told
    assert "engine onnx-int8 (fastest installed; " in told
    assert "); smoothing ema 0.3 s" in told


PREDICT = """
import sys
from emotemporal.cli import main
code = main(sys.argv[1:])
print("torch" in sys.modules, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize("storage", ["float32", "int8"])
def test_predicting_with_a_graph_never_imports_torch(make_onnx, tiny_scene, tmp_path, storage):
    table = tmp_path / "table.csv"
    words = ["predict", str(tiny_scene), "--checkpoint", str(make_onnx("gru", storage))]
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, *words, "--csv", str(table), "--detector.name", "haar"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "False"
    assert f"model: gru.{storage}.onnx" in done.stderr
    assert len(table.read_text().splitlines()) > 10
