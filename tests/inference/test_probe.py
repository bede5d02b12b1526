from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from emotemporal.inference.graph_file import read_entries
from emotemporal.inference.load import load_engine, load_model
from emotemporal.inference.probe import Probe, make_probe, pack_probe, parse_probe
from emotemporal.models.meta import CheckpointError, pack_meta, read_meta
from emotemporal.preprocess import preprocess

onnxruntime = pytest.importorskip("onnxruntime", reason="the engine runs in ONNX Runtime")


@pytest.fixture
def crops(tiny_checkpoint, tiny_clip):
    return preprocess(tiny_clip.crops[:4], read_meta(tiny_checkpoint).preprocess)


def with_probe(path, folder, probe):
    import onnx

    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, read_entries(path.read_bytes()) | pack_probe(probe))
    out = folder / path.name
    out.write_bytes(graph.SerializeToString())
    return out


def test_a_probe_comes_back_as_it_was(crops):
    probe = Probe(crops, np.arange(28.0).reshape(4, 7), 0.01)
    found = parse_probe(pack_probe(probe))
    assert np.array_equal(found.crops, crops)
    assert np.array_equal(found.logits, probe.logits)
    assert found.max_difference == 0.01
    assert parse_probe({}) is None


def test_a_damaged_probe_is_refused(crops):
    ((key, text),) = pack_probe(Probe(crops, np.zeros((4, 7)), 0.01)).items()
    with pytest.raises(CheckpointError, match="probe is damaged"):
        parse_probe({key: text[: len(text) // 2]})


@pytest.mark.parametrize("storage", ["float32", "int8"])
def test_engines_that_say_what_was_trained_pass(make_checkpoint, make_onnx, crops, storage):
    trained, meta = load_engine(make_checkpoint("gru"))
    exported, _ = load_engine(make_onnx("gru", storage))
    probe = make_probe(trained, exported, meta, crops)
    assert probe.require_passed(exported, meta) <= probe.max_difference
    assert (probe.max_difference <= 1e-3) == (storage == "float32")


def test_a_graph_that_says_something_else_is_refused(make_checkpoint, make_onnx, crops, tmp_path):
    trained, _ = load_engine(make_checkpoint("gru"))
    probe = Probe(crops, trained.run(crops)[:, ::-1], 1e-3)
    path = with_probe(make_onnx(), tmp_path, probe)
    with pytest.raises(CheckpointError, match=r"gru.*off the trained network's.*Take another"):
        load_model(path)


def test_a_probe_is_judged_when_a_graph_is_opened(make_checkpoint, make_onnx, crops, tmp_path):
    trained, meta = load_engine(make_checkpoint("gru"))
    good = make_probe(trained, trained, meta, crops)
    assert "of the trained network on 4 faces" in str(
        load_model(with_probe(make_onnx(), tmp_path, good))
    )
    assert "not checked" in str(load_model(make_onnx()))


def test_metadata_is_read_without_a_library(make_onnx, make_checkpoint):
    path = make_onnx()
    expected = pack_meta(read_meta(make_checkpoint("gru")), "float32")
    assert read_entries(path.read_bytes()) == expected


@pytest.mark.parametrize("content", [b"\xff" * 40, b"\x72\x7f", b"\x72\x02\x0a\x05"])
def test_bytes_that_are_no_graph_are_refused(content):
    with pytest.raises(CheckpointError, match="not an ONNX graph"):
        read_entries(content)


openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="needs the extra 'openvino'")


@openvino
@pytest.mark.parametrize("head", ["gru", "frame"])
def test_openvino_gives_the_probabilities_of_the_network(make_checkpoint, make_onnx, crops, head):
    from emotemporal.export.check import largest_difference

    trained, meta = load_engine(make_checkpoint(head))
    model = load_model(make_onnx(head), "openvino", num_threads=1)
    assert model.engine_name == "openvino"
    assert largest_difference(trained, model.engine, meta, crops) < 1e-4


@openvino
def test_openvino_runs_int8_and_takes_over_where_onnx_runtime_is_missing(make_onnx, monkeypatch):
    from emotemporal.inference import load

    path = make_onnx("gru", "int8")
    assert load_model(path, "openvino-int8").engine_name == "openvino-int8"
    monkeypatch.setattr(load, "_is_installed", lambda name: name == "openvino")
    assert load_model(path).engine_name == "openvino-int8"


@openvino
def test_openvino_takes_over_where_onnx_runtime_cannot_open_the_graph(
    make_onnx, monkeypatch, caplog
):
    from emotemporal.inference import onnx_engine

    def refuse(*_args, **_options):
        raise onnx_engine.failures.Fail("this opset is under development")

    monkeypatch.setattr(onnx_engine.onnxruntime, "InferenceSession", refuse)
    assert load_model(make_onnx()).engine_name == "openvino"
    assert "opset" in caplog.text
    with pytest.raises(CheckpointError, match=r"cannot be used: ONNX Runtime cannot read it: this"):
        load_model(make_onnx(), "onnx")


@openvino
def test_what_openvino_cannot_run_is_told_as_the_files_fault(make_onnx, crops, monkeypatch):
    engine = load_model(make_onnx("frame"), "openvino", num_threads=1).engine

    class Refusing:
        def infer(self, _inputs):
            raise RuntimeError("ParameterMismatch: incompatible with provided dimensions\n\n")

    monkeypatch.setattr(engine, "_request", Refusing())
    with pytest.raises(CheckpointError, match=r"OpenVINO cannot run it: Param.*dimensions$"):
        engine.run(crops[:, :16])


@openvino
@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n"])
def test_openvino_refuses_what_is_not_ours(tmp_path, content):
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"other\.onnx cannot be used"):
        load_model(path, "openvino")


@pytest.mark.slow
# Inductor hashes what a network reaches, jsonargparse's deprecated names among it.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_network_says_the_same(make_checkpoint, crops):
    eager = load_model(make_checkpoint("gru"), "torch")
    compiled = load_model(make_checkpoint("gru"), "torch-compile")
    found, expected = compiled.engine.run(crops), eager.engine.run(crops)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)
    assert compiled.engine_name == "torch-compile"
