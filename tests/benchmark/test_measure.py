from __future__ import annotations

import json

import pytest

from emotemporal.benchmark.machine import Machine, this_machine
from emotemporal.benchmark.measure import Row, in_turns
from emotemporal.benchmark.report import OutputConfig, Report, as_table, finish, read_medians

MACHINE = Machine("a processor", 2, 0.5, "Linux", "1", {"numpy": "2"})


def report(*rows: Row, kind: str = "encoder") -> Report:
    return Report(kind, MACHINE, rows, {"network": "small"})


def test_cases_take_turns_and_the_first_round_does_not_count():
    order = []

    def case(name, value):
        order.append(name)
        return value

    found = in_turns({"a": lambda: case("a", 1.0), "b": lambda: case("b", 2.0)}, 2)
    assert order == ["a", "b"] * 3
    assert found == {"a": (1.0, 1.0), "b": (2.0, 2.0)}


@pytest.mark.parametrize(
    ("better", "best", "share"), [("lower", 1.0, 0.5), ("higher", 4.0, 8.0)], ids=str
)
def test_a_row_knows_its_best_and_how_near_the_limit_it_is(better, best, share):
    row = Row("x", "ms", (1.0, 2.0, 4.0), better, limit=0.5)
    assert (row.median, row.best, row.of_limit) == (2.0, best, share)


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match="'x' was not measured"):
        Row("x", "ms", ())


def test_the_table_has_machine_limit_and_facts():
    text = as_table(report(Row("onnx, 1 faces", "ms", (2.0,), limit=0.5, note="warm")))
    assert "benchmark encoder on a processor, 2 cores" in text
    assert "| onnx, 1 faces | ms   | 2.00   |" in text
    assert "25%" in text
    assert text.endswith("network: small\nonnx, 1 faces: warm")


def test_an_earlier_run_is_compared_with(tmp_path):
    before, now = tmp_path / "before.json", tmp_path / "now.json"
    finish(report(Row("onnx", "ms", (2.0,))), OutputConfig(json=str(before)))
    text = finish(
        report(Row("onnx", "ms", (1.0,)), Row("new", "ms", (float("nan"),))),
        OutputConfig(json=str(now), compare=str(before)),
    )
    assert "| 2.00   | 0.50         |" in text
    kept = json.loads(now.read_text())
    assert kept["machine"]["processor"] == "a processor"
    assert [row["median"] for row in kept["rows"]] == [1.0, None]
    assert read_medians(now, "encoder") == {"onnx": 1.0}


def test_another_kind_of_run_is_refused(tmp_path):
    path = tmp_path / "other.json"
    finish(report(Row("x", "ms", (1.0,)), kind="decode"), OutputConfig(json=str(path)))
    with pytest.raises(ValueError, match="benchmark decode, not encoder"):
        read_medians(path, "encoder")
    path.write_text("{}")
    with pytest.raises(ValueError, match="not what 'benchmark --json' writes"):
        read_medians(path, "encoder")


def test_this_machine_has_a_processor_and_versions():
    found = this_machine()
    assert found.processor
    assert found.num_cores >= 1
    assert {"numpy", "python", "emotemporal"} <= set(found.versions)
