"""Judge a network in the middle of its training, with the measures that tables use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from emotemporal.evaluation.metrics import JudgedClips, measure
from emotemporal.inference.predictor import clip_answer
from emotemporal.labels import LabelSpace
from emotemporal.models.meta import ModelConfig
from emotemporal.train.loss import masked_cross_entropy
from emotemporal.train.task import AnyBatch, Validation

JudgeBy = Literal["clips", "frames"]
Forward = Callable[[nn.Module, AnyBatch], Float[Tensor, "b t k"]]


@torch.inference_mode()
def validate(
    net: nn.Module,
    forward: Forward,
    batches: Iterable[AnyBatch],
    labels: LabelSpace,
    model: ModelConfig,
    judge_by: JudgeBy = "clips",
) -> Validation:
    """Return loss over frames and accuracy, UAR and macro-F1, over clips or over frames.

    A clip's answer is the one that the evaluation tables use; its truth is the emotion with the
    largest part of its targets. Of frames, each whose truth is known counts once: for clips that
    change what they show. The network is left as it was found, training or not.

    Raises:
        ValueError: Of a clip, nothing is known.
    """
    modes = {module: module.training for module in net.modules()}
    net.eval()
    device = next(net.parameters()).device
    judged = _Judged(labels, judge_by)
    for batch in batches:
        judged.add(batch, forward(net, batch.to(device)).float().cpu(), model)
    for module, was_training in modes.items():  # a frozen encoder was not
        module.training = was_training
    return judged.result()


class _Judged:
    def __init__(self, labels: LabelSpace, judge_by: JudgeBy) -> None:
        self.labels, self.judge_by = labels, judge_by
        self.loss_sum = 0.0
        self.num_frames = 0
        self.answers: list[Float[np.ndarray, "n k"]] = []
        self.truths: list[int] = []
        self.subjects: list[str] = []
        self.sources: list[str] = []

    def add(self, batch: AnyBatch, logits: Float[Tensor, "b t k"], model: ModelConfig) -> None:
        loss, weight = masked_cross_entropy(logits, batch.targets, batch.target_mask)
        self.loss_sum += float(loss)
        self.num_frames += int(weight)
        probabilities = logits.double().softmax(-1).numpy()
        for i, length in enumerate(batch.lengths.tolist()):
            known = batch.targets[i][batch.target_mask[i]]
            if not len(known):
                raise ValueError(
                    f"{batch.sources[i]} shows none of {', '.join(self.labels.names)} in any frame "
                    "that is judged; leave it out, or correct the truth over time"
                )
            if self.judge_by == "frames":
                answers = probabilities[i][batch.target_mask[i].numpy()]
                truths = known.argmax(dim=-1).tolist()
            else:
                answers = clip_answer(probabilities[i, :length], model)[None]
                truths = [int(known.sum(dim=0).argmax())]
            self.answers.append(answers)
            self.truths += truths
            self.subjects += [batch.subjects[i]] * len(truths)
            self.sources += [batch.sources[i]] * len(truths)

    def result(self) -> Validation:
        judged = JudgedClips(
            probabilities=np.concatenate(self.answers),
            targets=np.array(self.truths),
            subjects=tuple(self.subjects),
            sources=tuple(self.sources),
            labels=self.labels,
        )
        metrics = measure(judged)
        return Validation(
            loss=self.loss_sum / self.num_frames,
            accuracy=metrics.accuracy,
            uar=metrics.uar,
            macro_f1=metrics.macro_f1,
            judged=judged if self.judge_by == "clips" else None,
        )
