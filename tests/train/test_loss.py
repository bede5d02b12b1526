import torch
from torch.nn.functional import cross_entropy

from emotemporal.train.loss import masked_cross_entropy


def _example():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 5, generator=generator)
    classes = torch.randint(5, (3, 4), generator=generator)
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    return logits, classes, torch.eye(5)[classes], mask


def test_hard_targets_give_torchs_cross_entropy_over_the_known_frames():
    logits, classes, targets, mask = _example()
    total, weight = masked_cross_entropy(logits, targets, mask)
    torch.testing.assert_close(total / weight, cross_entropy(logits[mask], classes[mask]))


def test_class_weights_and_label_smoothing_weigh_each_sample_as_torch_does_without_smoothing():
    logits, classes, targets, mask = _example()
    weights = torch.tensor([0.5, 2.0, 1.0, 0.1, 3.0])
    total, weight = masked_cross_entropy(logits, targets, mask, weights)
    expected = cross_entropy(logits[mask], classes[mask], weight=weights)
    torch.testing.assert_close(total / weight, expected)


def test_label_smoothing_is_torchs():
    logits, classes, targets, mask = _example()
    total, weight = masked_cross_entropy(logits, targets, mask, label_smoothing=0.2)
    expected = cross_entropy(logits[mask], classes[mask], label_smoothing=0.2)
    torch.testing.assert_close(total / weight, expected)


def test_what_padding_holds_does_not_matter():
    logits, _, targets, mask = _example()
    poisoned = torch.where(mask[..., None], logits, torch.full_like(logits, 1e6))
    one = masked_cross_entropy(logits, targets, mask)
    other = masked_cross_entropy(poisoned, targets, mask)
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_soft_targets_are_the_mean_of_their_hard_ones():
    logits, _, _, mask = _example()
    votes = torch.tensor([0.7, 0.3, 0, 0, 0]).expand(3, 4, 5)
    soft, _ = masked_cross_entropy(logits, votes, mask)
    hard = [
        masked_cross_entropy(logits, torch.eye(5)[i].expand(3, 4, 5), mask)[0] for i in range(2)
    ]
    torch.testing.assert_close(soft, 0.7 * hard[0] + 0.3 * hard[1])
