"""Training on a device: a pretended CUDA one, and a real one where there is one."""

from __future__ import annotations

from contextlib import nullcontext
from unittest import mock

import pytest
import torch

import pretended
from stepladder.training.workfolder import WorkFolder


@pytest.fixture(params=["pretended", pytest.param("real", marks=pytest.mark.gpu)])
def there(request):
    """Within it trainings find a CUDA device."""
    if request.param == "pretended":
        return pretended.device
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    return nullcontext


@pytest.mark.parametrize(
    ("method", "model"),
    [
        ("lora", "llama"),
        ("full", "t5"),
        ("prompt-tuning(4)", "llama"),
        ("prompt-tuning(4, kind=prefix)", "llama"),
        ("lora + prompt-tuning(4, lr=0.05)", "llama"),
    ],
)
def test_it_learns_what_it_learns_on_the_processor(make_job, train, tmp_path, there, method, model):
    job = make_job(method, model=model, epochs=2)
    logs = []
    with mock.patch.object(torch.cuda, "is_available", return_value=False):
        logs.append(trained(train, job, tmp_path / "here"))
    with there():
        assert torch.cuda.is_available()
        logs.append(trained(train, job, tmp_path / "there"))
    assert logs[1]["dev_loss_before"] == pytest.approx(logs[0]["dev_loss_before"], rel=1e-3)
    if there is pretended.device:  # a real one draws other numbers for dropout
        for name in ("losses", "dev_losses"):
            for one, other in zip(*(log[name] for log in logs), strict=True):
                assert one == pytest.approx(other, rel=1e-3)
    assert logs[1]["dev_losses"][-1][1] < logs[1]["dev_loss_before"]


def trained(train, job, folder):
    """In float32, which is no device's first choice."""
    work = WorkFolder(folder)
    work.open_for(job)
    work.settle({"precision": "float32", "bf16_speed_up": None})
    return train(job, folder).log
