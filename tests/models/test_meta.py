from __future__ import annotations

import copy
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emotemporal.labels import Emotion
from emotemporal.models.meta import (
    FORMAT_VERSION,
    CheckpointError,
    CheckpointMeta,
    ModelConfig,
    pack_meta,
    read_meta,
)

NUM_MUTANTS = 400
REPORT = """
import sys
from pathlib import Path
from emotemporal.models.meta import read_meta
print(read_meta(Path(sys.argv[1])).labels.names[0], "torch" in sys.modules)
"""


def with_header(header: bytes, *, length: int | None = None, tensors: bytes = b"") -> bytes:
    told = len(header) if length is None else length
    return told.to_bytes(8, "little") + header + tensors


def describe(value: object) -> bytes:
    """Return a file that has `value` for its description, and no tensors."""
    return with_header(json.dumps({"__metadata__": {"emotemporal": json.dumps(value)}}).encode())


@pytest.fixture
def write(tmp_path: Path):
    def write(content: bytes) -> Path:
        path = tmp_path / "model.safetensors"
        path.write_bytes(content)
        return path

    return write


def test_a_description_comes_back_as_it_was(write, meta):
    assert read_meta(write(describe(meta.to_json()))) == meta


def test_what_a_head_is_given_is_written_where_it_differs_alone(write, meta):
    assert "head_input" not in meta.to_json()["model"]
    on_logits = replace(meta, model=replace(meta.model, head_input="logits"))
    assert read_meta(write(describe(on_logits.to_json()))) == on_logits
    with pytest.raises(ValueError, match="frame head takes features"):
        replace(on_logits.model, head="frame")


def test_what_only_windowed_heads_have_is_written_only_of_them(meta):
    assert "window_frames" not in meta.to_json()["model"]
    model = ModelConfig(head="transformer", hidden_dim=8, window_frames=5)
    windowed = replace(meta, model=model)
    assert windowed.to_json()["model"]["window_frames"] == 5
    assert CheckpointMeta.from_json(windowed.to_json()) == windowed


def test_what_calibration_found_comes_back_and_is_absent_where_there_was_none(write, meta):
    calibrated = replace(meta, **CALIBRATED)
    assert read_meta(write(describe(calibrated.to_json()))) == calibrated
    assert not set(CALIBRATED) & set(meta.to_json())


def test_a_description_from_before_calibration_is_read(write, meta):
    read = read_meta(write(describe(meta.to_json())))
    assert read.uncertain_below is read.uncertain_prior is None
    assert read.weak == read.hidden == ()


def test_a_threshold_without_its_prior_is_refused(meta):
    with pytest.raises(CheckpointError, match="uncertain_prior"):
        replace(meta, uncertain_below=0.5)


def test_a_description_is_plain_json(meta):
    packed = pack_meta(meta)
    assert all(isinstance(value, str) for value in packed.values())
    assert CheckpointMeta.from_json(json.loads(packed["emotemporal"])) == meta


def test_a_description_is_read_without_torch(write, meta):
    path = write(describe(meta.to_json()))
    done = subprocess.run(
        [sys.executable, "-c", REPORT, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["neutral", "False"]


def test_a_missing_file_is_named_with_a_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.safetensors.*pretrain"):
        read_meta(tmp_path / "nothing.safetensors")


NO_JSON = [
    pytest.param(b"", id="empty"),
    pytest.param(b"\x10\x00", id="shorter-than-its-length"),
    pytest.param(with_header(b"{}", length=3), id="truncated-header"),
    pytest.param(with_header(b"{}", length=2**63), id="huge-length"),
    pytest.param(with_header(b"{}", length=2**64 - 1), id="hugest-length"),
    pytest.param(with_header(b"", length=0), id="no-header"),
    pytest.param(with_header(b"not json"), id="not-json"),
    pytest.param(with_header(b"\xff\xfe{}"), id="not-text"),
    pytest.param(with_header(b"[" * 200_000), id="deep-json"),
    pytest.param(with_header(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), id="deep-closed-json"),
    pytest.param(with_header(b'{"__metadata__": ' + b"9" * 5000 + b"}"), id="a-number-too-long"),
    *[
        pytest.param(with_header(text), id=text.decode())
        for text in (
            b"[]",
            b"[1]",
            b'["ab"]',
            b'["abc"]',
            b"null",
            b"17",
            b'"text"',
            b"{}",
            b'{"__metadata__": null}',
            b'{"__metadata__": []}',
            b'{"__metadata__": {"format": "pt"}}',
            b'{"__metadata__": {"emotemporal": null}}',
            b'{"__metadata__": {"emotemporal": {}}}',
            b'{"__metadata__": {"emotemporal": "{"}}',
            b'{"__metadata__": {"emotemporal": "[]"}}',
            b'{"__metadata__": {"emotemporal": "[[1, 2]]"}}',
            b'{"__metadata__": {"emotemporal": "3"}}',
            b'{"__metadata__": {"emotemporal": "null"}}',
            b'{"__metadata__": {"emotemporal": "{}"}}',
        )
    ],
]


@pytest.mark.parametrize("content", NO_JSON)
def test_a_file_that_is_none_of_ours_is_refused_by_name(write, content):
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        read_meta(write(content))


def test_weights_from_elsewhere_come_with_a_remedy(write):
    content = with_header(b'{"__metadata__": {"format": "pt"}}')
    with pytest.raises(CheckpointError, match="pretrain --init FILE"):
        read_meta(write(content))


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 10**9])
def test_a_later_format_says_to_update(write, meta, version):
    content = describe({**meta.to_json(), "format_version": version})
    with pytest.raises(CheckpointError, match=rf"model\.saf.*version is {version}.*update"):
        read_meta(write(content))


@pytest.mark.parametrize("version", [0, -1, True, 1.0, "1", None, [1]], ids=repr)
def test_a_version_that_never_was_is_refused(write, meta, version):
    content = describe({**meta.to_json(), "format_version": version})
    with pytest.raises(CheckpointError, match=r"model\.saf.*format_version is"):
        read_meta(write(content))


CALIBRATED: dict[str, Any] = {
    "uncertain_below": 0.45,
    "uncertain_prior": (0.4, *[0.1] * 6),
    "weak": (Emotion.FEAR, Emotion.DISGUST),
    "hidden": (Emotion.DISGUST,),
}
FIELDS = [
    ("labels",),
    ("preprocess",),
    ("preprocess", "size_px"),
    ("preprocess", "interpolation"),
    ("preprocess", "colour"),
    ("crop",),
    ("crop", "size_px"),
    ("crop", "maps"),
    ("crop", "maps", "haar"),
    ("crop", "maps", "haar", "scale"),
    ("crop", "maps", "haar", "shift_y"),
    ("clip_rate_hz",),
    ("model",),
    ("model", "encoder"),
    ("model", "head"),
    ("model", "hidden_dim"),
    ("model", "num_layers"),
    ("model", "dropout"),
    ("training_prior",),
    ("temperature",),
    ("metrics",),
    ("origin",),
    ("origin", "package_version"),
    ("origin", "commit"),
    ("origin", "data_fingerprint"),
    ("origin", "seed"),
    ("origin", "config"),
    ("uncertain_below",),
    ("uncertain_prior",),
    ("weak",),
    ("hidden",),
]
WRONG = {
    "null": None,
    "true": True,
    "list": [[]],
    "huge": 10**400,
    "negative-huge": -(10**400),
    "infinite": float("inf"),
    "no-number": float("nan"),
}


def planted(meta: CheckpointMeta, path: tuple[str, ...], value: object) -> dict[str, Any]:
    description = copy.deepcopy(replace(meta, **CALIBRATED).to_json())
    inner = description
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return description


@pytest.mark.parametrize("path", FIELDS, ids=".".join)
@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_a_value_of_another_kind_is_refused(write, meta, path, value):
    if path == ("origin", "seed") and value in (10**400, -(10**400)):
        pytest.skip("any integer is a seed")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        read_meta(write(describe(planted(meta, path, value))))


@pytest.mark.parametrize("key", ["labels", "preprocess", "crop", "model", "origin", "metrics"])
def test_a_missing_field_is_named(write, meta, key):
    description = meta.to_json()
    del description[key]
    with pytest.raises(CheckpointError, match=rf"model\.safetensors.*{key}"):
        read_meta(write(describe(description)))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("preprocess", "zoom"), 2, "zoom"),
        (("preprocess", "size_px"), 40.5, "size_px is 40.5"),
        (("preprocess", "interpolation"), "nearest", "'nearest'.*'area'"),
        (("preprocess", "colour"), "bgr", "'bgr'.*'rgb'"),
        (("model", "encoder"), "vgg16", "'vgg16'.*'resnet18'"),
        (("model", "num_layers"), 10**9, "num_layers 1000000000"),
        (("labels",), ["neutral", "joyful"], "'joyful' is not an emotion"),
        (("labels",), ["neutral"] * 7, "different emotions"),
        (("labels",), "neutral", "not an emotion"),
        (("training_prior",), [0.5, 0.5], "2 shares for 7 labels"),
        (("training_prior",), [0.1] * 7, "sums to 0.7"),
        (("training_prior",), [2, -1, 0, 0, 0, 0, 0], "outside 0 to 1"),
        (("training_prior",), ["1", 0, 0, 0, 0, 0, 0], "a number belongs"),
        (("temperature",), 0, "temperature is 0"),
        (("temperature",), "1.5", "a number belongs"),
        (("clip_rate_hz",), 0, "clip rate is 0"),
        (("clip_rate_hz",), "12.5", "a number belongs"),
        (("metrics",), {"val/uar": "high"}, "a number belongs"),
        (("crop", "maps", "haar", "scale"), -1, "crop scale is -1"),
        (("uncertain_below",), 1.0, "uncertain_below is 1"),
        (("uncertain_below",), "0.5", "a number belongs"),
        (("uncertain_prior",), [0.5, 0.5], "2 shares for 7 labels"),
        (("uncertain_prior",), None, "not iterable"),
        (("weak",), ["joyful"], "'joyful' is not an emotion"),
        (("weak",), "fear", "not an emotion"),
        (("weak",), ["contempt"], "labels it lacks: contempt"),
        (("hidden",), ["contempt"], "labels it lacks: contempt"),
    ],
    ids=str,
)
def test_a_bad_value_is_told(write, meta, path, value, said):
    with pytest.raises(CheckpointError, match=rf"model\.safetensors cannot be used.*{said}"):
        read_meta(write(describe(planted(meta, path, value))))


def mutate(content: bytes, generator: random.Random) -> bytes:
    """Change a few bytes, cut some out, put some in, or cut the end off."""
    changed = bytearray(content)
    for _ in range(generator.choice([1, 1, 2, 5])):
        at, length = generator.randrange(len(changed)), generator.choice([1, 1, 2, 8, 40])
        kind = generator.choice(["replace", "delete", "insert", "repeat", "truncate", "token"])
        if kind == "replace":
            changed[at : at + length] = generator.randbytes(length)
        elif kind == "delete":
            del changed[at : at + length]
        elif kind == "insert":
            changed[at:at] = generator.randbytes(length)
        elif kind == "repeat":
            changed[at:at] = changed[at : at + length] * generator.choice([1, 3, 50])
        elif kind == "token":
            changed[at : at + 1] = generator.choice(
                [b"[", b"]", b"{", b"}", b'"', b'\\"', b",", b":", b"-", b"1e999", b"null", b"NaN"]
            )
        else:
            del changed[at:]
        if not changed:
            break
    return bytes(changed)


def resealed(content: bytes) -> bytes:
    """Give the header its true length again, so that what is in it is looked at."""
    return with_header(content[8:])


def refusal(path: Path) -> str:
    """Return how a file is refused; nothing if it is read."""
    try:
        assert isinstance(read_meta(path), CheckpointMeta)
    except CheckpointError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("seal", [bytes, resealed], ids=["any-byte", "header-of-true-length"])
def test_a_mutant_is_read_or_refused_by_name_and_never_anything_else(write, meta, seal):
    generator = random.Random(0)
    original = describe(meta.to_json())
    path = write(original)
    refusals = []
    for _ in range(NUM_MUTANTS):
        path.write_bytes(seal(mutate(original, generator)))
        refusals.append(refusal(path))
    assert all(str(path) in told for told in refusals if told)
    assert NUM_MUTANTS / 2 < sum(map(bool, refusals)) < NUM_MUTANTS


def test_mutants_of_the_description_itself_are_read_or_refused(write, meta):
    generator = random.Random(1)
    original = json.dumps(meta.to_json()).encode()
    for _ in range(NUM_MUTANTS):
        text = mutate(original, generator).decode("latin-1")
        path = write(with_header(json.dumps({"__metadata__": {"emotemporal": text}}).encode()))
        told = refusal(path)
        assert not told or str(path) in told


@pytest.mark.parametrize(
    "changes",
    [
        {"training_prior": (0.5, 0.5)},
        {"training_prior": (0.2,) * 7},
        {"training_prior": (float("nan"),) * 7},
        {"temperature": float("inf")},
        {"clip_rate_hz": float("nan")},
    ],
    ids=str,
)
def test_a_description_that_contradicts_itself_is_not_even_made(meta, changes):
    with pytest.raises(ValueError, match=r"prior|temperature|clip rate"):
        replace(meta, **changes)
