import torch
from torch import nn

from emotemporal.train.sharpness import at_worst_nearby


def test_the_weights_stand_uphill_by_the_radius_inside_and_exactly_back_after():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 3), nn.Linear(3, 1))
    x = torch.randn(8, 5)
    before = [p.detach().clone() for p in net.parameters()]
    loss = net(x).square().mean()
    loss.backward()
    grads = [p.grad.clone() for p in net.parameters()]
    with at_worst_nearby(net, 0.05):
        moved = [p.detach() - b for p, b in zip(net.parameters(), before, strict=True)]
        length = torch.sqrt(sum((m**2).sum() for m in moved))
        torch.testing.assert_close(length, torch.tensor(0.05), rtol=1e-3, atol=0)
        assert all((m * g >= 0).all() for m, g in zip(moved, grads, strict=True))
        assert net(x).square().mean() > loss
        assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(p, b) for p, b in zip(net.parameters(), before, strict=True))


def test_a_gradient_of_nothing_moves_nothing():
    net = nn.Linear(2, 1)
    before = net.weight.detach().clone()
    (net(torch.zeros(1, 2)) * 0).sum().backward()
    with at_worst_nearby(net, 0.05):
        assert torch.equal(net.weight, before)


def test_a_gradient_that_overflowed_moves_nothing():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    before = [p.detach().clone() for p in net.parameters()]
    net(torch.ones(1, 2)).sum().backward()
    net[0].weight.grad[0, 0] = torch.inf
    with at_worst_nearby(net, 0.05):
        assert all(torch.equal(p, b) for p, b in zip(net.parameters(), before, strict=True))
