"""The tokenizer: byte-level BPE of 2,048 entries, so that no text is ever unknown; digits apart.

python -m recipes.embedded.tokenizer FOLDER     # writes tokenizer.json and its config
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from .episodes import MAX_TOKENS, draw_pieces

END, PAD = "<|end|>", "<|pad|>"
VOCABULARY = 2048
#: Bump it and the merges change; it is apart from the training's seed on purpose.
SEED = 20_000
ROWS = 12_000


def _texts(rows: int) -> Iterator[str]:
    rng = Random(SEED)
    for _ in range(rows):
        yield "".join(piece.text for piece in draw_pieces(rng))


def build(rows: int = ROWS) -> Tokenizer:
    """A tokenizer trained on rows of the mixture."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(rows), trainer)
    return tokenizer


def write(folder: Path, tokenizer: Tokenizer) -> None:
    """The two files from which AutoTokenizer loads it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": PAD,
        "model_max_length": MAX_TOKENS,
        "padding_side": "left",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]), build())
