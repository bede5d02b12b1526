"""The one training loop. Jobs differ in data, network and what is frozen; they pass arguments."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

import torch
from jaxtyping import Float
from lightning_fabric import Fabric
from torch import Tensor, nn

from emotemporal.data.seeds import derive_seed
from emotemporal.stopping import InterruptedJob
from emotemporal.timing import monotonic
from emotemporal.train.freezing import set_training
from emotemporal.train.history import EpochRow
from emotemporal.train.loss import masked_cross_entropy
from emotemporal.train.optim import OptimConfig, build_average, build_optimizer, set_learning_rate
from emotemporal.train.processes import is_true_anywhere, sum_over
from emotemporal.train.sharpness import at_worst_nearby
from emotemporal.train.state import Keeper, Progress, TrainingState, pack_tensors, unpack_tensors
from emotemporal.train.task import AnyBatch, Task, Validation

_CHECK_EVERY = 10
"""Steps between looks at the loss: each look waits for the device."""


class NonFiniteLossError(ArithmeticError):
    """The loss became infinite or not a number; the last good state is kept."""


def fit(
    task: Task,
    config: OptimConfig,
    seed: int,
    fabric: Fabric,
    keeper: Keeper,
    stop: Event | None = None,
    stop_after: int | None = None,
) -> Progress:
    """Train to the end, from wherever `keeper` says the run stands.

    The same seed gives the same bits, also across a kill: the order of samples, dropout and
    augmentation are functions of seed, epoch and step, so nothing random has to be remembered.

    Args:
        task: Network, data, validation.
        config: Optimiser and schedule.
        seed: Of the job.
        fabric: Devices, processes and precision.
        keeper: Where the state and the best weights go.
        stop: Looked at after every step; if made, the state is saved and the loop left.
        stop_after: As `config.stop_after`, and in its place.

    Returns:
        The rows of all epochs, and which was best. Without validation the last one is.

    Raises:
        NonFiniteLossError: The loss is infinite or not a number.
        InterruptedJob: `stop` was made; the same call goes on from there.
        ValueError: A whole epoch held no frame whose truth is known.
    """
    run = _Run(task, config, seed, fabric, keeper, stop or Event())
    progress = run.resume()
    last_epoch = min(config.epochs, stop_after or config.stop_after or config.epochs)
    # Asked before an epoch, not after it: a run that ended early and is started again has ended.
    while progress.epoch < last_epoch and not progress.has_waited(config.patience):
        started = monotonic()  # for the printed seconds alone
        progress = run.train_epoch(progress)
        progress = run.judge_epoch(progress)
        if task.on_epoch is not None and fabric.is_global_zero:
            task.on_epoch(progress.rows, monotonic() - started)
    return progress


class _Run:
    """The objects of one `fit` that do not change while it runs."""

    def __init__(
        self,
        task: Task,
        config: OptimConfig,
        seed: int,
        fabric: Fabric,
        keeper: Keeper,
        stop: Event,
    ) -> None:
        self.task, self.config, self.seed = task, config, seed
        self.fabric, self.keeper, self.stop = fabric, keeper, stop
        self.net = task.net
        self.average = build_average(self.net, config)
        self.optimizer = build_optimizer(self.net, config)
        self.wrapped, self.fabric_optimizer = fabric.setup(self.net, self.optimizer)
        if self.average is not None:
            self.average.to(fabric.device)
        self.num_steps = config.epochs * task.batches_per_epoch
        self.class_weights, self.logit_offsets = (
            None if values is None else values.to(fabric.device)
            for values in (task.class_weights, task.logit_offsets)
        )

    @property
    def judged(self) -> nn.Module:
        """The network that is validated and kept: the moving average if there is one."""
        return self.net if self.average is None else self.average.module

    def resume(self) -> Progress:
        state = self.keeper.load()
        if state is None:
            return Progress()
        unpack_tensors(state.tensors, self.net, self.average, self.optimizer)
        return state.progress

    def train_epoch(self, progress: Progress) -> Progress:
        """Take every step of one epoch that is not taken yet."""
        set_training(self.net, progress.epoch, self.config.freeze_epochs)
        sums = torch.tensor(progress.sums, dtype=torch.float64, device=self.fabric.device)
        with torch.random.fork_rng(devices=[]):
            for batch in self.task.batches(progress.epoch, progress.batch):
                sums += self._step(batch.to(self.fabric.device), progress.step)
                progress = replace(progress, batch=progress.batch + 1, step=progress.step + 1)
                if self._is_time_to_look(progress.step):
                    progress = self._look_up(progress, sums)
        return self._look_up(progress, sums)

    def judge_epoch(self, progress: Progress) -> Progress:
        """Validate, keep the best, save the state."""
        loss, correct, num_known = sum_over(self.fabric, progress.sums)
        if not num_known:
            raise ValueError("of no frame that counts for the loss the truth is known: see loss_on")
        found = self._validate()
        row = EpochRow(
            epoch=progress.epoch + 1,
            step=progress.step,
            train_loss=loss / num_known,
            train_accuracy=correct / num_known,
            val_loss=None if found is None else found.loss,
            val_accuracy=None if found is None else found.accuracy,
            val_uar=None if found is None else found.uar,
            val_macro_f1=None if found is None else found.macro_f1,
        )
        # Without validation there is nothing to choose by, so each epoch replaces the one before.
        score = float(row.epoch)
        if found is not None and self.config.keep == "best":
            score = found.score
        progress = progress.after_epoch(row, score)
        if progress.best_epoch == row.epoch and self.fabric.is_global_zero:
            self.keeper.save_best(self.judged, row)
        self._save(progress)
        return progress

    def _validate(self) -> Validation | None:
        found = None if self.task.validate is None else self.task.validate(self.judged)
        # Batch statistics differ between processes, so their figures may; all must go by the same,
        # or patience would end one of them and leave the others waiting.
        return self.fabric.broadcast(found) if self.fabric.world_size > 1 else found

    def _step(self, batch: AnyBatch, step: int) -> Float[Tensor, " 3"]:
        set_learning_rate(self.optimizer, step, self.num_steps, self.config)
        self.fabric_optimizer.zero_grad(set_to_none=True)
        sums = self._backward(batch, step)
        if self.config.sam_rho > 0:
            with at_worst_nearby(self.net, self.config.sam_rho):
                self._backward(batch, step)
        if self.config.max_grad_norm is not None:
            # A gradient that is not finite is told by `_look_up`, with what to do about it.
            self.fabric.clip_gradients(
                self.wrapped,
                self.fabric_optimizer,
                max_norm=self.config.max_grad_norm,
                error_if_nonfinite=False,
            )
        self.fabric_optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.net)
        return sums

    def _backward(self, batch: AnyBatch, step: int) -> Float[Tensor, " 3"]:
        """Add a batch's gradients, and return its loss, right answers and weight, summed."""
        # Dropout draws from the global generator; seeded a step, it needs no memory.
        _seed_draws(derive_seed(self.seed, "step", step, self.fabric.global_rank), self.fabric)
        logits = self.task.forward(self.wrapped, batch)  # b t k
        offsets = 0.0 if self.logit_offsets is None else self.logit_offsets
        loss_sum, weight = masked_cross_entropy(
            logits.float() + offsets,
            batch.targets,
            batch.target_mask,
            self.class_weights,
            self.config.label_smoothing,
        )
        # Gradients are averaged over processes, so each divides by the mean weight of them all.
        mean_weight = weight.detach().clone()
        if self.fabric.world_size > 1:
            mean_weight = self.fabric.all_reduce(mean_weight, reduce_op="mean")  # type: ignore[assignment]
        self.fabric.backward(loss_sum / mean_weight.clamp(min=1e-12))
        with torch.no_grad():
            is_right = logits.argmax(-1) == batch.targets.argmax(-1)
            num_right = (is_right & batch.target_mask).sum()
            num_known = batch.target_mask.sum()
            mean_loss = loss_sum / weight.clamp(min=1e-12)
        return torch.stack([mean_loss.double() * num_known, num_right.double(), num_known.double()])

    def _is_time_to_look(self, step: int) -> bool:
        # Several processes must stop at the same step, so there a request waits for the next look.
        wants_now = self.stop.is_set() and self.fabric.world_size == 1
        return wants_now or step % _CHECK_EVERY == 0

    def _look_up(self, progress: Progress, sums: Float[Tensor, " 3"]) -> Progress:
        is_bad = not bool(torch.isfinite(sums).all())
        # One process that leaves alone would let the others wait for it for ever.
        is_bad, is_asked = is_true_anywhere(self.fabric, [is_bad, self.stop.is_set()])
        if is_bad:
            raise NonFiniteLossError(
                f"the loss is not finite within {_CHECK_EVERY} steps of step {progress.step} "
                f"(epoch {progress.epoch + 1}). The state of the last whole epoch is kept; lower "
                "the learning rate, or set optim.max_grad_norm."
            )
        loss, correct, weight = sums.tolist()
        progress = replace(progress, sums=(loss, correct, weight))
        if is_asked:
            self._save(self._with_mean_sums(progress))
            raise InterruptedJob(
                f"stopped at step {progress.step}; the state is saved, the same command goes on"
            )
        return progress

    def _with_mean_sums(self, progress: Progress) -> Progress:
        # One state for all processes: each goes on from the mean, so that their sum is right.
        num = self.fabric.world_size
        loss, correct, weight = (value / num for value in sum_over(self.fabric, progress.sums))
        return replace(progress, sums=(loss, correct, weight))

    def _save(self, progress: Progress) -> None:
        if self.fabric.is_global_zero:
            tensors = pack_tensors(self.net, self.average, self.optimizer)
            self.keeper.save(TrainingState(progress, tensors))
        self.fabric.barrier()


def _seed_draws(seed: int, fabric: Fabric) -> None:
    if fabric.device.type == "cpu":
        # torch.manual_seed looks for GPUs too, and notes with a stack trace what it would have
        # seeded there: a tenth of a small head's step.
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)
