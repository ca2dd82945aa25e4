"""Prompt tuning: virtual tokens before every prompt are trained, the model stays as it is.

    PromptTuning(20).adapt(base, train, dev, bench).checkpoint.adapters[-1].folder

Lester et al., "The Power of Scale for Parameter-Efficient Prompt Tuning" (arXiv 2104.08691), whose
section 3.2 compares the beginnings. An encoder-decoder's encoder reads the vectors. Of kind
`prefix` it is Li and Liang, "Prefix-Tuning" (arXiv 2101.00190), which begins as the keys and values
that the model has for words, which that paper found better than noise where rows are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, ClassVar, Literal

from stepladder.errors import CheckpointError, RungError
from stepladder.methods.trained import Trained
from stepladder.training import Share

NO_CACHE = "a prefix lies in the cache, which checkpointing=yes goes without; leave one of them out"


@dataclass(frozen=True)
class PromptTuning(Trained):
    """A soft prompt on top of the checkpoint."""

    n: int = 20
    """Virtual tokens."""
    init: Literal["instruction", "vocabulary", "random"] = "instruction"
    """What they begin as: the words that all training prompts begin with (the instruction), again
    and again as need be; words drawn from the vocabulary; or noise as wide as the words are."""
    kind: Literal["input", "prefix"] = "input"
    """What is trained of them: their input embeddings, or their keys and values in every layer
    (prefix-tuning), which is for decoder-only models."""
    share: ClassVar[Share] = "prompt"

    def __post_init__(self) -> None:
        if self.n < 1:
            raise RungError(f"prompt-tuning: n is {self.n}; give 1 or more (20 is the default)")
        super().__post_init__()
        if self.checkpointing and self.kind == "prefix":
            raise RungError(f"prompt-tuning(kind=prefix): {NO_CACHE}")

    @property
    def virtual_tokens(self) -> int:
        return self.n

    @property
    def decoder_only(self) -> bool:
        return self.kind == "prefix"

    def prepare(self, model: Any) -> Any:
        """The model with a soft prompt in it, all else frozen but for an adapter that was put on
        before. Raises RungError for a prefix before layers that cannot have one."""
        import torch

        from stepladder.checkpoints.prefix import lay_prefix
        from stepladder.checkpoints.soft_prompt import lay

        if not hasattr(model, "peft_config"):
            model.requires_grad_(False)
        vocabulary = model.get_input_embeddings().num_embeddings
        drawn = torch.randint(0, vocabulary, (self.n,), device=model.device)
        begun = self._words(model, drawn)
        if self.init == "random":
            begun = torch.randn_like(begun) * self._spread(begun)
        (lay if self.kind == "input" else lay_prefix)(model, begun)
        return model

    def begin(self, model: Any, ids: Sequence[int]) -> None:
        """Where it begins as the instruction, and there is one, it is what the words are."""
        import torch

        from stepladder.checkpoints.soft_prompt import soft_prompt

        prompt = soft_prompt(model)
        if self.init != "instruction" or not ids or prompt is None:
            return
        chosen = torch.tensor(list(islice(cycle(ids), self.n)), device=prompt.vectors.device)
        with torch.no_grad():
            prompt.vectors.copy_(self._words(model, chosen).flatten(1))

    def _words(self, model: Any, ids: Any) -> Any:
        """Of words what a virtual token has: (tokens, width), or (tokens, layers, 2, heads, dim)
        of keys and values."""
        if self.kind == "input":
            return model.get_input_embeddings()(ids).detach().clone()
        from stepladder.checkpoints.prefix import layer_states

        try:
            return layer_states(model, ids)
        except CheckpointError as error:
            raise RungError(f"prompt-tuning(kind=prefix): {error}; leave kind out") from error

    def _spread(self, states: Any) -> Any:
        """Standard deviations: of all, or of each layer's keys and values apart."""
        return states.std() if self.kind == "input" else states.std((0, 3, 4), keepdim=True)

    def save(self, model: Any, folder: Path) -> None:
        """Beside an adapter that was written before, else on its own."""
        from stepladder.checkpoints import BESIDE
        from stepladder.checkpoints.prompt_files import write

        write(model, folder / BESIDE if any(folder.iterdir()) else folder)
