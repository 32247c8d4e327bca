#!/usr/bin/env python3
"""Writes the results of PyTorch for a configuration, with which `deno task parity` compares.

Needs: pip install torch numpy einops safetensors. The model takes the noise of its masks as an argument.
Usage: make_reference.py OUT.safetensors '{"image_size": 6, ...}' [--batch 2] [--seed 1]

Tensors: param.NAME, images [B,C,H,W], noise [10,B,N], latent, mask, ids_restore, pred, loss, grad.NAME, losses [10]
(before each of 10 AdamW steps, lr 1.5e-4, weight decay 0.05), step1.NAME, step10.NAME, and classify.* (features,
head.weight, head.bias, logits, labels, loss, noise, grad.NAME) from the initial parameters with nothing masked.
"""
import argparse
import json
import math

import torch
from einops import rearrange
from einops.layers.torch import Rearrange
from safetensors.torch import save_file
from torch import nn


class Positions(nn.Module):
    def __init__(self, patches, dim):
        super().__init__()
        table = torch.zeros(patches, dim)
        position = torch.arange(patches, dtype=torch.float).unsqueeze(1)
        frequency = torch.exp(torch.arange(0, dim, 2).float() * (-math.log(10000.0) / dim))
        table[:, 0::2], table[:, 1::2] = torch.sin(position * frequency), torch.cos(position * frequency)
        self.register_buffer("pe", table.unsqueeze(0))

    def forward(self, x):
        return x + self.pe


class Patches(nn.Module):
    def __init__(self, patch, channels, dim):
        super().__init__()
        cut = Rearrange("b c (h p1) (w p2) -> b (h w) (p1 p2 c)", p1=patch, p2=patch)
        self.projection = nn.Sequential(cut, nn.Linear(patch * patch * channels, dim))

    def forward(self, x):
        return self.projection(x)


class Block(nn.Module):
    def __init__(self, dim, heads, ratio):
        super().__init__()
        hidden = int(dim * ratio)
        self.norm1 = nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(0.0), nn.Linear(hidden, dim), nn.Dropout(0.0)
        )

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attn(h, h, h)[0]
        return x + self.mlp(self.norm2(x))


class Encoder(nn.Module):
    def __init__(self, c, patches):
        super().__init__()
        self.patch_embed = Patches(c["patch_size"], c["in_channels"], c["embed_dim"])
        self.pos_embed = Positions(patches, c["embed_dim"])
        self.blocks = nn.ModuleList(
            [Block(c["embed_dim"], c["num_heads"], c["mlp_ratio"]) for _ in range(c["depth"])]
        )
        self.norm = nn.LayerNorm(c["embed_dim"])

    def forward(self, x, noise, ratio):
        x = self.pos_embed(self.patch_embed(x))
        batch, patches, dim = x.shape
        keep = int(patches * (1 - ratio))
        shuffle = torch.argsort(noise, dim=1, stable=True)
        restore = torch.argsort(shuffle, dim=1)
        x = torch.gather(x, 1, shuffle[:, :keep, None].expand(-1, -1, dim))
        mask = torch.ones(batch, patches)
        mask[:, :keep] = 0
        mask = torch.gather(mask, 1, restore)
        for block in self.blocks:
            x = block(x)
        return self.norm(x), mask, restore


class Decoder(nn.Module):
    def __init__(self, c, patches):
        super().__init__()
        dim = c["decoder_embed_dim"]
        self.decoder_embed = nn.Linear(c["embed_dim"], dim)
        self.mask_token = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.decoder_pos_embed = Positions(patches, dim)
        self.decoder_blocks = nn.ModuleList(
            [Block(dim, c["decoder_num_heads"], c["mlp_ratio"]) for _ in range(c["decoder_depth"])]
        )
        self.decoder_norm = nn.LayerNorm(dim)
        self.decoder_pred = nn.Linear(dim, c["patch_size"] ** 2 * c["in_channels"])

    def forward(self, x, restore):
        x = self.decoder_embed(x)
        tokens = self.mask_token.repeat(x.shape[0], restore.shape[1] - x.shape[1], 1)
        x = torch.cat([x, tokens], dim=1)
        x = torch.gather(x, 1, restore[:, :, None].expand(-1, -1, x.shape[2]))
        x = self.decoder_pos_embed(x)
        for block in self.decoder_blocks:
            x = block(x)
        return self.decoder_pred(self.decoder_norm(x))


class MAE(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        patches = (c["image_size"] // c["patch_size"]) ** 2
        self.encoder = Encoder(c, patches)
        self.decoder = Decoder(c, patches)

    def forward(self, images, noise):
        p = self.c["patch_size"]
        latent, mask, restore = self.encoder(images, noise, self.c["mask_ratio"])
        pred = self.decoder(latent, restore)
        target = rearrange(images, "b c (h p1) (w p2) -> b (h w) (p1 p2 c)", p1=p, p2=p)
        loss = (((pred - target) ** 2).mean(-1) * mask).sum() / mask.sum()
        return loss, latent, mask, restore, pred


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out")
    arguments.add_argument("config")
    arguments.add_argument("--batch", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    c = json.loads(options.config)
    model = MAE(c)
    with torch.no_grad():  # away from 0 and 1, so that errors in biases and norms show
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or "norm" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    patches = (c["image_size"] // c["patch_size"]) ** 2
    images = torch.rand(options.batch, c["in_channels"], c["image_size"], c["image_size"])
    noise = torch.rand(10, options.batch, patches)
    out = {"images": images, "noise": noise}
    initial = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    out.update({f"param.{name}": value for name, value in initial.items()})

    head = nn.Linear(c["embed_dim"], 10)
    labels = torch.randint(0, 10, (options.batch,))
    shuffle = torch.rand(options.batch, patches)
    features = model.encoder(images, shuffle, 0.0)[0].mean(dim=1)
    logits = head(features)
    loss = nn.functional.cross_entropy(logits, labels)
    loss.backward()
    out.update({
        "classify.noise": shuffle, "classify.features": features, "classify.logits": logits,
        "classify.labels": labels.int(), "classify.loss": loss.reshape(1),
        "classify.head.weight": head.weight, "classify.head.bias": head.bias,
        "classify.grad.head.weight": head.weight.grad, "classify.grad.head.bias": head.bias.grad,
    })
    out.update({
        f"classify.grad.{name}": p.grad.clone() for name, p in model.named_parameters() if p.grad is not None
    })
    model.zero_grad()

    optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-4, weight_decay=0.05)
    losses = []
    for step in range(10):
        optimizer.zero_grad()
        loss, latent, mask, restore, pred = model(images, noise[step])
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            out.update({
                "loss": loss.reshape(1), "latent": latent, "mask": mask, "ids_restore": restore.int(), "pred": pred,
            })
            out.update({f"grad.{name}": p.grad.clone() for name, p in model.named_parameters()})
        optimizer.step()
        if step in (0, 9):
            out.update({f"step{step + 1}.{name}": p.detach().clone() for name, p in model.named_parameters()})
    out["losses"] = torch.tensor(losses)
    out = {name: value.detach().contiguous().clone() for name, value in out.items()}
    save_file(out, options.out, metadata={"config": options.config, "format": "pt"})


if __name__ == "__main__":
    main()
