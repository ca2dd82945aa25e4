"""A small encoder-decoder from nothing: its tokenizer, its random weights, and its training.

    python -m recipes.small_t5.train --train dialogsum.train.jsonl.gz --dev dialogsum.dev.jsonl \
        --out ~/models/small-t5

Made to have an encoder-decoder of a task's own language where no pretrained one can be had. It is
trained without an instruction (`Input: ...`, `Output:`), so that a climb on it still has something
to tune. Killed and started again, it goes on from its last checkpoint. The rows' licence decides
what may be done with the weights; those of DialogSum are not for commercial use.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from stepladder.checkpoints import resolve
from stepladder.records import FitSettings, Json, Prompt, TrainingJob, Turn
from stepladder.training import Progress, run_job

VOCABULARY = 4096
POSITIONS = 2048
WIDTH, LAYERS, HEADS = 192, 3, 3


def main() -> None:
    """Reads the rows, makes the random checkpoint beside the output, trains, moves the result."""
    args = _arguments()
    train = _read(args.train, args.longest)[: args.rows]
    dev = _read(args.dev, args.longest)[: args.dev_rows]
    start = args.out.with_name(args.out.name + ".start")
    if not (start / "model.safetensors").exists():
        make_checkpoint(start, (text for row in train for text in row))
    job = TrainingJob(
        method="full",
        checkpoint=resolve(str(start)),
        train=tuple((_prompt(text), answer) for text, answer in train),
        dev=tuple((_prompt(text), answer) for text, answer in dev),
        fit=FitSettings(epochs=args.epochs, learning_rate=args.lr, batch_size=16, patience=0),
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
            special_tokens=["<pad>", "</s>"],
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


def _read(path: Path, longest: int) -> list[tuple[str, str]]:
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as lines:
        rows: list[Json] = [json.loads(line) for line in lines]
    pairs = [(row["dialogue"], row["summary"]) for row in rows]
    return [pair for pair in pairs if len(pair[0]) <= longest]


def _prompt(text: str) -> Prompt:
    asked = f"Input: {text}\nOutput:"
    return Prompt(asked, (Turn("user", asked),), joint=" ")


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
    parser.add_argument("--epochs", type=float, default=6.0)
    parser.add_argument("--lr", type=float, default=1e-3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
