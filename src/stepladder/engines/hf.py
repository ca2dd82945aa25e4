"""transformers in this process, behind the Engine protocol.

    engine = HFEngine(resolve("google/flan-t5-base"))
    for completion in engine.generate(prompts, Sampling(max_new_tokens=50)):
        ...                                      # batch by batch, as they finish
    for piece in engine.stream(prompt, Sampling()):
        print(piece, end="", flush=True)

The tokenizer is loaded with the first prompt, the weights with the first one that fits. In float32
greedy tokens equal those of asking one by one, except after a step whose two best logits all but
tie. Of the checkpoint's own generation settings only its token ids act. A batch that does not fit
into memory is asked again in halves.
"""

from __future__ import annotations

import copy
import gc
import queue
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from stepladder.checkpoints import (
    DTYPES,
    PairTokens,
    encode_pair,
    encode_prompt,
    load,
    load_tokenizer,
    out_of_memory,
    quiet,
    render,
)
from stepladder.engines.batching import Request, gather, take, tokens_of
from stepladder.errors import CheckpointError, EngineError
from stepladder.records import (
    Capabilities,
    Checkpoint,
    Completion,
    Finish,
    LogLikelihood,
    Prompt,
    Sampling,
    Turn,
    content_hash,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_Result = TypeVar("_Result")

NUMERICS = 1
"""Moved only when golden tokens move: kept answers are then asked for anew."""

BATCH_TOKENS = 8192
"""Tokens of a batch, padding and answers included, unless the engine is told otherwise."""
_LOGITS = 2**27
"""Numbers in the logits of one scoring batch at most (512 MB in float32)."""


class _Answer(NamedTuple):
    """Token ids of one row, up to and with its end token, and why it ended."""

    tokens: tuple[int, ...]
    finish: Finish


class HFEngine:
    """Asks one checkpoint, on a CUDA device where there is one."""

    def __init__(
        self, checkpoint: Checkpoint, *, dtype: str = "float32", batch_tokens: int = BATCH_TOKENS
    ) -> None:
        """`batch_tokens` bounds rows * (prompt + answer); it shrinks when memory runs out."""
        if dtype not in DTYPES:
            raise CheckpointError(f"dtype is '{dtype}'; give one of {', '.join(DTYPES)}")
        self.checkpoint = checkpoint
        self.dtype = dtype
        self.batch_tokens = batch_tokens
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._model: Any = None

    @property
    def identity(self) -> str:
        """Content hash of checkpoint, dtype and numerics version."""
        return content_hash(["hf", self.checkpoint.identity, self.dtype, NUMERICS])

    @property
    def capabilities(self) -> Capabilities:
        return self.checkpoint.capabilities

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Loaded when first asked for, without the weights."""
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self.checkpoint)
        return self._tokenizer

    @property
    def model(self) -> Any:
        """The torch model, loaded when first asked for."""
        if self._model is None:
            import torch

            try:
                model, self._tokenizer = load(self.checkpoint, dtype=self.dtype)
                self._model = model.to("cuda") if torch.cuda.is_available() else model
                self._warm_up()
            except (RuntimeError, MemoryError, OSError) as error:
                if not out_of_memory(error):
                    raise
                raise EngineError(
                    f"out of memory while loading '{self.checkpoint.name}'; use a smaller model, "
                    "or --dtype bfloat16"
                ) from error
        return self._model

    def _warm_up(self) -> None:
        """Two tokens for nobody: a process's first answer imports and compiles more than it
        computes, and the rung that happens to come first must not be billed for that."""
        prompt = Prompt("a", (Turn("user", "a"),))
        self._decode(self._model, self._requests([prompt]), Sampling(max_new_tokens=2))

    def render(self, prompt: Prompt) -> str:
        return render(self.tokenizer, prompt)

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        return [len(encode_prompt(self.tokenizer, prompt)) for prompt in prompts]

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[Completion]:
        """Completions as their batches finish, the longest prompts first. Equal prompts are asked
        once, also when drawn, since each draws from a generator of its own."""
        waiting: list[Request] = []
        for request in self._requests(prompts):
            if self._fits(request, sampling):
                waiting.append(request)
            else:
                yield from _spread(request, _over_context(request))
        while waiting:
            model = self.model  # before the clock starts
            batch = take(waiting, budget=self.batch_tokens, room=sampling.max_new_tokens)
            start = time.perf_counter()
            decode = partial(self._decode, model, batch, sampling)
            answers = self._within_memory(batch, sampling.max_new_tokens, decode)
            if answers is None:
                continue
            waiting = waiting[len(batch) :]
            seconds = (time.perf_counter() - start) / sum(len(r.places) for r in batch)
            for request, answer in zip(batch, answers, strict=True):
                yield from _spread(request, self._completion(request, answer, sampling, seconds))

    def stream(self, prompt: Prompt, sampling: Sampling) -> Generator[str, None, Completion]:
        """The answer in pieces as it is written; the generator's value is the whole Completion.

        The model works in a thread of its own, so that Ctrl-C reaches the caller at once.
        """
        request = self._requests([prompt])[0]
        if not self._fits(request, sampling):
            return _over_context(request)
        news: queue.SimpleQueue[list[int] | _Answer | BaseException] = queue.SimpleQueue()
        abandoned = threading.Event()

        def look(tokens: list[int]) -> bool:
            news.put(tokens)
            return abandoned.is_set()

        model = self.model

        def work() -> None:
            try:
                decode = partial(self._decode, model, [request], sampling, look)
                for answer in self._within_memory([request], 0, decode) or ():
                    news.put(answer)
            except BaseException as error:  # handed to the caller's thread, which raises it
                news.put(error)

        start = time.perf_counter()
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            answer = yield from self._pieces(news, sampling)
        finally:
            abandoned.set()
            thread.join(timeout=1)
        seconds = time.perf_counter() - start
        return self._completion(request, answer, sampling, seconds)

    def log_likelihood(self, pairs: Sequence[tuple[Prompt, str]]) -> list[LogLikelihood]:
        """In the order of the pairs; CheckpointError for a pair that exceeds the context."""
        seq2seq = self.capabilities.encoder_decoder
        model, pad = self.model, int(self.tokenizer.pad_token_id)
        encoded = [encode_pair(self.tokenizer, p, a, encoder_decoder=seq2seq) for p, a in pairs]
        for number, pair in enumerate(encoded, start=1):
            self._check_pair(pair, number)
        from stepladder.engines.likelihood import log_likelihoods

        # A pair's place, by length; requests of a batch share the longest one's width.
        waiting = gather([(str(i), [*p.prompt_ids, *p.answer_ids]) for i, p in enumerate(encoded)])
        scores: dict[int, LogLikelihood] = {}
        vocabulary = int(model.get_output_embeddings().weight.shape[0])
        while waiting:
            budget = min(self.batch_tokens, max(1, _LOGITS // vocabulary))
            batch = take(waiting, budget=budget, room=0)
            chosen = [encoded[request.places[0]] for request in batch]
            score = partial(log_likelihoods, model, pad=pad, encoder_decoder=seq2seq, batch=chosen)
            found = self._within_memory(batch, 0, score)
            if found is not None:
                waiting = waiting[len(batch) :]
                scores |= {r.places[0]: s for r, s in zip(batch, found, strict=True)}
        return [scores[place] for place in range(len(pairs))]

    def close(self) -> None:
        """Frees the weights."""
        self._model = None
        _release_memory()

    def _requests(self, prompts: Sequence[Prompt]) -> list[Request]:
        tokenizer = self.tokenizer
        return gather([(render(tokenizer, p), encode_prompt(tokenizer, p)) for p in prompts])

    def _fits(self, request: Request, sampling: Sampling) -> bool:
        """An encoder-decoder's answer has a place of its own; elsewhere it follows the prompt."""
        limit = self.capabilities.context
        room = 0 if self.capabilities.encoder_decoder else sampling.max_new_tokens
        return limit is None or len(request.ids) + room <= limit

    def _check_pair(self, pair: PairTokens, number: int) -> None:
        limit = self.capabilities.context
        answer = 0 if self.capabilities.encoder_decoder else len(pair.answer_ids)
        needed = len(pair.prompt_ids) + answer
        if limit is not None and needed > limit:
            raise CheckpointError(
                f"pair {number} has {needed} tokens, but the context of '{self.checkpoint.name}' "
                f"is {limit}; shorten it"
            )

    def _within_memory(
        self, batch: Sequence[Request], room: int, work: Callable[[], list[_Result]]
    ) -> list[_Result] | None:
        """What `work` returns; None where memory ran out and the batches are smaller from now on.
        Raises EngineError where a single row is too much."""
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if len(batch) == 1:
                raise EngineError(
                    f"out of memory with a single prompt of {len(batch[0].ids)} tokens; use a "
                    "smaller model, shorter prompts, or --dtype bfloat16"
                ) from error
        # Outside the handler, which would keep the failed batch's tensors alive.
        self.batch_tokens = tokens_of(batch, room=room) // 2
        _release_memory()
        return None

    def _decode(
        self,
        model: Any,
        batch: Sequence[Request],
        sampling: Sampling,
        look: Callable[[list[int]], bool] | None = None,
    ) -> list[_Answer]:
        """One batch through `generate`; `look` sees the first row after each token."""
        from stepladder.engines import decoding
        from stepladder.engines.likelihood import padded

        seq2seq = self.capabilities.encoder_decoder
        pad = int(self.tokenizer.pad_token_id)
        ids, mask = padded([r.ids for r in batch], pad, left=not seq2seq, device=model.device)
        width = 1 if seq2seq else ids.shape[1]  # an encoder-decoder's answer has a start token
        processors: list[Any] = []
        criteria: list[Any] = []
        if sampling.temperature > 0:
            seeds = [_seed(sampling.seed, request.rendered) for request in batch]
            processors.append(decoding.RowDraws(sampling, seeds))
        stop = decoding.StopStrings(self.tokenizer, sampling.stop, width, len(batch))
        criteria += [stop] if sampling.stop else []
        criteria += [decoding.Watch(look, width)] if look else []
        config = copy.deepcopy(model.generation_config)
        config.update(
            max_new_tokens=sampling.max_new_tokens, do_sample=False, num_beams=1, use_cache=True
        )
        with quiet():
            output = model.generate(
                input_ids=ids,
                attention_mask=mask,
                generation_config=config,
                logits_processor=processors,
                stopping_criteria=criteria,
            )
        rows = output[:, width:].tolist()
        ends = frozenset(config.eos_token_id)
        return [_answer(row, ends, at) for row, at in zip(rows, stop.ended, strict=True)]

    def _text(self, tokens: Sequence[int]) -> str:
        text = self.tokenizer.decode(
            list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return str(text)

    def _completion(
        self, request: Request, answer: _Answer, sampling: Sampling, seconds: float
    ) -> Completion:
        from stepladder.engines.decoding import cut_at_stop

        # Not every end token is a special one to its tokenizer.
        written = answer.tokens[:-1] if answer.finish == "end" else answer.tokens
        return Completion(
            index=request.places[0],
            text=cut_at_stop(self._text(written), sampling.stop),
            tokens=answer.tokens,
            tokens_in=len(request.ids),
            tokens_out=len(answer.tokens),
            seconds=seconds,
            finish=answer.finish,
        )

    def _pieces(
        self, news: queue.SimpleQueue[list[int] | _Answer | BaseException], sampling: Sampling
    ) -> Generator[str, None, _Answer]:
        """New text as it becomes certain, until the answer is whole."""
        from stepladder.engines.decoding import certain_part, cut_at_stop

        shown = 0
        while True:
            item = news.get()
            if isinstance(item, BaseException):
                raise item
            if isinstance(item, _Answer):
                written = item.tokens[:-1] if item.finish == "end" else item.tokens
                text = cut_at_stop(self._text(written), sampling.stop)
            else:
                text = certain_part(self._text(item), sampling.stop)
            if len(text) > shown:
                yield text[shown:]
                shown = len(text)
            if isinstance(item, _Answer):
                return item


def _answer(row: Sequence[int], ends: frozenset[int], stopped: int | None) -> _Answer:
    """What one row of the output says; behind its end stands padding, which may look like it."""
    end = next((place + 1 for place, token in enumerate(row) if token in ends), None)
    if stopped is not None and (end is None or stopped <= end):
        return _Answer(tuple(row[:stopped]), "stop")
    if end is not None:
        return _Answer(tuple(row[:end]), "end")
    return _Answer(tuple(row), "length")


def _over_context(request: Request) -> Completion:
    return Completion(
        index=request.places[0],
        text="",
        tokens=(),
        tokens_in=len(request.ids),
        tokens_out=0,
        seconds=0.0,
        finish="over-context",
    )


def _spread(request: Request, completion: Completion) -> Iterator[Completion]:
    """The same completion at every place where its prompt stands."""
    return (replace(completion, index=place) for place in request.places)


def _seed(seed: int, rendered: str) -> int:
    """60 bits of a hash: a torch generator takes 64 with sign."""
    return int(content_hash([seed, rendered])[:15], 16)


def _release_memory() -> None:
    gc.collect()
    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
