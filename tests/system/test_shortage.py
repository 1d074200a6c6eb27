"""The batch that fits is found from what two small ones take, on a device whose memory is known here."""

import re

import pytest
import torch

from omnitwin.config import TrainConfig
from omnitwin.errors import CannotRun
from omnitwin.recipes import FAST, SMALL
from omnitwin.system.shortage import SPARE, Memory, attempt, fitting_batch
from omnitwin.training.trainer import Trainer

CPU = torch.device("cpu")
GIB = 1 << 30


class Device(Memory):
    """A device with this many free bytes. A batch takes base bytes, and `each` for each of its pairs or images."""

    def __init__(self, free, base, each):
        self.bytes, self.base, self.each, self.most, self.tried = free, base, each, 0, []

    def free(self):
        return self.bytes

    def peak(self):
        return self.most

    def reset_peak(self):
        self.most = 0

    def trial(self, size):
        self.tried.append(size)
        needed = self.base + self.each * size
        if needed > self.bytes:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.most = max(self.most, needed)


@pytest.mark.parametrize("reserve", [0, GIB // 4])
@pytest.mark.parametrize(("base", "each"), [(0, 50_000_000), (GIB, 7_000_000), (GIB // 2, 1_000_003)])
def test_what_is_told_fits_and_one_more_would_not(base, each, reserve):
    device = Device(4 * GIB, base, each)
    told = fitting_batch(100_000, 1, device.trial, reserve, device)
    room = SPARE * 4 * GIB - reserve
    assert base + each * told <= room < base + each * (told + 1)


def test_it_is_clearly_less_than_what_did_not_fit():
    """A step may hold more than what its trials show, so all of what seems to be there is not promised."""
    device = Device(4 * GIB, 0, 1)
    assert fitting_batch(200, 1, device.trial, 0, device) == 150


def test_it_is_found_with_an_eighth_of_the_batch_at_most():
    device = Device(4 * GIB, 0, 30_000_000)
    fitting_batch(160, 1, device.trial, 0, device)
    assert device.tried == [10, 20]


def test_where_not_even_small_ones_fit_half_is_told_and_never_less_than_the_least():
    device = Device(GIB, 0, GIB)
    assert fitting_batch(64, 1, device.trial, 0, device) == 32
    assert fitting_batch(8, 6, device.trial, 0, device) == 6


def test_where_the_device_does_not_tell_half_is_told():
    assert fitting_batch(64, 1, lambda size: None, 0, Memory(CPU)) == 32


def test_a_shortage_is_told_with_the_hint_and_another_failure_as_it_is():
    def fail(error):
        raise error

    with pytest.raises(CannotRun) as caught:
        attempt(lambda: fail(torch.OutOfMemoryError("CUDA out of memory")), CPU, lambda: "Try less.")
    assert caught.value.line() == "cpu has too little memory. Try less."
    with pytest.raises(RuntimeError, match="shapes"):
        attempt(lambda: fail(RuntimeError("shapes do not match")), CPU, lambda: "Try less.")


RECIPES = {
    "pairs": SMALL.changed(batch_size=64, holdout=0),
    "batches": FAST.changed(image_size=12, batch_size=32, holdout=0, drawings=2),
}


@pytest.fixture(params=RECIPES)
def trainer(request, tiny_set):
    return Trainer(TrainConfig(recipe=RECIPES[request.param], device="cpu", precision="fp32"), tiny_set)


def test_a_trial_takes_all_gradients_and_trains_nothing(trainer):
    before = {name: tensor.clone() for name, tensor in trainer.network.named_parameters()}
    trainer.trial(8)
    gradients = [tensor.grad for tensor in trainer.network.encoder.parameters()]
    assert all(gradient is not None for gradient in gradients)
    assert any(gradient.any() for gradient in gradients)  # some are 0 where a residual pair begins with nothing
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.network.named_parameters())


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_step_that_lacks_memory_tells_a_batch_by_trials_of_its_own_kind(recipe, tiny_set):
    class Short(Trainer):
        def trial(self, size):
            self.memory.trial(size)
            super().trial(size)

    def lack(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    trainer = Short(TrainConfig(recipe=recipe, device="cpu", precision="fp32"), tiny_set)
    trainer.memory = device = Device(1 << 30, 1 << 20, (1 << 30) // 30)
    trainer.optimiser.torch.register_step_pre_hook(lack)
    with pytest.raises(CannotRun) as caught:
        trainer.step(1)
    told = int(re.findall(r"Try --batch-size (\d+)\.", caught.value.line())[0])
    assert device.tried
    assert trainer.sampler.least <= told < trainer.recipe.sampling.batch_size
    assert device.base + device.each * told < device.bytes
