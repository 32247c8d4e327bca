"""Makes tests/fixtures/bicubic.safetensors: grids, and what PyTorch interpolates from them.

Tensors are named FROM-TO.grid and FROM-TO.result, [size, size, dim]. The steps are those of Meta's
interpolate_pos_embed.  Usage: python tests/model/adapt/bicubic.py tests/fixtures/bicubic.safetensors
"""

import sys

import torch
from safetensors.torch import save_file

torch.manual_seed(0)
tensors = {}
for before, after in [(4, 7), (7, 4), (14, 24), (24, 14), (3, 5), (5, 3), (1, 3), (2, 1), (7, 8), (6, 6)]:
    grid = 2 * torch.rand(before, before, 2) - 1
    image = grid.permute(2, 0, 1).unsqueeze(0)
    image = torch.nn.functional.interpolate(image, size=(after, after), mode="bicubic", align_corners=False)
    tensors[f"{before}-{after}.grid"] = grid
    tensors[f"{before}-{after}.result"] = image.squeeze(0).permute(1, 2, 0).contiguous()
save_file(tensors, sys.argv[1])
