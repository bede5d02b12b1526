"""Cameras' connections, over a real socket: apart from each other, and refused cleanly."""

from __future__ import annotations

import csv
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from emotemporal.live.serve.config import LimitsConfig
from tests.fakes import FakeEngine
from tests.live.serve.serving import as_jpeg, colour_model, dial, serving, visiting

NAMES = ("neutral", "happiness", "sadness")
TOKEN = "a-token-of-enough-letters"


@pytest.fixture(scope="module")
def port(model):
    with serving(model) as port:
        yield port


def test_a_page_gets_faces_labels_and_rows_of_the_table(port, face_jpeg):
    with visiting(port) as client:
        answers = [client.show(0.1 * i, face_jpeg) for i in range(8)]
    assert all(len(answer["faces"]) == 1 for answer in answers)
    judgements = [judgement for answer in answers for judgement in answer["judgements"]]
    assert {judgement["shown"] for judgement in judgements[-3:]} == {"neutral"}
    rows = list(csv.DictReader([client.csv_header, *"".join(a["csv"] for a in answers).split()]))
    assert len(rows) == len(judgements) >= 5
    assert {row["track_id"] for row in rows} == {"0"}


def test_eight_cameras_at_once_see_their_own_faces_and_the_slowest_gets_its_share(port, scene_of):
    num_frames, patience = 12, 4
    everybody_is_here = threading.Barrier(8)

    def visit(number):
        jpeg, centre, tint = scene_of(number)
        is_slowest = number == 7
        with visiting(port) as client:
            everybody_is_here.wait(timeout=60)
            answers = []
            for i in range(num_frames):
                if is_slowest and i >= num_frames // patience:
                    break
                answers.append(client.show(0.1 * i * (patience if is_slowest else 1), jpeg))
            # Hold the line, so that all eight are connected throughout.
            everybody_is_here.wait(timeout=60)
        return number, centre, tint, answers

    with ThreadPoolExecutor(8) as people:
        visits = list(people.map(visit, range(8)))
    for number, centre, tint, answers in visits:
        assert len(answers) == (num_frames // patience if number == 7 else num_frames)
        assert all(answer["type"] == "faces" for answer in answers), answers
        assert all(answer["num_dropped"] == 0 for answer in answers)
        for answer in answers:
            (face,) = answer["faces"]
            x1, y1, x2, y2 = face["box"]
            assert face["id"] == 0
            assert (x1 + x2) / 2 == pytest.approx(centre[0], abs=0.03)
            assert (y1 + y2) / 2 == pytest.approx(centre[1], abs=0.06)
        last = answers[-1]["judgements"][-1]
        assert int(np.argmax(last["smoothed"])) == tint, NAMES[tint]


def test_a_face_too_small_to_judge_is_told_as_such(model, face_jpeg):
    with serving(model, min_face_px=400.0) as port, visiting(port) as client:
        answers = [client.show(0.1 * i, face_jpeg) for i in range(4)]
    assert [face["is_usable"] for answer in answers for face in answer["faces"]] == [False] * 4
    assert not any(answer["judgements"] for answer in answers)


def test_the_newest_frame_wins(make_checkpoint, scene_of):
    gate, begun = threading.Event(), threading.Event()

    class Waiting(FakeEngine):
        def step(self, crops, states):
            begun.set()
            assert gate.wait(timeout=60)
            return super().step(crops, states)

    checkpoint = make_checkpoint("frame")
    slow = colour_model(checkpoint, Waiting(colour_model(checkpoint).meta.labels))
    jpeg, *_ = scene_of(0)
    with serving(slow) as port, visiting(port) as client:
        client.show(0.0, jpeg)  # nothing is due before a second frame
        client.send(0.1, jpeg)
        assert begun.wait(timeout=60)
        for time_s in (0.2, 0.3, 0.4):
            client.send(time_s, jpeg)
        client.say(type="nonsense")  # answered at once: by then the frames before it are here
        assert client.hear()["type"] == "error"
        gate.set()
        assert client.hear()["time_s"] == pytest.approx(0.1)
        latest = client.hear()
        assert latest["time_s"] == pytest.approx(0.4)
        assert latest["num_dropped"] == 2


def test_what_is_wrong_is_refused_while_the_others_go_on(port, face_jpeg):
    with visiting(port) as other, visiting(port) as rude:
        assert len(other.show(0.0, face_jpeg)["faces"]) == 1
        with suppress(ConnectionClosed):  # it may be shown out before it has said all
            rude.socket.send(bytes(50_000_000))
        with pytest.raises(ConnectionClosed) as closed:
            rude.hear()
        assert closed.value.rcvd is None or closed.value.rcvd.code == 1009
        assert len(other.show(0.1, face_jpeg)["faces"]) == 1
        with pytest.raises(InvalidStatus, match="403"):
            dial(port, origin="http://evil.example")
        with pytest.raises(InvalidStatus, match="403"):
            dial(port, origin="null")
        assert len(other.show(0.2, face_jpeg)["judgements"]) == 1


@pytest.mark.parametrize(
    ("jpeg", "reason"),
    [
        (b"no picture at all", "not JPEG"),
        (as_jpeg(np.zeros((60, 60, 3), np.uint8))[:-60], "corrupt or truncated"),
        (as_jpeg(np.zeros((1001, 1000, 3), np.uint8)), "at most 1000000"),
    ],
)
def test_a_bad_picture_is_told_and_the_connection_goes_on(port, face_jpeg, jpeg, reason):
    with visiting(port) as client:
        client.show(0.0, face_jpeg)
        told = client.show(0.1, jpeg)
        assert told["type"] == "error"
        assert reason in told["reason"]
        assert len(client.show(0.2, face_jpeg)["faces"]) == 1


def test_times_must_grow_until_the_camera_starts_anew(port, face_jpeg):
    with visiting(port) as client:
        client.show(5.0, face_jpeg)
        assert "times must grow" in client.show(4.0, face_jpeg)["reason"]
        assert "seconds" in client.show(float("nan"), face_jpeg)["reason"]
        client.say(type="restart")
        assert client.show(0.0, face_jpeg)["type"] == "faces"
        # A page that slept for a day must not make the server count its ticks.
        assert client.show(90_000.0, face_jpeg)["type"] == "faces"


def test_another_smoother_is_taken_up_and_a_wrong_one_refused(port, face_jpeg):
    with visiting(port) as client:
        client.say(type="smoothing", name="none", value=0)
        assert client.hear()["told"].startswith("none")
        rows = "".join(client.show(0.1 * i, face_jpeg)["csv"] for i in range(5)).split()
        for row in csv.DictReader([client.csv_header, *rows]):
            assert row["raw_neutral"] == row["smoothed_neutral"]
        client.say(type="smoothing", name="ema", value=99)
        assert "0.1 to 3" in client.hear()["reason"]
        client.say(type="smoothing", name="magic", value=1)
        assert "hidden_markov" in client.hear()["reason"]


def test_only_who_has_the_token_comes_in(model, face_jpeg):
    with serving(model, TOKEN) as port:
        for words in (None, ["emotemporal"], ["emotemporal", "token.wrong"]):
            with pytest.raises(InvalidStatus, match="403"):
                dial(port, subprotocols=words)
        with visiting(port, subprotocols=["emotemporal", f"token.{TOKEN}"]) as client:
            assert client.socket.subprotocol == "emotemporal"
            assert len(client.show(0.0, face_jpeg)["faces"]) == 1


def test_a_ninth_camera_is_told_to_come_back_and_can_once_another_leaves(port, face_jpeg):
    with ExitStack() as stack:
        eight = [stack.enter_context(visiting(port)) for _ in range(8)]
        with dial(port) as ninth:
            assert "all 8 places for cameras are taken" in ninth.recv(timeout=60)
            with pytest.raises(ConnectionClosed) as closed:
                ninth.recv(timeout=60)
        assert closed.value.rcvd.code == 1013
        assert all(len(client.show(0.0, face_jpeg)["faces"]) == 1 for client in eight)
        eight[0].socket.close()
        with visiting(port) as late:
            assert len(late.show(0.0, face_jpeg)["faces"]) == 1


@pytest.mark.parametrize(
    ("limits", "code", "reason"),
    [
        (LimitsConfig(max_messages_per_s=5.0), 1008, "more than 5 messages a second"),
        (LimitsConfig(idle_s=0.2), 1001, "nothing was sent for 0.2 s"),
    ],
)
def test_who_asks_too_much_or_nothing_is_told_and_loses_the_place(model, limits, code, reason):
    with serving(model, limits=limits) as port, visiting(port) as client:
        if code == 1008:
            for _ in range(30):
                client.say(type="restart")
        refusal = client.hear()
        assert refusal["type"] == "refused"
        assert refusal["reason"].startswith(reason)
        with pytest.raises(ConnectionClosed) as closed:
            client.hear()
    assert closed.value.rcvd.code == code
