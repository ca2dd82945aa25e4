"""The same rows through other trainers: TRL's SFTTrainer, a notebook's Trainer, a bare peft loop.

    job = trainers.Job(str(folder), rows, rate=1e-3, warm=5, updates=20, threads=1, processor=True)
    found = trainers.trained("trl", job, bf16=True, packing=512)
    found.speed, found.losses

Each runs in a process of its own: TRL in the environment that `rivals` describes, the others in
this one's. All get tokens, in the order in which Stepladder's loop takes them; a row's prompt is
read and its answer learned. Timed are whole updates after `warm` of them. Tokens are those of
prompts and answers, without padding and without virtual ones.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

IGNORED = -100
Rows = Sequence[tuple[Sequence[int], Sequence[int]]]


@dataclass(frozen=True)
class Job:
    """One training, as every trainer gets it."""

    folder: str
    rows: Rows
    """Token ids of prompts and answers, in order; `batch` of them an update."""
    rate: float
    """The highest learning rate, which rises over a tenth of the updates and falls to nothing."""
    warm: int
    """Updates before those that are timed."""
    updates: int
    """Updates that are timed."""
    threads: int
    processor: bool
    """Whether seconds are of the processor."""
    batch: int = 8
    seed: int = 0


class Trained(NamedTuple):
    """What came of it."""

    seconds: float
    tokens: int
    """Of the timed updates."""
    losses: list[float]
    """Of every update, in nats a token of the answers."""

    @property
    def speed(self) -> float:
        """Tokens of prompts and answers a second."""
        return self.tokens / self.seconds


class Clock:
    """Notes the seconds and the loss at the end of every update."""

    def __init__(self, processor: bool) -> None:
        self._read = time.process_time if processor else time.perf_counter
        self.times: list[float] = []
        self.losses: list[float] = []

    def tick(self, loss: float) -> None:
        self.times.append(self._read())
        self.losses.append(loss)

    def seconds(self, warm: int) -> float:
        return self.times[-1] - self.times[warm - 1]


def tokens_of(rows: Rows) -> int:
    return sum(len(prompt) + len(answer) for prompt, answer in rows)


def trained(trainer: str, job: Job, **settings: Any) -> Trained:
    """`trainer` is a name of TRAINERS. Settings: bf16, and what that trainer has of its own."""
    import kit
    from kit import rivals

    python = rivals.PYTHON if trainer == "trl" else Path(sys.executable)
    given = {"job": asdict(job), "settings": settings}
    found = Trained(**rivals.run(python, Path(__file__), trainer, given))
    how = ", ".join(f"{name}={value}" for name, value in settings.items())
    clock = "processor" if kit.PROCESSOR else "wall"
    print(
        f"  {trainer} ({how}): {found.tokens} tokens in {found.seconds:.2f} s of the {clock}, "
        f"{found.speed:.0f} a second",
        flush=True,
    )
    return found


def _arguments(job: Job, folder: str, bf16: bool) -> dict[str, Any]:
    """As Stepladder's loop has them."""
    steps = job.warm + job.updates
    return {
        "output_dir": folder,
        "max_steps": steps,
        "per_device_train_batch_size": job.batch,
        "learning_rate": job.rate,
        "lr_scheduler_type": "linear",
        "warmup_steps": -(-steps // 10),
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "seed": job.seed,
        "bf16": bf16,
        "use_cpu": True,
        "gradient_checkpointing": False,
        "train_sampling_strategy": "sequential",
        "dataloader_pin_memory": False,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
    }


def _clocked(clock: Clock, last: int | None = None) -> Any:
    """A Trainer's callback that ticks once an update's loss is logged, and ends after `last`."""
    from transformers import TrainerCallback

    class Ticks(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" in logs:
                clock.tick(logs["loss"])
                control.should_training_stop |= len(clock.times) == last

    return Ticks()


def _with_lora(job: Job, model: Any) -> Any:
    """As `lora` lays it: rank 8, alpha 16, all linear layers."""
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    set_seed(job.seed)
    lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(model, lora)


def _trl(job: Job, *, bf16: bool, packing: int | None) -> Trained:
    """With `packing` rows are packed into that many tokens, best fit first, and as many packs make
    an update as hold its rows; without, they are padded to the longest of their batch."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    rows = Dataset.from_list(
        [
            {
                "input_ids": [*prompt, *answer],
                "completion_mask": [0] * len(prompt) + [1] * len(answer),
            }
            for prompt, answer in job.rows
        ]
    )
    clock = Clock(job.processor)
    with tempfile.TemporaryDirectory() as folder:
        arguments = _arguments(job, folder, bf16) | {"max_length": packing or 4096}
        if packing:
            whole = tokens_of(job.rows) / (job.warm + job.updates)
            packs = max(1, round(whole / packing))
            arguments |= {"packing": True, "per_device_train_batch_size": packs}
        model = AutoModelForCausalLM.from_pretrained(job.folder, dtype=torch.float32)
        trainer = SFTTrainer(
            model=_with_lora(job, model),
            args=SFTConfig(**arguments, completion_only_loss=True),
            train_dataset=rows,
            processing_class=AutoTokenizer.from_pretrained(job.folder),
            callbacks=[_clocked(clock)],
        )
        seen: list[int] = []
        collate = trainer.data_collator
        trainer.data_collator = lambda some: _noted(collate(some), seen)
        trainer.train()
    return Trained(clock.seconds(job.warm), sum(seen[job.warm :][: job.updates]), clock.losses)


def _noted(batch: Any, seen: list[int]) -> Any:
    """Keeps how many tokens of rows a batch has."""
    mask = batch.get("attention_mask")
    seen.append(int(mask.sum()) if mask is not None else batch["input_ids"].numel())
    return batch


def _notebook(job: Job, *, bf16: bool, inputs: int, labels: int, part: int) -> Trained:
    """All weights of an encoder-decoder, every row padded to the same length. Every update is as
    long as another, so `part` of them are done after the first, and stand for all."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, Trainer, TrainingArguments

    def filled(ids: Sequence[int], size: int, filler: int) -> list[int]:
        return [*ids[:size], *[filler] * (size - len(ids))]

    rows = [
        {
            "input_ids": filled(prompt, inputs, 0),
            "attention_mask": filled([1] * len(prompt), inputs, 0),
            "labels": filled(answer, labels, IGNORED),
        }
        for prompt, answer in job.rows
    ]
    clock = Clock(job.processor)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=AutoModelForSeq2SeqLM.from_pretrained(job.folder, dtype=torch.float32),
            args=TrainingArguments(**_arguments(job, folder, bf16)),
            train_dataset=rows,
            callbacks=[_clocked(clock, 1 + part)],
        )
        trainer.train()
    seconds = clock.seconds(1) / part * job.updates
    return Trained(seconds, tokens_of(job.rows[job.warm * job.batch :]), clock.losses)


def _peft_loop(job: Job, *, bf16: bool, virtual: int) -> Trained:
    """A soft prompt by peft, AdamW, and nothing else; batches are padded to their longest row."""
    import torch
    from peft import PromptTuningConfig, get_peft_model
    from transformers import AutoModelForCausalLM, get_linear_schedule_with_warmup

    base = AutoModelForCausalLM.from_pretrained(job.folder, dtype=torch.float32)
    model: Any = get_peft_model(
        base, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=virtual)
    )
    torch.manual_seed(job.seed)
    vectors = model.prompt_encoder["default"].embedding.weight
    words = model.get_input_embeddings()
    with torch.no_grad():  # Stepladder's start: words drawn by the seed
        vectors.copy_(words(torch.randint(0, words.num_embeddings, (virtual,))))
    optimiser = torch.optim.AdamW([vectors], lr=job.rate, weight_decay=0.0)
    steps = job.warm + job.updates
    warm = -(-steps // 10)
    schedule = get_linear_schedule_with_warmup(optimiser, warm, steps)  # type: ignore[no-untyped-call]
    clock = Clock(job.processor)
    model.train()
    for at in range(0, steps * job.batch, job.batch):
        batch = _padded(job.rows[at : at + job.batch])
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_([vectors], 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        clock.tick(loss.item())
    return Trained(
        clock.seconds(job.warm), tokens_of(job.rows[job.warm * job.batch :]), clock.losses
    )


def _padded(rows: Rows) -> dict[str, Any]:
    import torch

    width = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
    for line, (prompt, answer) in enumerate(rows):
        size = len(prompt) + len(answer)
        ids[line, :size] = torch.tensor([*prompt, *answer])
        mask[line, :size] = 1
        labels[line, len(prompt) : size] = torch.tensor(answer)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


TRAINERS: dict[str, Callable[..., Trained]] = {
    "trl": _trl,
    "notebook": _notebook,
    "peft loop": _peft_loop,
}


def _main(trainer: str, given: str, found: str) -> None:
    import torch

    asked = json.loads(Path(given).read_text("utf-8"))
    job = Job(**asked["job"])
    torch.set_num_threads(job.threads)
    result = TRAINERS[trainer](job, **asked["settings"])
    Path(found).write_text(json.dumps(result._asdict()), encoding="utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])
