import pytest
from torch import nn

from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.meta import ModelConfig
from emotemporal.train.optim import OptimConfig, build_optimizer, learning_rate_share


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    config = OptimConfig(warmup_share=0.1)
    shares = [learning_rate_share(step, 100, config) for step in range(100)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[9] == pytest.approx(1.0)
    assert max(shares) <= 1.0
    assert shares[55] == pytest.approx(0.5, abs=0.01)
    assert shares[99] < 0.001


def test_a_constant_schedule_stays_at_the_peak():
    config = OptimConfig(schedule="constant", warmup_share=0)
    assert {learning_rate_share(step, 10, config) for step in range(10)} == {1.0}


def test_biases_and_normalisation_do_not_decay_and_early_stages_learn_slower():
    net = EmotionNet(ModelConfig(), 7)
    optimizer = build_optimizer(net, OptimConfig(learning_rate=1.0, layer_decay=0.5))
    group_of = {id(p): g for g in optimizer.param_groups for p in g["params"]}
    assert len(group_of) == len(list(net.parameters()))
    for name, parameter in net.named_parameters():
        group = group_of[id(parameter)]
        assert (group["weight_decay"] == 0) == (parameter.ndim == 1), name
    rates = {
        name: group_of[id(net.get_parameter(name))]["lr"]
        for name in (
            "head.classifier.weight",
            "encoder.layer4.0.conv1.weight",
            "encoder.conv1.weight",
        )
    }
    assert rates["head.classifier.weight"] == 1.0
    assert rates["encoder.layer4.0.conv1.weight"] == 0.5
    assert rates["encoder.conv1.weight"] == pytest.approx(0.5**6)


def test_frozen_parameters_are_left_out():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[0].requires_grad_(False)
    optimizer = build_optimizer(net, OptimConfig())
    assert sum(len(g["params"]) for g in optimizer.param_groups) == 2


@pytest.mark.parametrize(
    ("values", "told"),
    [
        pytest.param({"epochs": 0}, "epochs is 0", id="no-epochs"),
        pytest.param({"learning_rate": 0.0}, "must be above 0", id="no-rate"),
        pytest.param({"ema_decay": 1.0}, "ema_decay is 1.0", id="average-that-never-moves"),
        pytest.param({"patience": 0}, "patience is 0", id="no-patience"),
        pytest.param({"patience": 3, "keep": "last"}, "would do nothing", id="nothing-to-wait-for"),
        pytest.param({"layer_decay": 0.0}, "layer_decay is 0.0", id="stages-that-never-learn"),
        pytest.param(
            {"class_weights": "balanced", "sampling": "balanced"}, "twice", id="balanced-twice"
        ),
        pytest.param(
            {"loss": "logit_adjusted", "sampling": "balanced"},
            "sampling and loss both",
            id="adjusted-and-drawn",
        ),
        pytest.param({"sam_rho": -0.1}, "sam_rho is -0.1", id="radius-below-nothing"),
    ],
)
def test_contradictions_are_refused(values, told):
    with pytest.raises(ValueError, match=told):
        OptimConfig(**values)
