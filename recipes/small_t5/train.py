"""A small encoder-decoder from nothing: its tokenizer, its random weights, and its pretraining.

    python -m recipes.small_t5.train --train dialogsum.train.jsonl.gz --dev dialogsum.dev.jsonl \
        --out ~/models/small-t5

Made to have an encoder-decoder of a task's own language where no pretrained one can be had. As T5
is (Raffel et al., arXiv 1910.10683, section 3.1.4), it is pretrained by filling gaps: runs of words
are left out of a text, 15 % of it, and written after their marks. So it knows the language and not
the task, and a climb on it has something to tune. Killed and started again, it goes on from its
last checkpoint. The rows' licence decides what may be done with the weights; those of DialogSum are
not for commercial use.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from random import Random

from stepladder.checkpoints import resolve
from stepladder.records import FitSettings, Json, Prompt, TrainingJob, Turn
from stepladder.training import Progress, run_job

VOCABULARY = 4096
POSITIONS = 2048
WIDTH, LAYERS, HEADS = 192, 3, 3
GAPS = 32
"""Marks of gaps that the tokenizer has; no text gets more."""
SHARE, RUN = 0.15, 3
"""Of the words that are left out, and how many of them stand together on average."""


def main() -> None:
    """Reads the rows, makes the random checkpoint beside the output, trains, moves the result."""
    args = _arguments()
    train = _read(args.train, args.longest)[: args.rows]
    dev = _read(args.dev, args.longest)[: args.dev_rows]
    rng = Random(0)
    start = args.out.with_name(args.out.name + ".start")
    if not (start / "model.safetensors").exists():
        make_checkpoint(start, train)
    job = TrainingJob(
        method="full",
        checkpoint=resolve(str(start)),
        train=tuple(_pair(rng, text) for _ in range(args.copies) for text in train),
        dev=tuple(_pair(rng, text) for text in dev),
        fit=FitSettings(epochs=1, learning_rate=args.lr, batch_size=16, patience=0),
        seed=0,
    )
    build = run_job(job, args.out.with_name(args.out.name + ".work"), on_progress=_show)
    shutil.copytree(build.folder, args.out)
    print(json.dumps({"seconds": build.seconds, "parameters": build.trainable, **build.log}))


def make_checkpoint(folder: Path, texts: Iterable[str]) -> None:
    """A T5 with random weights and a byte-level BPE tokenizer learnt from `texts`."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=["<pad>", "</s>", *(_mark(i) for i in range(GAPS))],
            show_progress=False,
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=VOCABULARY,
        d_model=WIDTH,
        d_kv=WIDTH // HEADS,
        d_ff=2 * WIDTH,
        num_layers=LAYERS,
        num_heads=HEADS,
        n_positions=POSITIONS,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.05,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )
    T5ForConditionalGeneration(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        model_max_length=POSITIONS,
    ).save_pretrained(folder)


def with_gaps(rng: Random, words: list[str]) -> tuple[str, str]:
    """A text with gaps, and what stood there, each run after the mark of its gap.

    >>> with_gaps(Random(2), "the cat sat on the mat".split())
    ('<extra_id_0> cat sat on the mat', '<extra_id_0> the')
    """
    wanted = max(1, round(SHARE * len(words)))
    runs = min(GAPS, max(1, round(wanted / RUN)))
    # Gaps never touch: a word that stays lies between two of them.
    cuts = sorted(rng.sample(range(1, wanted), runs - 1))
    sizes = [end - start for start, end in zip([0, *cuts], [*cuts, wanted], strict=True)]
    before = sorted(rng.sample(range(len(words) - wanted + 1), runs))
    shown: list[str] = []
    told: list[str] = []
    at = 0
    for number, (size, stays) in enumerate(zip(sizes, before, strict=True)):
        start = stays + sum(sizes[:number])
        shown += [*words[at:start], _mark(number)]
        told += [_mark(number), *words[start : start + size]]
        at = start + size
    return " ".join([*shown, *words[at:]]), " ".join(told)


def _mark(number: int) -> str:
    return f"<extra_id_{number}>"


def _pair(rng: Random, text: str) -> tuple[Prompt, str]:
    shown, told = with_gaps(rng, text.split())
    return Prompt(shown, (Turn("user", shown),), joint=" "), told


def _read(path: Path, longest: int) -> list[str]:
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as lines:
        rows: list[Json] = [json.loads(line) for line in lines]
    return [row["dialogue"] for row in rows if len(row["dialogue"]) <= longest]


def _show(progress: Progress) -> None:
    if progress.dev_loss is not None:
        print(
            f"{progress.step}/{progress.steps} dev {progress.dev_loss:.3f} "
            f"{progress.seconds:.0f} s",
            flush=True,
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="a folder that is not there yet")
    parser.add_argument("--rows", type=int, default=12_460)
    parser.add_argument("--dev-rows", type=int, default=100)
    parser.add_argument("--longest", type=int, default=1200, help="characters of a dialogue")
    parser.add_argument("--copies", type=int, default=3, help="times a text gets other gaps")
    parser.add_argument("--lr", type=float, default=1e-3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
