"""What oneDNN keeps for products in bf16: counted by shape, measured, and in the forecast."""

from __future__ import annotations

import sys

import pytest
import torch
from transformers import LlamaConfig

from stepladder.forecast import Batch, Beside, foretell, kernel_bytes
from stepladder.forecast.allocator import in_use
from stepladder.forecast.products import MOST_KEPT, Products
from stepladder.methods.full import Full

MM = torch.ops.aten.mm.default
MIB = 2**20
glibc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc")
CONFIG = LlamaConfig(
    hidden_size=64,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=96,
    vocab_size=300,
    tie_word_embeddings=True,
)


def pair(rows: int, dtype: torch.dtype = torch.bfloat16) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(rows, 24, dtype=dtype), torch.zeros(24, 8, dtype=dtype)


def test_a_shape_is_new_once() -> None:
    products = Products(kernel=7)
    assert products.new(MM, pair(3)) == 7
    assert products.new(MM, pair(3)) == 0
    assert products.new(MM, pair(4)) == 7
    turned = torch.zeros(8, 24, dtype=torch.bfloat16).t()
    assert products.new(MM, (pair(3)[0], turned)) == 7  # stored by columns
    assert len(products) == 3


def test_float32_and_other_operations_keep_nothing() -> None:
    products = Products(kernel=7)
    assert products.new(MM, pair(3, torch.float32)) == 0
    assert products.new(torch.ops.aten.add.Tensor, pair(3)) == 0
    assert len(products) == 0


@glibc
def test_the_bytes_of_a_kernel_are_those_that_new_shapes_take() -> None:
    kernel = kernel_bytes()
    torch.zeros(1001, 72, dtype=torch.bfloat16) @ torch.zeros(72, 40, dtype=torch.bfloat16)
    before = in_use()
    assert before is not None
    for rows in range(1002, 1010):
        torch.zeros(rows, 72, dtype=torch.bfloat16) @ torch.zeros(72, 40, dtype=torch.bfloat16)
    assert (in_use() or 0) - before == pytest.approx(8 * kernel, rel=0.25, abs=MIB / 4)


@glibc
def test_what_malloc_has_given_is_told() -> None:
    before = in_use()
    held = torch.empty(40 * MIB, dtype=torch.uint8)
    assert before is not None
    assert (in_use() or 0) - before == pytest.approx(held.nbytes, rel=0.05)


def process(beside: Beside, *, autocast: bool = True) -> int:
    found = foretell(CONFIG, Full(), Batch(4, 24, 8), autocast=autocast, process=beside)
    assert found.process is not None
    assert found.libraries == beside.growth
    return found.process


@glibc
def test_a_process_has_kernels_for_the_shapes_of_an_update() -> None:
    """Queries, keys, values and outputs have one shape, gates and ups one, downs one, the output
    layer one: forward, and twice backward."""
    bare, some = process(Beside()), process(Beside(kernel=MIB))
    assert some - bare == pytest.approx(4 * 3 * MIB, abs=1.5 * MIB)
    assert process(Beside(kernel=MIB), autocast=False) < bare + 2 * MIB


@glibc
def test_batches_of_other_sizes_have_kernels_of_their_own() -> None:
    one = process(Beside(kernel=MIB))
    assert process(Beside(kernel=MIB, updates=2)) - one == pytest.approx(24 * MIB, abs=2 * MIB)
    assert process(Beside(kernel=MIB, looks=3)) - one == pytest.approx(12 * MIB, abs=2 * MIB)
    most = process(Beside(kernel=MIB, updates=10**6))
    assert most - one == pytest.approx((MOST_KEPT - 12) * MIB, rel=0.01)


@glibc
def test_what_libraries_grow_by_is_added() -> None:
    assert process(Beside(growth=50 * MIB)) == process(Beside()) + 50 * MIB
