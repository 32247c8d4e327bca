#!/usr/bin/env python3
"""Writes a small ViTMAE of Hugging Face with random weights, and its results, with which `deno task parity FOLDER` compares.

Needs: pip install torch numpy transformers safetensors.
Usage: make_vitmae.py FOLDER '{"hidden_size": 16, ...}' [--batch 2] [--seed 1] [--learned]

FOLDER gets `config.json` and `model.safetensors` as `save_pretrained` writes them, and

- io.safetensors: pixel_values, noise, loss, logits, mask, ids_restore, latent, and cls_unmasked (the class token with
  nothing masked).
- train.safetensors: noise [1, B, N], losses [1], and grad.NAME of that loss.
- finetune.safetensors: the encoder with nothing masked, the mean over the patch tokens, fc_norm and head. The input is
  lambda * x + (1 - lambda) * x[partner], the target [B, classes] is mixed from smoothed labels. features (before
  fc_norm), logits, losses [1], and grad.NAME.

`--learned` moves the position tables away from those of sines and cosines.
"""
import argparse
import json
import os
import tempfile

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import ViTMAEConfig, ViTMAEForPreTraining

CLASSES = 3


def positions(side, dim):
    """The table of He et al. 2022: sines and cosines of the column, then of the row. Zeros for the class token."""
    omega = 1.0 / 10000 ** (np.arange(dim // 4, dtype=np.float64) / (dim / 4))
    columns, rows = np.meshgrid(np.arange(side, dtype=np.float64), np.arange(side, dtype=np.float64))
    parts = [f(np.outer(x.reshape(-1), omega)) for x in (columns, rows) for f in (np.sin, np.cos)]
    table = np.concatenate([np.zeros((1, dim)), np.concatenate(parts, axis=1)])
    return torch.from_numpy(table).float().unsqueeze(0)


def saved(model, folder=None):
    """Returns the tensors of a model by the names that save_pretrained writes."""
    if folder is not None:
        model.save_pretrained(folder)
        return load_file(os.path.join(folder, "model.safetensors"))
    with tempfile.TemporaryDirectory() as temporary:
        return saved(model, temporary)


def gradients(model):
    """Returns the gradients by the names that save_pretrained writes. The weights are lost."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.full_like(parameter, np.nan) if parameter.grad is None else parameter.grad)
    return {f"grad.{name}": value for name, value in saved(model).items() if not torch.isnan(value).any()}


def features(model, pixels):
    """The mean of the last block's output over the patch tokens."""
    model.vit.embeddings.config.mask_ratio = 0.0
    patches = (model.config.image_size // model.config.patch_size) ** 2
    order = torch.arange(patches, dtype=torch.float).expand(len(pixels), -1)
    x = model.vit.embeddings(pixels, noise=order)[0]
    for layer in model.vit.layers:
        x = layer(x, None)
    return x[:, 1:].mean(dim=1), model.vit.layernorm(x)[:, 0]


def write(folder, name, tensors):
    tensors = {key: value.detach().contiguous().clone() for key, value in tensors.items()}
    save_file(tensors, os.path.join(folder, f"{name}.safetensors"))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder")
    arguments.add_argument("config")
    arguments.add_argument("--batch", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--learned", action="store_true")
    options = arguments.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    config = ViTMAEConfig(**json.loads(options.config))
    model = ViTMAEForPreTraining(config).eval()
    side, dim = config.image_size // config.patch_size, config.hidden_size
    with torch.no_grad():  # away from 0 and 1, so that errors in biases, norms and tokens show
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or "norm" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
            elif name.endswith("token"):
                parameter.copy_(torch.randn_like(parameter) * 0.5)
            elif parameter.dim() == 2:
                parameter.copy_(torch.randn_like(parameter) / parameter.shape[1] ** 0.5)
        tables = {"vit.embeddings.position_embeddings": dim, "decoder.decoder_pos_embed": config.decoder_hidden_size}
        for name, parameter in model.named_parameters():
            if name in tables:
                noise = torch.randn_like(parameter) * (0.1 if options.learned else 0)
                parameter.copy_(positions(side, tables[name]) + noise)
                parameter.requires_grad = False
    saved(model, options.folder)
    images = torch.randn(options.batch, config.num_channels, config.image_size, config.image_size)
    noise = torch.rand(options.batch, side**2)

    out = model(images, noise=noise)
    latent = model.vit(images, noise=noise).last_hidden_state
    out.loss.backward()
    trained = {"noise": noise.unsqueeze(0), "losses": out.loss.reshape(1)}
    io = {
        "pixel_values": images, "noise": noise, "loss": out.loss.reshape(1), "logits": out.logits, "mask": out.mask,
        "ids_restore": out.ids_restore.int(), "latent": latent,
    }
    write(options.folder, "train", {**trained, **gradients(model)})

    model = ViTMAEForPreTraining.from_pretrained(options.folder).eval()
    write(options.folder, "io", {**io, "cls_unmasked": features(model, images)[1]})
    norm, head = nn.LayerNorm(dim, eps=config.layer_norm_eps), nn.Linear(dim, CLASSES)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    share, partner = torch.tensor([0.7]), torch.arange(options.batch).roll(1)
    labels = torch.arange(options.batch) % CLASSES
    smooth = nn.functional.one_hot(labels, CLASSES) * 0.9 + 0.1 / CLASSES
    mix = lambda x: share * x + (1 - share) * x[partner]
    pooled = features(model, mix(images))[0]
    logits = head(norm(pooled))
    target = mix(smooth)
    loss = nn.functional.cross_entropy(logits, target)
    loss.backward()
    tuned = {
        "lambda": share, "partner": partner.int(), "target": target, "features": pooled, "logits": logits,
        "losses": loss.reshape(1),
    }
    for name, module in (("fc_norm", norm), ("head", head)):
        for kind, parameter in module.named_parameters():
            tuned |= {f"{name}.{kind}": parameter, f"grad.{name}.{kind}": parameter.grad}
    write(options.folder, "finetune", {**tuned, **gradients(model)})


if __name__ == "__main__":
    main()
