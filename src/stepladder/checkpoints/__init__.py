"""WHO: a model's name to a checked, fingerprinted folder, and that folder to a loaded model.

    checkpoint = resolve("embedded")                  # or "org/name@revision", or a local folder
    model, tokenizer = load(checkpoint)               # float32, evaluation mode
    ids = encode_prompt(tokenizer, prompt)            # the one way from a Prompt to token ids

`resolve` looks at files alone: it loads no weights and imports no torch. A folder holds a whole
checkpoint in the hub's format, a peft adapter or a head that names its base. An endpoint's address
(`https://host/v1#model`) is read here; what its server can do, `engines` find out.
"""

from __future__ import annotations

from stepladder.checkpoints.encoder import encoder_identity, open_encoder
from stepladder.checkpoints.endpoints import is_address, read_address
from stepladder.checkpoints.entailment import Entailment, check_entailment, open_entailment
from stepladder.checkpoints.fingerprints import cache_folder, fingerprint
from stepladder.checkpoints.folders import context_of
from stepladder.checkpoints.heads import (
    HeadOnFeatures,
    is_sentence_encoder,
    read_head,
    softmax,
    write_head,
)
from stepladder.checkpoints.hidden_states import check_layer, open_features
from stepladder.checkpoints.kept import (
    checkpoint_from_json,
    checkpoint_to_json,
    model_from_json,
    model_to_json,
)
from stepladder.checkpoints.loading import (
    DTYPES,
    Loaded,
    load,
    load_tokenizer,
    out_of_memory,
    quiet,
)
from stepladder.checkpoints.memory import allocator_settings, free_bytes
from stepladder.checkpoints.naming import short_name, short_names
from stepladder.checkpoints.resolving import (
    EMBEDDED,
    find_config,
    resolve,
    resolve_encoder,
    with_head,
)
from stepladder.checkpoints.tokens import (
    FOUR_CHARACTERS,
    CountTexts,
    PairTokens,
    TokenCounter,
    encode_pair,
    encode_prompt,
    render,
    special_marks,
    token_counter,
    unwritable,
)
from stepladder.checkpoints.virtual import (
    BESIDE,
    is_soft_prompt,
    new_virtual_ids,
    soft_prompt_folder,
    virtual_ids,
)

__all__ = [
    "BESIDE",
    "CountTexts",
    "DTYPES",
    "FOUR_CHARACTERS",
    "EMBEDDED",
    "Entailment",
    "HeadOnFeatures",
    "Loaded",
    "PairTokens",
    "TokenCounter",
    "allocator_settings",
    "cache_folder",
    "check_entailment",
    "check_layer",
    "checkpoint_from_json",
    "checkpoint_to_json",
    "context_of",
    "encode_pair",
    "encode_prompt",
    "encoder_identity",
    "find_config",
    "fingerprint",
    "free_bytes",
    "is_address",
    "is_sentence_encoder",
    "is_soft_prompt",
    "load",
    "load_tokenizer",
    "model_from_json",
    "model_to_json",
    "new_virtual_ids",
    "open_encoder",
    "open_entailment",
    "open_features",
    "out_of_memory",
    "quiet",
    "read_address",
    "read_head",
    "render",
    "resolve",
    "resolve_encoder",
    "short_name",
    "short_names",
    "soft_prompt_folder",
    "softmax",
    "special_marks",
    "token_counter",
    "unwritable",
    "virtual_ids",
    "with_head",
    "write_head",
]
