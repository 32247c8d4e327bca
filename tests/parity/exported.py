"""Loads exported checkpoints with transformers and timm, and compares their outputs with ours.

Usage: exported.py FOLDER...   Prints {FOLDER: {"loader": ..., "loading": {...}, "differences": {...}}} as JSON.

A folder has the files of an export and `case.safetensors`: `images` (uint8, [B, H, W, C]), `noise` of the masks
([B, N], MAE only) and our outputs `expected.NAME`. Its metadata has `loader`, the name of a function below.

    python3 -m pip install torch torchvision transformers timm safetensors
"""
import json
import sys
from pathlib import Path

import timm
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from timm.models.vision_transformer import Block, VisionTransformer
from torch.nn import LayerNorm, Linear, ModuleList, Parameter
from transformers import AutoImageProcessor, ViTForImageClassification, ViTMAEForPreTraining, ViTMAEModel


def from_pretrained(cls, folder, **fields):
    """Returns a model of transformers and what did not fit."""
    model, info = cls.from_pretrained(folder, output_loading_info=True, **fields)
    return model.eval(), {key: [str(item) for item in items] for key, items in info.items()}


def processed(folder, images):
    """Converts images by the image processor of the folder."""
    processor = AutoImageProcessor.from_pretrained(folder)
    return processor(images=[image.numpy() for image in images], return_tensors="pt")["pixel_values"]


def vitmae(folder, images, noise):
    """ViTMAEForPreTraining: predicted patches, mask and loss."""
    model, info = from_pretrained(ViTMAEForPreTraining, folder)
    out = model(processed(folder, images), noise=noise)
    return info, {"pred": out.logits, "mask": out.mask, "loss": out.loss.reshape(1)}


def vitmae_model(folder, images, noise):
    """ViTMAEModel of an MAE or an encoder: the mean of the patch tokens, nothing masked."""
    model, info = from_pretrained(ViTMAEModel, folder, mask_ratio=0.0)
    # The decoder of an MAE is not part of ViTMAEModel.
    info["unexpected_keys"] = [name for name in info["unexpected_keys"] if not name.startswith("decoder.")]
    tokens = model(processed(folder, images)).last_hidden_state
    return info, {"features": tokens[:, 1:].mean(1)}


def vit(folder, images, noise):
    """ViTForImageClassification: logits, and the names of the classes."""
    model, info = from_pretrained(ViTForImageClassification, folder)
    names = [model.config.id2label[index] for index in range(model.config.num_labels)]
    info["class_names"] = [] if names == [f"class {index}" for index in range(len(names))] else names
    return info, {"logits": model(processed(folder, images)).logits}


def timm_folder(folder, images, noise):
    """timm.create_model of the folder. It loads strictly."""
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    config = timm.data.resolve_model_data_config(model)
    mean, std = (torch.tensor(config[key]).reshape(1, -1, 1, 1) for key in ("mean", "std"))
    pixels = (images.permute(0, 3, 1, 2) / 255 - mean) / std
    return {}, {"logits" if model.num_classes > 0 else "features": model(pixels)}


def timm_checkpoint(folder, images, noise):
    """timm's architecture of the published size with `checkpoint_path`, which loads strictly."""
    config = json.loads(Path(folder, "config.json").read_text())
    fields = {name: config[name] for name in ("num_classes", "global_pool")}
    path = f"{folder}/model.safetensors"
    model = timm.create_model(config["architecture"], checkpoint_path=path, **fields).eval()
    mean, std = (torch.tensor(config["pretrained_cfg"][key]).reshape(1, -1, 1, 1) for key in ("mean", "std"))
    return {}, {"logits": model((images.permute(0, 3, 1, 2) / 255 - mean) / std)}


class MetaNames(VisionTransformer):
    """A module with the parameters of Meta's models, to load their `state_dict` strictly.

    The classes of facebookresearch/mae derive from VisionTransformer. Their licence does not allow a copy of them here,
    and only the encoder and the classifier are computed.
    """

    def __init__(self, config):
        model, dim, size = config["model"], config["decoder_embed_dim"], config["image_size"]
        super().__init__(
            img_size=size,
            patch_size=config["patch_size"],
            in_chans=config["in_channels"],
            embed_dim=config["embed_dim"],
            depth=config["depth"],
            num_heads=config["num_heads"],
            mlp_ratio=config["mlp_ratio"],
            num_classes=config["classes"] if model == "classifier" else 0,
            global_pool="token" if model == "classifier" and config["pool"] == "cls" else "avg",
            fc_norm=config["fc_norm"] and model == "classifier",
        )
        if model == "mae":
            self.mask_token = Parameter(torch.zeros(1, 1, dim))
            self.decoder_pos_embed = Parameter(torch.zeros(1, self.patch_embed.num_patches + 1, dim))
            self.decoder_embed = Linear(config["embed_dim"], dim)
            self.decoder_blocks = ModuleList(
                Block(dim, config["decoder_num_heads"], config["mlp_ratio"], qkv_bias=True)
                for _ in range(config["decoder_depth"])
            )
            self.decoder_norm = LayerNorm(dim)
            self.decoder_pred = Linear(dim, config["patch_size"] ** 2 * config["in_channels"])


def meta(folder, images, noise):
    """Meta's names: the features of an encoder, or the logits of a classifier."""
    config = json.loads(Path(folder, "config.json").read_text())
    model = MetaNames(config).eval()
    model.load_state_dict(load_file(f"{folder}/model.safetensors"))
    normalize = config["normalize"] or {"mean": [0] * config["in_channels"], "std": [1] * config["in_channels"]}
    mean, std = (torch.tensor(normalize[key]).reshape(1, -1, 1, 1) for key in ("mean", "std"))
    out = model((images.permute(0, 3, 1, 2) / 255 - mean) / std)
    return {}, {"logits" if model.num_classes > 0 else "features": out}


LOADERS = {loader.__name__: loader for loader in (vitmae, vitmae_model, vit, timm_folder, timm_checkpoint, meta)}


def check(folder):
    """Returns the report of a folder."""
    with safe_open(f"{folder}/case.safetensors", "pt") as file:
        loader = file.metadata()["loader"]
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    loading, outputs = LOADERS[loader](folder, tensors["images"], tensors.get("noise"))
    differences = {}
    for name, got in outputs.items():
        expected = tensors[f"expected.{name}"]
        assert got.shape == expected.shape, f"{name} has the shape {tuple(got.shape)}, not {tuple(expected.shape)}"
        # float32 cannot be closer than a share of the largest value.
        differences[name] = float((got - expected).abs().max() / max(1, expected.abs().max()))
    return {"loader": loader, "loading": loading, "differences": differences}


if __name__ == "__main__":
    torch.set_num_threads(2)
    torch.manual_seed(0)
    with torch.no_grad():
        print(json.dumps({folder: check(folder) for folder in sys.argv[1:]}))
