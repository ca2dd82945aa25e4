"""A training step played out without its memory: what it holds at its fullest, and its work.

    config = read_config("embedded")
    forecast = foretell(config, Full(), Batch(rows=8, prompt=448, answer=64), autocast=True)
    forecast.peak              # bytes of tensors, weights and optimiser states included

Every operation of the model, of its backward pass and of the optimiser is gone through with
PyTorch's fake tensors, which have a shape and a type and no content. So there is no formula for
each architecture, adapter and attention that could fall behind the library; what autograd keeps,
it keeps here too. What an allocator then keeps of them is found by `allocator`, from the order in
which they came and went. What is NOT covered: workspaces inside of an operation.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

from stepladder.checkpoints import quiet
from stepladder.checkpoints.answer_loss import Learned, able, answer_loss
from stepladder.checkpoints.recomputed import recompute
from stepladder.contracts import TrainingMethod
from stepladder.forecast.allocator import Trace, kept
from stepladder.forecast.four_bits import imitate, unpacked
from stepladder.forecast.products import MOST_KEPT, Products


class Batch(NamedTuple):
    """The shape of a batch: rows, and tokens of each row's prompt and answer."""

    rows: int
    prompt: int
    answer: int
    common: int = 0
    """Tokens of the prompt that are the same in all rows, and read once."""


class Beside(NamedTuple):
    """What a process on this machine's processor holds beside a training's tensors."""

    growth: int = 0
    """Bytes that libraries grow by in a training of next to nothing."""
    kernel: int = 0
    """Bytes that oneDNN keeps for a product in bf16 of a shape that is new to it."""
    updates: int = 0
    """Sizes of batches other than the one that is rehearsed, which have products of their own."""
    looks: int = 0
    """The same of batches that are only looked at."""


class Forecast(NamedTuple):
    """What one training is expected to hold at its fullest moment, in bytes, and to do."""

    batch: Batch
    parameters: int
    """Of the whole model, adapters included."""
    trainable: int
    """Parameters that are trained."""
    weights: int
    """Bytes of all parameters and buffers."""
    gradients: int
    optimiser: int
    activations: int
    """What the forward pass leaves for the backward pass: logits, and weights in another precision,
    included."""
    peak: int
    """At the fullest moment of an update. Gradients come as activations go, so it is not the sum of
    the four; what comes and goes within an operation is in it."""
    flops: float
    """Of the matrix products of one update, forward and backward (a multiplication and an addition
    are two)."""
    attention: float
    """Of these, what attention takes: products of each head's own."""
    moved: float
    """Bytes that all other operations of one update read and write."""
    operations: int
    """In one update, of whatever kind."""
    libraries: int = 0
    """Bytes of the process that libraries grow by, whatever is trained; 0 where it was not asked
    for or is not known."""
    process: int | None = None
    """Bytes of a process on this machine's processor, above its imports: the libraries' growth, the
    weights, and what its allocator holds for all else. None where it was not asked for or cannot be
    told."""

    @property
    def expected(self) -> int:
        """What is to be measured: the process where that is known, else tensors alone."""
        return self.peak if self.process is None else self.process


class _Tally(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that are alive, and the work of all matrix products."""

    def __init__(self, kernel: int = 0) -> None:
        """`kernel`: bytes kept for each new shape of a product in bf16."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.products = Products(kernel)
        self.now = 0
        self.peak = 0
        self.flops = 0.0
        self.attention = 0.0
        self.moved = 0.0
        self.operations = 0
        self.trace = Trace()
        self._alive: dict[int, tuple[int, int]] = {}
        """Number and bytes, by storage."""
        self._count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self._enter(tensor.untyped_storage())
        if kernel := self.products.new(func, args):
            self.keep(kernel)
        work = _work(func, args, kwargs or {}, out)
        self.operations += 1
        self.flops += work
        if work and func._overloadpacket in _BY_HEADS:
            self.attention += work
        elif not work:
            self.moved += _moved(func, (args, kwargs), out)
        return out

    def _enter(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._alive:
            return
        self._count += 1
        self._alive[key] = self._count, storage.nbytes()
        self.trace.take(self._count, storage.nbytes())
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._leave, key)

    def keep(self, size: int) -> None:
        """Bytes that the process holds from now on, and no tensor."""
        self._count += 1
        self.trace.take(self._count, size)

    def repeat(self, start: int) -> None:
        """All that came and went since the trace was so long, once more."""
        self.trace.repeat(start, len(self.trace), self._count)

    def _leave(self, key: int) -> None:
        number, size = self._alive.pop(key)
        self.trace.give(number)
        self.now -= size

    def begin(self) -> None:
        """Counts from here on."""
        self.peak = self.now
        self.flops = self.attention = self.moved = 0.0
        self.operations = 0

    def trace_from_here(self) -> None:
        """Without what is alive by now."""
        self.trace = Trace(before=self._count)


def foretell(
    config: Any,
    method: TrainingMethod,
    batch: Batch,
    *,
    autocast: bool = False,
    dtype: torch.dtype = torch.float32,
    all_logits: bool = False,
    process: Beside | None = None,
) -> Forecast:
    """The second update of a training on its longest batch, when the optimiser has its states.

    `config` is a transformers config, of which no weights are needed. `autocast` multiplies in
    bf16, as the fit loop does where it pays; `dtype` is that of the weights (the fit loop's are
    float32). With `all_logits` the output layer reads the prompt too, and attention a mask, which
    the fit loop spares where the model allows it. With `process` this machine's allocator is asked
    what it would hold, which takes some tenths of a second. Raises RungError for a method that does
    not go with the model.
    """
    kernel = process.kernel if process else 0
    model = _prepared(config, method, dtype)
    common = 0 if getattr(method, "checkpointing", False) else batch.common  # through a cache
    with quiet(), FakeTensorMode(allow_non_fake_inputs=True), _Tally(kernel) as tally:
        _materialise(model)
        model.train()
        weights = tally.now
        tally.trace_from_here()
        trained = [p for p in model.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(trained, fused=True)
        inputs = _inputs(model, batch._replace(common=common), all_logits=all_logits)
        if autocast:
            _autocast(model)
        looked = 0
        for _ in range(2):
            optimiser.zero_grad()
            tally.begin()
            before, start = tally.now, len(tally.trace)
            loss = _loss(model, inputs)
            activations, looked = tally.now - before, looked or len(tally.products)
            loss.backward()
            del loss
            optimiser.step()
        if process:
            _go_on(tally, process, looked, start)
        return Forecast(
            batch=batch,
            parameters=sum(p.numel() for p in model.parameters()) + unpacked(model),
            trainable=sum(p.numel() for p in trained),
            weights=weights,
            gradients=_bytes(trained),
            optimiser=sum(_bytes(state.values()) for state in optimiser.state.values()),
            activations=activations,
            peak=tally.peak,
            flops=tally.flops,
            attention=tally.attention,
            moved=tally.moved,
            operations=tally.operations,
            libraries=process.growth if process else 0,
            process=_process(weights, process, tally.trace) if process else None,
        )


def _prepared(config: Any, method: TrainingMethod, dtype: torch.dtype) -> Any:
    """The model as the method trains it, on the meta device."""
    with quiet(), torch.device("meta"):
        model = empty_model(config, dtype)
        if getattr(method, "bits", None):
            imitate(model)
        model = method.prepare(model)
    if getattr(method, "checkpointing", False):
        recompute(model)
    return model


def operations(work: Callable[[], object]) -> int:
    """How many operations `work` takes, counted as a rehearsal counts them."""
    with _Tally() as tally:
        work()
    return int(tally.operations)


def within(room: int, batch: Batch, foretold: Callable[[Batch], Forecast]) -> Forecast | None:
    """The forecast for the largest halving of the batch's rows that stays within `room` bytes;
    None where a single row does not."""
    rows = batch.rows
    while rows >= 1:
        forecast = foretold(batch._replace(rows=rows))
        if forecast.peak <= room:
            return forecast
        if forecast.weights + forecast.optimiser > room:
            return None  # whatever the rows
        rows //= 2
    return None


def empty_model(config: Any, dtype: torch.dtype = torch.float32) -> Any:
    """The model of a configuration, its tensors without contents (on the meta device)."""
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    family = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    with torch.device("meta"):
        return family.from_config(config, dtype=dtype)  # type: ignore[no-untyped-call]


def _go_on(tally: _Tally, process: Beside, looked: int, start: int) -> None:
    """Batches of other sizes come, and leave their kernels where the tensors of the update that
    began at `start` were; then it comes again. `looked`: products of a forward pass."""
    kernels = process.updates * len(tally.products) + process.looks * looked
    for _ in range(min(kernels, MOST_KEPT - len(tally.products)) if process.kernel else 0):
        tally.keep(process.kernel)
    tally.repeat(start)


def _process(weights: int, process: Beside, trace: Trace) -> int | None:
    """Weights are pages of their file, which no allocator holds (safetensors maps it)."""
    held = kept(trace)
    return None if held is None else process.growth + weights + held


def _materialise(model: nn.Module) -> None:
    """Fake tensors on the CPU for those on the meta device; tied weights stay tied."""
    new: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) not in new:
                empty = torch.empty(parameter.shape, dtype=parameter.dtype, device="cpu")
                new[id(parameter)] = nn.Parameter(empty, parameter.requires_grad)
            module.register_parameter(name, new[id(parameter)])
        for name, buffer in module.named_buffers(recurse=False):
            module.register_buffer(name, torch.zeros(buffer.shape, dtype=buffer.dtype))


def _inputs(model: Any, batch: Batch, *, all_logits: bool) -> dict[str, Any]:
    """As the fit loop's collator makes them; `learned` where it spares logits."""
    if model.config.is_encoder_decoder:
        if getattr(model.config, "decoder_start_token_id", None) is None:
            model.config.decoder_start_token_id = 0  # which token it is makes no difference here
        ids = torch.zeros(batch.rows, batch.prompt, dtype=torch.long)
        labels = torch.zeros(batch.rows, batch.answer, dtype=torch.long)
    else:
        ids = torch.zeros(batch.rows, batch.prompt + batch.answer, dtype=torch.long)
        labels = ids
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    if all_logits or not able(model):
        return inputs
    places = torch.zeros(batch.rows * batch.answer, dtype=torch.long)
    return inputs | {"learned": Learned(places, places), "common": batch.common}


def _autocast(model: Any) -> None:
    """Products in bf16, outputs in float32, as accelerate has it."""
    from accelerate.utils import convert_outputs_to_fp32  # type: ignore[import-untyped]

    within = torch.autocast("cpu", torch.bfloat16)(model.forward)
    model.forward = convert_outputs_to_fp32(within)


def _loss(model: Any, inputs: dict[str, Any]) -> Any:
    found = inputs.get("learned")
    if found is not None:
        return answer_loss(model, inputs, found)
    return model(**inputs, use_cache=False).loss


def _bytes(values: Iterable[Any]) -> int:
    return sum(v.numel() * v.element_size() for v in values if isinstance(v, torch.Tensor))


_ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_ATTENTION_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
_BY_HEADS = (_ATTENTION, _ATTENTION_BACKWARD, torch.ops.aten.bmm, torch.ops.aten.baddbmm)


def _work(func: Any, args: Any, kwargs: Any, out: Any) -> float:
    """Floating-point operations by PyTorch's own formulas, which lack the CPU's attention."""
    packet = func._overloadpacket
    if packet is _ATTENTION:
        return float(sdpa_flop_count(*(t.shape for t in args[:3])))  # type: ignore[no-untyped-call]
    if packet is _ATTENTION_BACKWARD:
        return float(sdpa_backward_flop_count(*(t.shape for t in args[:4])))  # type: ignore[no-untyped-call]
    if packet in flop_registry:
        return float(flop_registry[packet](*args, **kwargs, out_val=out))
    return 0.0


def _moved(func: Any, given: Any, out: Any) -> float:
    """Bytes read and written; none for a view and for what only takes memory."""
    read = [t for t in tree_leaves(given) if isinstance(t, torch.Tensor)]
    written = [t for t in tree_leaves(out) if isinstance(t, torch.Tensor)]
    if not func._schema.is_mutable:
        there = {t.untyped_storage()._cdata for t in read}
        if not read or all(t.untyped_storage()._cdata in there for t in written):
            return 0.0
    return float(_bytes(read) + _bytes(written))
