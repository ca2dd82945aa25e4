"""From a checked folder to a model in memory, through transformers and peft.

    model, tokenizer = load(checkpoint, dtype="float32")

The dtype is always said, since transformers takes the stored one otherwise. Of the checkpoint's
generation settings only its token ids are kept: an answer is decided by Stepladder's own `Sampling`
and by nothing that a model's author set (a repetition penalty, beams, a default temperature).
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from logging import ERROR, getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stepladder.checkpoints import quantized
from stepladder.checkpoints.virtual import is_soft_prompt, soft_prompt_folder
from stepladder.errors import CheckpointError, MissingExtraError
from stepladder.records import Checkpoint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DTYPES = ("float32", "bfloat16", "float16")

_TOKEN_SETTINGS = (
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
)


class Loaded(NamedTuple):
    """A model in evaluation mode and its tokenizer."""

    model: Any
    """A `PreTrainedModel`, or a `PeftModel` around one where an adapter is on."""
    tokenizer: Any
    """A `PreTrainedTokenizerBase` with a pad token."""


def load(
    checkpoint: Checkpoint,
    *,
    dtype: str = "float32",
    merged: bool = False,
    bits: int | None = None,
) -> Loaded:
    """Loads a checkpoint onto the CPU.

    All adapters but the last are merged into the weights; the last stays a peft adapter, so that
    it can be switched off. With `merged` it is merged too: a new one then trains on top. A
    soft prompt lies in the input embeddings (`soft_prompt`) either way. Weights under an adapter
    that was trained on 4 bits (`quantized`), or is about to be (`bits`), are quantised, and go
    onto a CUDA device where there is one; what is merged into them makes them full again.
    Raises CheckpointError for what transformers or peft cannot load, MissingExtraError without
    them.
    """
    torch, transformers = _libraries()
    if dtype not in DTYPES:
        raise CheckpointError(f"dtype is '{dtype}'; give one of {', '.join(DTYPES)}")
    seq2seq = checkpoint.capabilities.encoder_decoder
    family = transformers.AutoModelForSeq2SeqLM if seq2seq else transformers.AutoModelForCausalLM
    tokenizer = load_tokenizer(checkpoint)
    four = bits == quantized.BITS or quantized.on_quantized(checkpoint.adapters)
    how = {"quantization_config": quantized.settings(dtype)} if four else {}
    with quiet(), _explained(checkpoint, "weights"):
        model, report = family.from_pretrained(
            str(checkpoint.folder),
            dtype=getattr(torch, dtype),
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            **how,
        )
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise CheckpointError(
            f"{checkpoint.folder}: the weights lack {len(missing)} tensors of the model that "
            f"config.json describes ({missing[0]}, ...); download or save the checkpoint again"
        )
    model = quantized.settle(model) if four else model
    model.name_or_path = public_name(checkpoint.folder)
    _pad(tokenizer, model)
    model.generation_config = _neutral_generation(model, tokenizer)
    model = _with_adapters(model, checkpoint, merge_last=merged)
    return Loaded(model.eval(), tokenizer)


def load_tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    """The tokenizer alone, without the weights: enough to render and to count."""
    _, transformers = _libraries()
    with quiet(), _explained(checkpoint, "tokenizer"):
        tokenizer: PreTrainedTokenizerBase = transformers.AutoTokenizer.from_pretrained(
            str(checkpoint.folder), local_files_only=True, trust_remote_code=False
        )
    # A decoder-only model goes on where a row ends, so rows must end together.
    tokenizer.padding_side = "right" if checkpoint.capabilities.encoder_decoder else "left"
    if tokenizer.pad_token_id is None and tokenizer.eos_token_id is not None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps transformers' loading bars and warnings off the terminal."""
    from transformers.utils import logging as untyped

    logging: Any = untyped
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    # peft imports it where it is installed, and it then misses kernels that are not used here.
    getLogger("bitsandbytes").setLevel(ERROR)
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # the libraries' talk to each other
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


_OUT_OF_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate",
    "defaultcpuallocator",
    "could not create a primitive",  # oneDNN, whose kernels need memory of their own
)
"""How torch's allocators and the system word it; the CPU's raises a plain RuntimeError."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, the device's or the machine's."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _OUT_OF_MEMORY)


@contextmanager
def _explained(checkpoint: Checkpoint, what: str) -> Iterator[None]:
    """The libraries' many kinds of error as one line. Memory that runs out is no such error."""
    try:
        yield
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        ImportError,
        AttributeError,
        pickle.UnpicklingError,
        RuntimeError,  # among others: tensors of other shapes than config.json describes
    ) as error:
        if out_of_memory(error):
            raise
        lines = str(error).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        raise CheckpointError(
            f"{checkpoint.folder}: transformers cannot load the {what}: {reason}"
        ) from error


def _libraries() -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingExtraError("hf", "a model in this process") from error
    return torch, transformers


def public_name(folder: Path) -> str:
    """What peft writes down as an adapter's base: the hub id for a folder of the hub's cache
    (`models--org--name/snapshots/commit`), since that path holds on this machine alone."""
    home = folder.parent.parent.name
    if folder.parent.name == "snapshots" and home.startswith("models--"):
        return home.removeprefix("models--").replace("--", "/", 1)
    return str(folder)


def _pad(tokenizer: PreTrainedTokenizerBase, model: Any) -> None:
    """A pad token that has an embedding: some tokenizers add one that the weights never got."""
    rows = int(model.get_input_embeddings().num_embeddings)
    pad = tokenizer.pad_token_id
    if pad is None:
        raise CheckpointError(
            "the tokenizer has neither a pad nor an end token; set `eos_token` in its "
            "tokenizer_config.json"
        )
    if pad >= rows and tokenizer.eos_token_id is not None:
        tokenizer.pad_token = tokenizer.eos_token


def _neutral_generation(model: Any, tokenizer: PreTrainedTokenizerBase) -> Any:
    """The checkpoint's token ids for generation, and none of its other settings. The tokenizer's
    end token ends an answer too: it is what a training here puts behind each answer."""
    import transformers

    configured: Any = transformers.GenerationConfig
    old = model.generation_config or configured()
    kept = {name: getattr(old, name) for name in _TOKEN_SETTINGS if getattr(old, name) is not None}
    ends = kept.get("eos_token_id", getattr(model.config, "eos_token_id", None))
    found = list(ends) if isinstance(ends, list | tuple) else [ends]
    kept["eos_token_id"] = sorted(
        {int(e) for e in [*found, tokenizer.eos_token_id] if e is not None}
    )
    kept["pad_token_id"] = tokenizer.pad_token_id
    return configured(**kept)


def _with_adapters(model: Any, checkpoint: Checkpoint, *, merge_last: bool) -> Any:
    if not checkpoint.adapters:
        return model
    from peft import PeftModel

    from stepladder.checkpoints.prompt_files import put_on

    for position, adapter in enumerate(checkpoint.adapters, start=1):
        with quiet(), _explained(checkpoint, f"adapter {adapter.folder}"):
            if not is_soft_prompt(adapter.folder):
                merges = merge_last or position < len(checkpoint.adapters)
                model = quantized.in_full(model) if merges else model
                model = PeftModel.from_pretrained(model, str(adapter.folder), local_files_only=True)
                if merges:
                    model = model.merge_and_unload()
            soft = soft_prompt_folder(adapter.folder)
            if soft is not None:
                put_on(model, soft)
    return model
