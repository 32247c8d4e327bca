#!/usr/bin/env python3
"""Trains the model in PyTorch with images and random numbers from a file, and prints the mean loss of each epoch.

Needs what make_reference.py needs. Usage: curve.py INPUTS.safetensors CONFIG EPOCHS BATCH THREADS. INPUTS has the
images, the initial weights, and for each epoch the order of the images and the noise of the masks. curve.ts writes
the file and runs this script.
"""
import json
import sys

import torch
from make_reference import MAE
from safetensors.torch import load_file


def main():
    path, config, (epochs, batch, threads) = *sys.argv[1:3], map(int, sys.argv[3:6])
    torch.set_num_threads(threads)
    inputs = load_file(path)
    model = MAE(json.loads(config))
    model.load_state_dict({name: inputs[name] for name, _ in model.named_parameters()}, strict=False)
    images = inputs["images"].float() / 255
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-4, weight_decay=0.05, fused=True)
    for epoch in range(epochs):
        order, noise = inputs[f"order{epoch}"].long(), inputs[f"noise{epoch}"]
        total = 0.0
        for step in range(noise.shape[0]):
            loss = model(images[order[step * batch : (step + 1) * batch]], noise[step])[0]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(total / noise.shape[0], flush=True)


main()
