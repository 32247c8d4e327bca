"""Makes tests/fixtures/resized.safetensors: outputs of transformers for images of other sizes than the models have.

    python tests/parity/make_resized.py tests/fixtures

The models are those of tests/fixtures/libraries. `NAME.SIZE.images` are in [0, 1], [batch, size, size, channels], with one
channel for grey pictures, which the models get three times. `NAME.SIZE.cls` and `.mean` are the class token and the mean
of the patch tokens. Made with PyTorch 2.15 and transformers 5.24.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
import transformers as hf
from safetensors import safe_open
from safetensors.torch import save_file

MEANS = {"hf_mae_model": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), "hf_vit_model": ([0.5] * 3, [0.5] * 3)}
folder, file = Path(sys.argv[1]), {}
generator = torch.Generator().manual_seed(1)
for name, (mean, std) in MEANS.items():
    with safe_open(folder / "libraries" / f"{name}.safetensors", "pt") as stored:
        config = json.loads(stored.metadata()["config"])
        tensors = {key.removeprefix("model."): stored.get_tensor(key) for key in stored.keys() if key.startswith("model.")}
    kind = hf.ViTMAEModel if "mae" in name else hf.ViTModel
    # `from_pretrained` converts the names of the file.
    with tempfile.TemporaryDirectory() as saved:
        save_file(tensors, f"{saved}/model.safetensors", {"format": "pt"})
        Path(saved, "config.json").write_text(json.dumps(config))
        model = kind.from_pretrained(saved).eval()
    model.config.mask_ratio = 0.0
    for size, channels in [(12, 3), (28, 3), (28, 1)]:
        images = torch.rand(2, channels, size, size, generator=generator)
        shape = (1, -1, 1, 1)
        pixels = (images.expand(-1, 3, -1, -1) - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)
        with torch.no_grad():
            tokens = model(pixels, interpolate_pos_encoding=True).last_hidden_state
        key = f"{name}.{size}x{channels}"
        file[f"{key}.images"] = images.permute(0, 2, 3, 1).contiguous()
        file[f"{key}.cls"] = tokens[:, 0].contiguous()
        file[f"{key}.mean"] = tokens[:, 1:].mean(1).contiguous()
save_file(file, folder / "resized.safetensors")
