"""Features of texts: the hidden states of a model, pooled; or a sentence encoder's own vectors.

    encoder = open_features(checkpoint, Pooling(layer=-1, pool="mean"))
    encoder.encode(["Is my ticket lost?"])       # unit vectors, shape (texts, dimensions)

A decoder-only model reads a text alone, without a prompt around it, and every layer's states are
there to choose from; of an encoder-decoder those of the encoder. Texts are padded on the right, so
that no token's place depends on its batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepladder.checkpoints.encoder import open_encoder
from stepladder.checkpoints.folders import CONFIG, read_json
from stepladder.checkpoints.heads import is_sentence_encoder
from stepladder.checkpoints.loading import load, load_tokenizer, quiet
from stepladder.contracts import Encoder
from stepladder.errors import CheckpointError
from stepladder.records import Checkpoint, Pooling, content_hash

BATCH_TOKENS = 8192
"""Tokens of one pass, padding included."""
_LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers")


def open_features(checkpoint: Checkpoint, pooling: Pooling) -> Encoder:
    """What turns texts into features; loads no weights before the first text."""
    if is_sentence_encoder(checkpoint):
        return open_encoder(str(checkpoint.folder))
    return HiddenStates(replace(checkpoint, head=None), pooling)


def check_layer(checkpoint: Checkpoint, layer: int) -> None:
    """Raises CheckpointError for a layer that the model's configuration does not have."""
    config = read_json(checkpoint.folder / CONFIG)
    text = config.get("text_config")
    places = [config, text] if isinstance(text, dict) else [config]
    known = [int(p[name]) for p in places for name in _LAYERS if isinstance(p.get(name), int)]
    if known and not -known[0] - 1 <= layer <= known[0]:
        raise CheckpointError(
            f"{checkpoint.name} has {known[0]} layers, and no layer {layer}; give 0 (the "
            f"embeddings) to {known[0]}, or -1 (the last layer) to {-known[0] - 1}"
        )


class HiddenStates:
    """One layer's hidden states of a checkpoint, pooled and scaled to length 1."""

    def __init__(self, checkpoint: Checkpoint, pooling: Pooling) -> None:
        self._checkpoint = checkpoint
        self._pooling = pooling
        self._tokenizer: Any = None
        self._model: Any = None

    @property
    def identity(self) -> str:
        return content_hash([self._checkpoint.identity, asdict(self._pooling)])

    @property
    def context(self) -> int | None:
        return self._checkpoint.capabilities.context

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._ids(texts)]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (texts, dimensions)."""
        rows = self._ids(texts)
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
        vectors: dict[int, NDArray[np.float32]] = {}
        while order:
            batch = order[: max(1, BATCH_TOKENS // len(rows[order[0]]))]
            order = order[len(batch) :]
            vectors.update(zip(batch, self._pooled([rows[i] for i in batch]), strict=True))
        return np.stack([vectors[i] for i in range(len(rows))])

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        """At least one token a text."""
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self._checkpoint)
        end = self._tokenizer.eos_token_id
        ids = (list(self._tokenizer(text, verbose=False)["input_ids"]) for text in texts)
        return [row or [int(end)] for row in ids]

    def _pooled(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        import torch
        from torch.nn.utils.rnn import pad_sequence

        model = self._body()
        ids = pad_sequence(
            [torch.tensor(row) for row in rows], batch_first=True, padding_value=self._pad()
        ).to(model.device)
        lengths = torch.tensor([len(row) for row in rows], device=model.device)
        mask = torch.arange(ids.shape[1], device=model.device) < lengths[:, None]
        with torch.inference_mode(), quiet():
            states = model(
                input_ids=ids,
                attention_mask=mask.long(),
                output_hidden_states=True,
                **({} if self._seq2seq else {"use_cache": False}),
            ).hidden_states[self._pooling.layer]
            if self._pooling.pool == "last":
                vectors = states[torch.arange(len(rows), device=model.device), lengths - 1]
            else:
                kept = states * mask[:, :, None].to(states.dtype)
                vectors = kept.float().sum(1) / lengths[:, None]
            vectors = torch.nn.functional.normalize(vectors.float(), dim=1)
        return np.asarray(vectors.cpu().numpy(), dtype=np.float32)

    @property
    def _seq2seq(self) -> bool:
        return self._checkpoint.capabilities.encoder_decoder

    def _pad(self) -> int:
        return int(self._tokenizer.pad_token_id or 0)

    def _body(self) -> Any:
        """The model without what writes words: of an encoder-decoder the encoder."""
        if self._model is None:
            import torch

            model, self._tokenizer = load(self._checkpoint, dtype=self._pooling.dtype)
            model = model.get_base_model() if hasattr(model, "peft_config") else model
            body = model.get_encoder() if self._seq2seq else model.base_model
            self._model = body.to("cuda" if torch.cuda.is_available() else "cpu")
        return self._model
