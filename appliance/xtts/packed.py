"""Products with bfloat16 weights that lie as a CPU's matrix units take them: otherwise they are moved for each product.

On two cores with AMX the products of a token of the published size took 35 ms so, and 48 as they come; those of 64
positions 49 and 73. The numbers are the same.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def is_packed_better(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether there is such a layout."""
    return device.type == "cpu" and dtype == torch.bfloat16 and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def packed(weight: Tensor, bias: Tensor) -> Callable[[Tensor], Tensor]:
    """x ↦ x·weightᵀ + bias; weight (out, in)."""
    # What torch.compile makes of a linear layer on a CPU; there is no other way to oneDNN's own layout.
    laid_out = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), None)

    def product(x: Tensor) -> Tensor:
        sums: Tensor = torch.ops.mkldnn._linear_pointwise(x, laid_out, bias, "none", [], "")
        return sums

    return product
