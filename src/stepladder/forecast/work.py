"""The matrix products of a pass in closed form, from a model's shapes alone.

    work = work_of(model, Batch(rows=8, prompt=448, answer=64))
    work.forward, work.backward        # FLOPs; a multiplication and an addition are two

A product with a matrix of n elements takes 2 n FLOPs a token. Backward it takes as many for the
gradient of what went in, which has to reach what is trained, and as many again for the matrix'
own, where it is trained: so 6 n a token for full tuning, 4 n where the matrix is frozen, and 6 for
those of an adapter (Kaplan et al. 2020, section 2.1, counts the first). Attention takes 4 times the
width of its heads for every pair of positions, backward twice that, or 2.5 times by kernels that
compute the scores again. Embeddings are looked up and take none.

The rehearsal counts the same operation by operation, in seconds for one shape; this is for the many
shapes of a whole training. What is NOT covered: mixtures of experts (all are counted), sliding
windows, encoders that are no text's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn

from stepladder.checkpoints.answer_loss import able
from stepladder.forecast.rehearsal import Batch

_BACKWARD = {"eager": 2.0}
_FUSED_BACKWARD = 2.5
"""Products of attention's backward pass by those of its forward pass, by its implementation."""
_CROSS = ("EncDecAttention.", "encoder_attn.", "cross_attn", "crossattention.")
"""What attention of a decoder to its encoder is called."""
_KEYS = ("k", "v", "k_proj", "v_proj", "key", "value")


class Work(NamedTuple):
    """FLOPs of one pass over one batch."""

    forward: float
    backward: float

    @property
    def update(self) -> float:
        return self.forward + self.backward


def work_of(model: Any, batch: Batch) -> Work:
    """`model` as it is trained (adapters on, frozen where it is); on the meta device will do.
    A soft prompt's tokens count among those of the prompt."""
    seq2seq = bool(model.config.is_encoder_decoder)
    output = model.get_output_embeddings()
    cut = not seq2seq and able(model)
    once = batch.common * (batch.rows - 1)  # a common beginning is read in one row
    forward = backward = 0.0
    for name, module in model.named_modules():
        if not isinstance(module, nn.Linear):
            continue
        if seq2seq:
            tokens = batch.rows * (batch.prompt if _reads_prompt(name) else batch.answer)
        elif module is output and cut:
            tokens = batch.rows * batch.answer
        else:
            tokens = batch.rows * (batch.prompt + batch.answer) - once
        product = 2.0 * module.weight.numel() * tokens
        forward += product
        backward += product * (2 if module.weight.requires_grad else 1)
    attention = _attention(model.config.get_text_config(), batch, seq2seq=seq2seq)
    times = _BACKWARD.get(getattr(model.config, "_attn_implementation", ""), _FUSED_BACKWARD)
    return Work(forward + attention, backward + times * attention)


def _reads_prompt(name: str) -> bool:
    """Whether a layer of an encoder-decoder works on the tokens of the prompt."""
    if ".decoder." not in f".{name}":
        return ".encoder." in f".{name}"
    plain = name.removesuffix(".base_layer")
    for part in (".lora_A", ".lora_B"):
        plain = plain.split(part)[0]
    return any(cross in name for cross in _CROSS) and plain.rsplit(".", 1)[-1] in _KEYS


def _attention(config: Any, batch: Batch, *, seq2seq: bool) -> float:
    heads = int(getattr(config, "num_attention_heads", 0) or 0)
    width = getattr(config, "d_kv", None) or getattr(config, "head_dim", None)
    wide = heads * int(width) if width else int(getattr(config, "hidden_size", 0) or 0)
    layers = int(getattr(config, "num_hidden_layers", 0) or 0)
    if not seq2seq:
        length = batch.prompt + batch.answer
        pairs = layers * (length - batch.common) * length
        pairs += layers * batch.common**2 // batch.rows
    else:
        of_decoder: Any = getattr(config, "num_decoder_layers", None)
        decoder = int(of_decoder or getattr(config, "decoder_layers", layers))
        pairs = layers * batch.prompt**2
        pairs += decoder * (batch.answer**2 + batch.answer * batch.prompt)
    return 4.0 * wide * pairs * batch.rows
