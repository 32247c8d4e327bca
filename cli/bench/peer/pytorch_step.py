#!/usr/bin/env python3
"""Times training steps (forward pass, backward pass, AdamW) of the MAE in PyTorch on random images.

Needs: pip install torch numpy. Usage: pytorch_step.py --config JSON --batch N --threads N --mode MODE [--steps N]
CONFIG has the fields of a model in the API. MODE is eager, fused (a fused optimiser) or compile (torch.compile as
well). Prints a JSON object with the median and the minimum in milliseconds.

The model selects the visible patches before the embedding and computes no attention weights for output, because
both make PyTorch faster without a change of the result.
"""
import argparse
import json
import math
import statistics
import time

import torch
from torch import nn

WARMUP_STEPS = 3


def positions(count, dim):
    angles = torch.arange(count).float().unsqueeze(1) * torch.exp(
        torch.arange(0, dim, 2).float() * (-math.log(10000.0) / dim)
    )
    return torch.stack([angles.sin(), angles.cos()], dim=2).reshape(1, count, dim)


def select(tokens, indices):
    return torch.gather(tokens, 1, indices.unsqueeze(2).expand(-1, -1, tokens.shape[2]))


class Block(nn.Module):
    def __init__(self, dim, heads, mlp_ratio):
        super().__init__()
        hidden = int(dim * mlp_ratio)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


def blocks(depth, dim, heads, mlp_ratio):
    return nn.Sequential(*[Block(dim, heads, mlp_ratio) for _ in range(depth)])


class MaskedAutoencoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        dim, decoder_dim = config["embed_dim"], config["decoder_embed_dim"]
        self.patch_size = config["patch_size"]
        self.patches = (config["image_size"] // self.patch_size) ** 2
        self.visible = int(self.patches * (1 - config["mask_ratio"]))
        values = self.patch_size**2 * config["in_channels"]
        self.embed = nn.Linear(values, dim)
        self.register_buffer("positions", positions(self.patches, dim))
        self.encoder = blocks(config["depth"], dim, config["num_heads"], config["mlp_ratio"])
        self.norm = nn.LayerNorm(dim)
        self.decoder_embed = nn.Linear(dim, decoder_dim)
        self.mask_token = nn.Parameter(torch.randn(1, 1, decoder_dim) * 0.02)
        self.register_buffer("decoder_positions", positions(self.patches, decoder_dim))
        self.decoder = blocks(
            config["decoder_depth"], decoder_dim, config["decoder_num_heads"], config["mlp_ratio"]
        )
        self.decoder_norm = nn.LayerNorm(decoder_dim)
        self.pred = nn.Linear(decoder_dim, values)

    def patchify(self, images):
        batch, channels, height, width = images.shape
        size = self.patch_size
        grid = images.reshape(batch, channels, height // size, size, width // size, size)
        return grid.permute(0, 2, 4, 3, 5, 1).reshape(batch, self.patches, -1)

    def forward(self, images):
        target = self.patchify(images)
        batch = target.shape[0]
        shuffle = torch.argsort(torch.rand(batch, self.patches), dim=1)
        restore = torch.argsort(shuffle, dim=1)
        visible = shuffle[:, : self.visible]
        x = self.embed(select(target, visible)) + select(self.positions.expand(batch, -1, -1), visible)
        x = self.decoder_embed(self.norm(self.encoder(x)))
        tokens = torch.cat([x, self.mask_token.expand(batch, self.patches - self.visible, -1)], dim=1)
        x = self.decoder(select(tokens, restore) + self.decoder_positions)
        mask = (restore >= self.visible).float()
        errors = ((self.pred(self.decoder_norm(x)) - target) ** 2).mean(dim=2)
        return (errors * mask).sum() / mask.sum()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--config", required=True)
    arguments.add_argument("--batch", type=int, required=True)
    arguments.add_argument("--threads", type=int, required=True)
    arguments.add_argument("--mode", choices=["eager", "fused", "compile"], required=True)
    arguments.add_argument("--steps", type=int, default=20)
    options = arguments.parse_args()
    config = json.loads(options.config)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = MaskedAutoencoder(config)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1.5e-4, weight_decay=0.05, fused=options.mode != "eager"
    )
    loss_of = torch.compile(model) if options.mode == "compile" else model
    images = torch.rand(options.batch, config["in_channels"], config["image_size"], config["image_size"])
    times = []
    for _ in range(WARMUP_STEPS + options.steps):
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = loss_of(images)
        loss.backward()
        optimizer.step()
        loss.item()
        times.append((time.perf_counter() - start) * 1e3)
    times = times[WARMUP_STEPS:]
    print(json.dumps({
        "peer": f"pytorch {torch.__version__}",
        "mode": options.mode,
        "threads": options.threads,
        "median_ms": statistics.median(times),
        "min_ms": min(times),
    }))


main()
