from __future__ import annotations

import pytest
import torch

from emotemporal.models.heads.build import build_head
from emotemporal.models.meta import ModelConfig
from emotemporal.models.temporal import (
    TemporalState,
    blank_state,
    split_states,
    stack_states,
)
from tests.fakes import with_head

FEATURE_DIM, NUM_LABELS, NUM_FRAMES = 24, 7, 9
CONFIGS = [
    pytest.param(ModelConfig(head="frame"), id="frame"),
    pytest.param(ModelConfig(head="gru", hidden_dim=16), id="gru"),
    pytest.param(ModelConfig(head="gru", hidden_dim=8, num_layers=3, dropout=0.5), id="deep-gru"),
    pytest.param(ModelConfig(head="gru", hidden_dim=8, head_input="logits"), id="gru-on-logits"),
    pytest.param(ModelConfig(head="change_filter", hidden_dim=40), id="change-filter"),
    pytest.param(ModelConfig(head="attention", hidden_dim=16), id="attention"),
    pytest.param(ModelConfig(head="lstm", hidden_dim=16), id="lstm"),
    pytest.param(ModelConfig(head="lstm", hidden_dim=8, num_layers=2), id="deep-lstm"),
    pytest.param(ModelConfig(head="window_gru", hidden_dim=8, window_frames=4), id="window-gru"),
    pytest.param(ModelConfig(head="window_gru", hidden_dim=8, window_frames=12), id="wide-window"),
    pytest.param(ModelConfig(head="tcn", hidden_dim=8), id="tcn"),
    pytest.param(ModelConfig(head="tcn", hidden_dim=8, num_layers=3), id="deep-tcn"),
    pytest.param(ModelConfig(head="transformer", hidden_dim=16, window_frames=4), id="transformer"),
    pytest.param(
        ModelConfig(head="transformer", hidden_dim=8, num_layers=2, window_frames=12),
        id="deep-transformer",
    ),
]


def make_head(config: ModelConfig) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_head(FEATURE_DIM, NUM_LABELS, config).eval()


def make_features(num_clips: int = 3, num_frames: int = NUM_FRAMES, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num_clips, num_frames, FEATURE_DIM, generator=generator)


def depends_on_the_future(head: torch.nn.Module, at: int) -> bool:
    """Say whether logits up to frame `at` change when the frames after it do."""
    features = make_features()
    changed = torch.cat([features[:, : at + 1], 5 * features[:, at + 1 :].flip(1, 2) + 1], dim=1)
    before, after = (head(x)[0][:, : at + 1] for x in (features, changed))
    return not torch.allclose(before, after, rtol=0, atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("at", range(NUM_FRAMES - 1))
@torch.inference_mode()
def test_the_past_does_not_depend_on_the_future(config, at):
    assert not depends_on_the_future(make_head(config), at)


@torch.inference_mode()
def test_a_bidirectional_head_is_noticed():
    class LooksAhead(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = torch.nn.GRU(FEATURE_DIM, 8, batch_first=True, bidirectional=True)

        def forward(self, features):
            return self.gru(features)

    assert depends_on_the_future(LooksAhead(), 3)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("cuts", [[1] * NUM_FRAMES, [4, 5], [8, 1], [NUM_FRAMES]], ids=str)
@torch.inference_mode()
def test_a_stream_in_pieces_gives_what_it_gives_as_a_whole(config, cuts):
    head, features = make_head(config), make_features()
    whole, last = head(features)
    state, pieces = None, []
    for piece in features.split(cuts, dim=1):
        logits, state = head(piece, state)
        pieces.append(logits)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(state.hidden, last.hidden, rtol=0, atol=1e-6)


@torch.inference_mode()
def test_forgetting_the_state_is_noticed():
    head, features = make_head(ModelConfig(head="gru", hidden_dim=16)), make_features()
    whole, _ = head(features)
    late, _ = head(features[:, 4:])
    assert not torch.allclose(whole[:, 4:], late, atol=1e-3)


@pytest.mark.parametrize("config", CONFIGS)
@torch.inference_mode()
def test_a_blank_state_is_no_state(config):
    head, features = make_head(config), make_features(num_clips=1)
    torch.testing.assert_close(head(features, blank_state(config)), head(features))


@pytest.mark.parametrize("config", CONFIGS)
@torch.inference_mode()
def test_states_come_apart_and_together_as_they_were(config):
    _, state = make_head(config)(make_features())
    single = split_states(state)
    assert len(single) == 3
    assert all(s.hidden.shape == blank_state(config).hidden.shape for s in single)
    assert torch.equal(stack_states(single).hidden, state.hidden)


@pytest.mark.parametrize("config", CONFIGS)
@torch.inference_mode()
def test_streams_that_come_and_go_do_not_touch_each_other(config):
    head = make_head(config)
    one, two = make_features(1, seed=1), make_features(1, seed=2)
    alone, _ = head(one)
    _, state = head(one[:, :4])
    together = stack_states([blank_state(config), state])
    logits, _ = head(torch.cat([two[:, :5], one[:, 4:]]), together)
    torch.testing.assert_close(logits[1:], alone[:, 4:], rtol=0, atol=1e-6)


@torch.inference_mode()
def test_a_state_passed_in_is_not_changed():
    head = make_head(ModelConfig(head="gru", hidden_dim=16))
    state = TemporalState(torch.ones(1, 3, 16))
    head(make_features(), state)
    assert torch.equal(state.hidden, torch.ones(1, 3, 16))


def test_an_unknown_head_is_refused_with_those_there_are(meta):
    config = with_head(meta, "mamba").model
    with pytest.raises(ValueError, match=r"'mamba'.*frame, .*gru, .*change_filter"):
        build_head(FEATURE_DIM, NUM_LABELS, config)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"hidden_dim": 0}, "hidden_dim is 0"),
        ({"hidden_dim": 10**9}, "hidden_dim is 1000000000"),
        ({"num_layers": 0}, "num_layers 0"),
        ({"num_layers": 10**6}, "num_layers 1000000"),
        ({"head": "attention", "num_layers": 2}, "an? attention has 1"),
        ({"head": "window_gru", "num_layers": 2}, "window gru has 1"),
        ({"head": "window_gru", "window_frames": 1}, "at least 2"),
        ({"head": "gru", "window_frames": 8}, "a gru has no window"),
        ({"head": "transformer", "hidden_dim": 30}, "multiple of 4"),
        ({"head": "transformer", "window_frames": 10**9}, "numbers a stream"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"dropout": -0.1}, "dropout is -0.1"),
        ({"dropout": float("nan")}, "dropout is nan"),
    ],
)
def test_a_model_that_cannot_be_is_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        ModelConfig(**fields)


@torch.inference_mode()
def test_a_gru_on_logits_knows_no_more_of_a_frame_than_its_frame_classifier():
    head = make_head(ModelConfig(head="gru", hidden_dim=8, head_input="logits"))
    assert not any(p.requires_grad for p in head.frame_classifier.parameters())
    features = make_features()
    blind = torch.linalg.svd(head.frame_classifier.weight).Vh[-1]  # what no logit depends on
    changed = (
        features
        + 5
        * torch.randn(features.shape[:2], generator=torch.Generator().manual_seed(0))[..., None]
        * blind
    )
    torch.testing.assert_close(head(features)[0], head(changed)[0], rtol=0, atol=1e-4)


@torch.inference_mode()
def test_a_change_filter_averages_what_stays_alike_and_forgets_at_a_change():
    head = make_head(ModelConfig(head="change_filter", hidden_dim=64))
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randn(2, FEATURE_DIM, generator=generator)
    first = pictures[0] + 0.05 * torch.randn(1, 30, FEATURE_DIM, generator=generator)
    second = pictures[1].expand(1, 5, FEATURE_DIM)
    after = head(torch.cat([first, second], dim=1))[0].softmax(-1)
    alone = head(second)[0].softmax(-1)
    torch.testing.assert_close(after[:, -1], alone[:, -1], rtol=0, atol=0.02)
    frames = head.frame_classifier(first).softmax(-1)
    flicker = (frames[:, 1:] - frames[:, :-1]).abs().mean()
    steady = after[:, 10:30]
    assert (steady[:, 1:] - steady[:, :-1]).abs().mean() < 0.5 * flicker
    # With no change counted as one, the first picture would still be remembered.
    head.change_at.fill_(10.0)
    slow = head(torch.cat([first, second], dim=1))[0].softmax(-1)
    assert (slow[:, -1] - alone[:, -1]).abs().max() > (after[:, -1] - alone[:, -1]).abs().max()


def test_a_change_filter_learns_two_dozen_numbers():
    head = make_head(ModelConfig(head="change_filter", hidden_dim=64))
    assert sum(p.numel() for p in head.parameters() if p.requires_grad) == 7 + 2 * NUM_LABELS


def test_a_change_filter_without_room_for_its_memory_is_refused():
    with pytest.raises(ValueError, match="needs 31 or more"):
        make_head(ModelConfig(head="change_filter", hidden_dim=30))


@torch.inference_mode()
def test_a_bidirectional_gru_sees_the_whole_clip_at_every_frame():
    head = make_head(ModelConfig(head="bigru", hidden_dim=8))
    assert all(depends_on_the_future(head, at) for at in range(NUM_FRAMES - 1))


@torch.inference_mode()
def test_a_bidirectional_gru_refuses_to_go_on():
    head = make_head(ModelConfig(head="bigru", hidden_dim=8))
    _, state = head(make_features())
    assert split_states(state)[0].hidden.numel() == 0
    with pytest.raises(ValueError, match="needs the whole clip at once"):
        head(make_features(), state)


@pytest.mark.parametrize(
    "config",
    [*CONFIGS, pytest.param(ModelConfig(head="bigru", hidden_dim=8, num_layers=2), id="bigru")],
)
@torch.inference_mode()
def test_a_padded_batch_gives_what_single_clips_give(config):
    head, features = make_head(config), make_features()
    lengths = torch.tensor([4, NUM_FRAMES, 6])
    features[0, 4:], features[2, 6:] = 1e3, -1e3  # whatever is there must not be looked at
    padded, _ = head(features, lengths=lengths)
    for i, length in enumerate(lengths.tolist()):
        alone, _ = head(features[i : i + 1, :length])
        torch.testing.assert_close(padded[i : i + 1, :length], alone, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_padding_that_is_not_told_changes_what_looks_ahead():
    head = make_head(ModelConfig(head="bigru", hidden_dim=8))
    alone, _ = head(make_features()[:, :4])
    assert not torch.allclose(head(make_features())[0][:, :4], alone, atol=1e-3)


@pytest.mark.parametrize("config", CONFIGS)
@torch.inference_mode()
def test_streams_that_start_at_different_times_are_judged_as_if_alone(config):
    head, num_streams, num_ticks = make_head(config), 3, 20
    features = make_features(num_streams, num_ticks, seed=3)
    starts = [0, 2, 7]
    states = {}
    answers = {i: [] for i in range(num_streams)}
    for tick in range(num_ticks):
        running = [i for i, start in enumerate(starts) if start <= tick]
        before = stack_states([states.get(i, blank_state(config)) for i in running])
        logits, after = head(features[running, tick : tick + 1], before)
        for i, row, state in zip(running, logits, split_states(after), strict=True):
            states[i] = state
            answers[i].append(row)
    for i, start in enumerate(starts):
        alone, _ = head(features[i : i + 1, start:])
        torch.testing.assert_close(torch.cat(answers[i])[None], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "num_seen"),
    [
        (ModelConfig(head="window_gru", hidden_dim=8, window_frames=4), 4),
        (ModelConfig(head="tcn", hidden_dim=8, num_layers=2), 7),
        (ModelConfig(head="transformer", hidden_dim=8, window_frames=4), 4),
        (ModelConfig(head="transformer", hidden_dim=8, window_frames=3, num_layers=2), 5),
    ],
    ids=["window-gru", "tcn", "transformer", "deep-transformer"],
)
@torch.inference_mode()
def test_what_is_before_the_window_is_forgotten_and_what_is_in_it_is_not(config, num_seen):
    head, features = make_head(config), make_features(1, 20)
    whole = head(features)[0][:, -1]
    just_enough = features.clone()
    just_enough[:, : 20 - num_seen] += 3.0
    torch.testing.assert_close(head(just_enough)[0][:, -1], whole, rtol=0, atol=1e-5)
    generator = torch.Generator().manual_seed(5)
    just_enough[:, 20 - num_seen] += torch.randn(FEATURE_DIM, generator=generator)
    assert (head(just_enough)[0][:, -1] - whole).abs().max() > 1e-4


@torch.inference_mode()
def test_a_stream_no_longer_than_its_window_is_a_grus():
    gru = make_head(ModelConfig(head="gru", hidden_dim=16))
    windowed = make_head(ModelConfig(head="window_gru", hidden_dim=16, window_frames=NUM_FRAMES))
    windowed.load_state_dict(gru.state_dict())
    features = make_features(num_frames=NUM_FRAMES + 1)
    ours, theirs = windowed(features)[0], gru(features)[0]
    torch.testing.assert_close(ours[:, :-1], theirs[:, :-1], rtol=0, atol=1e-6)
    assert not torch.allclose(ours[:, -1], theirs[:, -1], atol=1e-5)
    late = gru(features[:, 1:])[0]
    torch.testing.assert_close(ours[:, -1], late[:, -1], rtol=0, atol=1e-6)


@torch.inference_mode()
def test_an_attention_pooled_answer_does_not_depend_on_the_order_of_frames():
    head = make_head(ModelConfig(head="attention", hidden_dim=16))
    features = make_features()
    forwards, backwards = head(features)[0], head(features.flip(1))[0]
    torch.testing.assert_close(forwards[:, -1], backwards[:, -1], rtol=0, atol=1e-6)
    assert not torch.allclose(forwards[:, 3], backwards[:, 3], atol=1e-3)


@torch.inference_mode()
def test_attention_weighs_frames_by_the_softmax_of_their_scores():
    head = make_head(ModelConfig(head="attention", hidden_dim=16))
    head.score.weight.mul_(40)  # far from the plain mean
    features = make_features()
    inputs = head.norm(features)
    scores = head.score(torch.tanh(head.content(inputs)) * torch.sigmoid(head.gate(inputs)))
    pooled = (scores.softmax(dim=1) * torch.relu(head.value(inputs))).sum(dim=1)
    last = head(features)[0][:, -1]
    torch.testing.assert_close(last, head.classifier(pooled), rtol=0, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS)
@torch.inference_mode()
def test_a_long_stream_stays_finite_and_keeps_to_the_whole(config):
    head, features = make_head(config), 3 * make_features(1, 300)
    whole, _ = head(features)
    state, rows = None, []
    for frame in features.split(1, dim=1):
        logits, state = head(frame, state)
        rows.append(logits)
    torch.testing.assert_close(torch.cat(rows, dim=1), whole, rtol=0, atol=1e-5)
    assert state.hidden.shape == blank_state(config).hidden.shape
