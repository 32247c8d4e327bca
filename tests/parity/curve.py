#!/usr/bin/env python3
"""Trains the tutorial's model in PyTorch with first weights, order of pictures and masking noise from a file.

Needs what make_reference.py needs. Usage: curve.py DRAWS.safetensors CONFIG IMAGES EPOCHS BATCH THREADS, where IMAGES
are MNIST's training images. Prints the mean loss of each epoch, a line each. Written and run by curve.ts.
"""
import gzip
import json
import sys

import numpy
import torch
from make_reference import MAE
from safetensors.torch import load_file


def main():
    draws, config, images, (epochs, batch, threads) = *sys.argv[1:4], map(int, sys.argv[4:7])
    torch.set_num_threads(threads)
    drawn = load_file(draws)
    model = MAE(json.loads(config))
    model.load_state_dict({name: drawn[name] for name, _ in model.named_parameters()}, strict=False)
    pixels = numpy.frombuffer(gzip.open(images).read(), numpy.uint8, offset=16).reshape(-1, 1, 28, 28)
    pixels = torch.from_numpy(pixels.copy()).float() / 255
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-4, weight_decay=0.05, fused=True)
    for epoch in range(epochs):
        order, noise = drawn[f"order{epoch}"].long(), drawn[f"noise{epoch}"]
        total = 0.0
        for step in range(noise.shape[0]):
            loss = model(pixels[order[step * batch : (step + 1) * batch]], noise[step])[0]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(total / noise.shape[0], flush=True)


main()
