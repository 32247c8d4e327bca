"""Writes the attention of the class token in the last block, as transformers computes it with nothing masked."""

import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import ViTMAEModel

folder, out = sys.argv[1:]
model = ViTMAEModel.from_pretrained(folder, attn_implementation="eager", mask_ratio=0.0).eval()
pixels = load_file(f"{folder}/io.safetensors")["pixel_values"]
patches = (model.config.image_size // model.config.patch_size) ** 2
# Ascending noise keeps the order of the patches.
noise = torch.arange(patches, dtype=torch.float32).expand(len(pixels), -1)
with torch.no_grad():
    attentions = model(pixels, noise=noise, output_attentions=True).attentions
save_file({"attention": attentions[-1][:, :, 0, 1:].contiguous()}, out)
