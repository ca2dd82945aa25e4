"""A CUDA device for machines without one: it computes on the processor, and keeps the rules.

    with pretended.device():
        model = model.to("cuda")             # is_available() says that there is one
        model(ids.to("cuda"))
        model(ids)                           # raises: two devices

A tensor there reports `cuda:0`, meets only tensors of the same device (and numbers), and does not
turn into a numpy array. What it costs and how it rounds says nothing about a real device; whether
everything is moved where it belongs, it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_leaves, tree_map

FREE = 8 * 2**30
"""Bytes that the device has free."""
_MOVES = (torch.Tensor.to, torch.Tensor.cuda, torch.Tensor.cpu)
_INDEXED = (torch.Tensor.__getitem__, torch.Tensor.__setitem__, torch.Tensor.copy_)
"""Take tensors of two devices on a real one too."""
_WHERE = ("device", "is_cuda", "is_cpu")
"""Properties that are its own; all others are those of the tensor that it holds."""


class Far(torch.Tensor):
    """A tensor that says it lies on the device; `held` has its numbers."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Far:
        made: Far = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device="cuda:0",
            requires_grad=held.requires_grad,
        )
        made.held = held
        return made

    def __init__(self, held: torch.Tensor) -> None:
        """All is done where it is made."""

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Far({self.held})"

    @classmethod
    def __torch_dispatch__(
        cls,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """What C++ asks of its own accord, as of the values of properties."""
        return _computed(func, args, dict(kwargs or {}))


def _near(value: Any) -> Any:
    if isinstance(value, slice):
        return slice(_near(value.start), _near(value.stop), _near(value.step))
    return value.held if isinstance(value, Far) else value


def _far(value: Any) -> Any:
    return Far(value) if isinstance(value, torch.Tensor) and not isinstance(value, Far) else value


def _computed(func: Callable[..., Any], args: Sequence[Any], keywords: dict[str, Any]) -> Any:
    """The function's result, on the device if its arguments are, or where it is told to."""
    tensors = [x for x in tree_leaves((args, keywords)) if isinstance(x, torch.Tensor)]
    far = any(isinstance(x, Far) for x in tensors)
    strangers = [x for x in tensors if not isinstance(x, Far) and x.dim() > 0]
    if far and strangers and func not in _INDEXED:
        raise RuntimeError(f"{resolve_name(func) or func}: expected all tensors on one device")
    if keywords.get("device") is not None:
        far = torch.device(keywords["device"]).type == "cuda"
        keywords["device"] = "cpu" if far else keywords["device"]
    if "_scaled_dot_product_efficient_attention" in str(func):
        return tree_map(_far, _efficient(*tree_map(_near, args), **tree_map(_near, keywords)))
    if func is torch.histc:  # of whole numbers only a CUDA device makes one
        return torch.histc(args[0].float(), *args[1:], **keywords)
    result = func(*tree_map(_near, args), **tree_map(_near, keywords))
    for given in tensors:  # written in place, it is the same tensor still
        if isinstance(given, Far) and result is given.held:
            return given
    return tree_map(_far, result) if far else result


def _efficient(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None,
    with_lse: bool,
    dropout: float = 0.0,
    causal: bool = False,
    *,
    scale: float,
) -> tuple[torch.Tensor, ...]:
    """A kernel that the processor does not have, with its wishes for a bias, and its log-sum-exps
    for a whole number of blocks."""
    scores = query @ key.transpose(-1, -2) * scale
    if bias is not None:
        if bias.shape != scores.shape or bias.dtype != query.dtype or bias.stride(-2) % 16:
            raise RuntimeError("attn_bias is of another shape or dtype, or not aligned")
        scores = scores + bias
    if causal:
        scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -torch.inf)
    lse = scores.float().logsumexp(-1)
    blocks = -(-lse.shape[-1] // 32) * 32
    lse = torch.nn.functional.pad(lse, (0, blocks - lse.shape[-1]), value=torch.inf)
    return scores.softmax(-1).to(value.dtype) @ value, lse, torch.zeros(()), torch.zeros(())


class _Calls(TorchFunctionMode):
    """What a build of torch without CUDA would refuse."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        keywords = dict(kwargs or {})
        if func in _MOVES:
            return _moved(func, args, keywords)
        if func is torch.Tensor.numpy and isinstance(args[0], Far):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if getattr(func, "__name__", "") in ("__get__", "__set__"):
            return _property(func, args)
        if func is torch._has_compatible_shallow_copy_type:
            return all(isinstance(x, Far) for x in args)
        return _computed(func, args, keywords)


def _property(func: Any, args: Sequence[Any]) -> Any:
    """Read or written."""
    if func.__self__.__name__ in _WHERE or not isinstance(args[0], Far):
        return func(*args)
    return tree_map(_far, func(*tree_map(_near, args)))


def _moved(func: Callable[..., Any], args: Sequence[Any], keywords: dict[str, Any]) -> Any:
    """`to`, `cuda` and `cpu` of a tensor."""
    tensor, *rest = args
    device = {torch.Tensor.cuda: "cuda", torch.Tensor.cpu: "cpu"}.get(func)
    device, dtype = keywords.get("device", device), keywords.get("dtype")
    for value in rest:
        if isinstance(value, str | torch.device):
            device = value
        elif isinstance(value, torch.dtype):
            dtype = value
        elif isinstance(value, torch.Tensor):
            device, dtype = value.device, value.dtype
    there = isinstance(tensor, Far) if device is None else torch.device(device).type == "cuda"
    if there == isinstance(tensor, Far) and dtype in (None, tensor.dtype):
        return tensor
    held = _near(tensor).detach().to(dtype or tensor.dtype, copy=True)
    return Far(held) if there else held


_ANSWERS: dict[str, Any] = {
    "is_available": True,
    "device_count": 1,
    "current_device": 0,
    "mem_get_info": (FREE, 2 * FREE),
    "max_memory_allocated": 2**20,
    "get_device_capability": (7, 0),
    "is_bf16_supported": False,
    "get_rng_state": torch.zeros(16, dtype=torch.uint8),
    "get_rng_state_all": [torch.zeros(16, dtype=torch.uint8)],
    "set_rng_state_all": None,
    "set_rng_state": None,
    "manual_seed_all": None,
    "manual_seed": None,
    "reset_peak_memory_stats": None,
    "empty_cache": None,
    "synchronize": None,
    "set_device": None,
    "_lazy_init": None,
}
"""What `torch.cuda` says of it. Of an older kind, so that models choose no kernel of the newest."""


@contextmanager
def device() -> Iterator[None]:
    """Within it this machine has the device."""
    module = torch.__future__
    before = module.get_swap_module_params_on_conversion()
    with ExitStack() as stack:
        for name, answer in _ANSWERS.items():
            for home in (torch.cuda, torch.cuda.random):
                if hasattr(home, name):
                    stack.enter_context(mock.patch.object(home, name, return_value=answer))
        stack.callback(module.set_swap_module_params_on_conversion, before)
        module.set_swap_module_params_on_conversion(True)  # a parameter becomes Far
        stack.enter_context(_Calls())
        yield
