"""Makes tiny models of transformers, timm and facebookresearch/mae with random weights, and their outputs.

    python tests/parity/make_library_models.py tests/fixtures/libraries --mae CLONE

FOLDER/NAME.safetensors has the tensors that the library saves as `model.*`, `images` in [0, 1], the masking `noise`, and
`out.*`: `logits`, or the means of an encoder's patch tokens and its class tokens (`mean`, `cls`). The metadata has the
JSON files of the model. Made with PyTorch 2.15, transformers 5.24 and timm 1.0.31. CLONE is a clone of
facebookresearch/mae; without it, its models are left out.
"""

import argparse
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
HALF = ([0.5] * 3, [0.5] * 3)


def randomize(model, seed):
    """Gives every trainable parameter random values, so that a mistaken one changes the output."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            is_norm = parameter.ndim == 1 and name.endswith("weight")
            parameter.copy_(0.15 * torch.randn(parameter.shape, generator=generator) + (1 if is_norm else 0))
    return model.eval()


def normalized(images, mean, std):
    shape = (1, -1, 1, 1)
    return (images - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)


def outputs(model, kind, images, noise):
    """Returns the outputs of a model for normalised images. An encoder gets all patches."""
    with torch.no_grad():
        if kind == "mae":
            return {"logits": model(images, noise=noise).logits}
        if kind == "mae_meta":
            torch.rand, rand = lambda *args, **kwargs: noise, torch.rand
            try:
                return {"logits": model(images)[1]}
            finally:
                torch.rand = rand
        if kind == "classifier":
            out = model(images)
            return {"logits": out if torch.is_tensor(out) else out.logits}
        if kind == "encoder_hf":
            ratio, model.config.mask_ratio = getattr(model.config, "mask_ratio", None), 0.0
            tokens = model(images).last_hidden_state
            model.config.mask_ratio = ratio
        else:
            tokens = model.forward_features(images)
        if getattr(model, "has_class_token", True):
            return {"cls": tokens[:, 0], "mean": tokens[:, 1:].mean(1)}
        return {"mean": tokens.mean(1)}


def import_meta(clone):
    """Imports the models of facebookresearch/mae, which need an old timm and an old numpy."""
    import timm.models.vision_transformer as vit

    if not hasattr(np, "float"):
        np.float = float
    block = vit.Block
    vit.Block = lambda *args, qk_scale=None, **kwargs: block(*args, **kwargs)
    sys.path.insert(0, clone)
    import models_mae
    import models_vit

    vit.Block = block
    return models_mae, models_vit


def meta_mae(meta, config):
    norm = partial(torch.nn.LayerNorm, eps=config["layer_norm_eps"])
    return meta[0].MaskedAutoencoderViT(
        img_size=config["image_size"], patch_size=config["patch_size"], in_chans=config["in_channels"],
        embed_dim=config["embed_dim"], depth=config["depth"], num_heads=config["num_heads"],
        decoder_embed_dim=config["decoder_embed_dim"], decoder_depth=config["decoder_depth"],
        decoder_num_heads=config["decoder_num_heads"], mlp_ratio=config["mlp_ratio"], norm_layer=norm)


def meta_vit(meta, config, classes, global_pool):
    model = meta[1].VisionTransformer(
        img_size=config["image_size"], patch_size=config["patch_size"], in_chans=config["in_channels"],
        embed_dim=config["embed_dim"], depth=config["depth"], num_heads=config["num_heads"],
        mlp_ratio=config["mlp_ratio"], qkv_bias=True, num_classes=classes, global_pool=global_pool,
        norm_layer=partial(torch.nn.LayerNorm, eps=config["layer_norm_eps"]))
    # The timm of 2021 applied only the head to these features.
    forward = type(model).forward_features
    model.forward = lambda images: model.head(forward(model, images))
    return model


def sincos_tables(model):
    """Positions as Meta builds them. A model of transformers that is built from a configuration has zeros in the decoder."""
    from transformers.models.vit_mae.modeling_vit_mae import build_2d_sinusoidal_position_embedding as build

    tables = [model.vit.embeddings.position_embeddings, model.decoder.decoder_pos_embed]
    for table in tables:
        side, width = int((table.shape[1] - 1) ** 0.5), table.shape[2]
        values = build(side, side, width, cls_token=True)
        values = torch.cat([values[:, width // 2:], values[:, :width // 2]], 1)
        table.data.copy_(values.unsqueeze(0))
    return model


def make(folder, meta):
    import tempfile

    import timm
    import transformers as hf

    generator = torch.Generator().manual_seed(1)
    folder.mkdir(parents=True, exist_ok=True)
    sizes = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=40, image_size=16,
                 patch_size=4, hidden_dropout_prob=0.0)
    decoder = dict(decoder_hidden_size=12, decoder_num_hidden_layers=1, decoder_num_attention_heads=3,
                   decoder_intermediate_size=20)
    config = dict(image_size=16, patch_size=4, in_channels=3, embed_dim=16, depth=2, num_heads=2, decoder_embed_dim=12,
                  decoder_depth=1, decoder_num_heads=3, mlp_ratio=2, layer_norm_eps=1e-6)

    def save(name, model, kind, mean_std, tensors=None, texts=None):
        mean, std = mean_std
        images = torch.rand(2, len(mean), 16, 16, generator=generator)
        noise = torch.rand(2, 16, generator=generator)
        out = outputs(model, kind, normalized(images, mean, std), noise)
        if tensors is None:
            with tempfile.TemporaryDirectory() as saved:
                if hasattr(model, "save_pretrained"):
                    model.save_pretrained(saved)
                else:
                    timm.models.save_for_hf(model, saved, safe_serialization=True,
                                            data_config={"mean": mean, "std": std})
                tensors = load_file(f"{saved}/model.safetensors")
                texts = {"config": Path(saved, "config.json").read_text(), **(texts or {})}
        file = {f"model.{key}": value for key, value in tensors.items()}
        file |= {"images": images, "noise": noise} | {f"out.{key}": value for key, value in out.items()}
        save_file({key: value.contiguous() for key, value in file.items()}, folder / f"{name}.safetensors", texts)

    def processor(mean, std):
        return {"preprocessor": json.dumps({"do_normalize": True, "image_mean": mean, "image_std": std})}

    mae = randomize(sincos_tables(hf.ViTMAEForPreTraining(hf.ViTMAEConfig(**sizes, **decoder, mask_ratio=0.5))), 1)
    save("hf_mae", mae, "mae", IMAGENET, texts=processor(*IMAGENET))
    save("hf_mae_in_memory", mae, "mae", HALF, dict(mae.state_dict()),
         {"config": json.dumps(mae.config.to_dict()), **processor(*HALF)})
    save("hf_mae_model", mae.vit, "encoder_hf", IMAGENET, texts=processor(*IMAGENET))
    stored = hf.ViTMAEForPreTraining(hf.ViTMAEConfig(**sizes, **decoder, mask_ratio=0.5, qkv_bias=False, num_channels=1))
    for table in (stored.vit.embeddings.position_embeddings, stored.decoder.decoder_pos_embed):
        table.requires_grad = True
    save("hf_mae_stored_positions", randomize(stored, 2), "mae", ([0.5], [0.25]), texts=processor([0.5], [0.25]))
    labels = {i: f"class {i}" for i in range(3)}
    classifier = hf.ViTForImageClassification(hf.ViTConfig(**sizes, id2label=labels, layer_norm_eps=1e-6))
    save("hf_vit_classifier", randomize(classifier, 3), "classifier", HALF)
    save("hf_vit_model", randomize(hf.ViTModel(hf.ViTConfig(**sizes, layer_norm_eps=1e-6)), 4), "encoder_hf", HALF)

    def timm_model(name, seed, kind, **kwargs):
        args = dict(img_size=16, patch_size=4, embed_dim=16, depth=2, num_heads=2, mlp_ratio=2.5)
        model = randomize(timm.create_model("vit_base_patch16_224", **args, **kwargs), seed)
        save(name, model, kind, HALF)

    timm_model("timm_token", 5, "classifier", num_classes=3)
    timm_model("timm_avg_fc_norm", 6, "classifier", num_classes=3, global_pool="avg")
    timm_model("timm_no_class_token", 7, "classifier", num_classes=3, global_pool="avg", fc_norm=False, class_token=False)
    timm_model("timm_no_embed_class", 8, "encoder_timm", num_classes=0, no_embed_class=True)
    if meta is None:
        return
    model = randomize(meta_mae(meta, config), 9)
    save("meta_mae", model, "mae_meta", IMAGENET, dict(model.state_dict()),
         {"config": json.dumps({"num_heads": 2, "decoder_num_heads": 3})})
    model = randomize(meta_vit(meta, config, 3, True), 10)
    save("meta_finetuned", model, "classifier", IMAGENET,
         dict(model.state_dict()), {"config": json.dumps({"num_heads": 2})})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mae", help="clone of facebookresearch/mae")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    make(arguments.folder, import_meta(arguments.mae) if arguments.mae else None)
