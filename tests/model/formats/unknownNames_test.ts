import { expect } from "expect";
import { planImport } from "../../../model/formats/planImport.ts";
import { fileIn, renamed, requestOf, SMALL, type WeightsFile } from "./files.ts";

const encoder = fileIn("meta", { model: "encoder" }, SMALL);

/** Returns a file with the names of another library. */
const named = (newName: (name: string) => string, config: WeightsFile["config"] = null): WeightsFile => ({
  ...renamed(encoder, newName),
  config,
});

/** Returns a file with one more tensor. */
const withHead = (file: WeightsFile): WeightsFile => ({
  ...file,
  weights: new Map([...file.weights, ["head.last.weight", { shape: [1], data: new Float32Array(1) }]]),
});

const FILES: readonly (readonly [title: string, file: WeightsFile, message: RegExp])[] = [
  [
    "a teacher of DINO beside its head",
    withHead(named((name) => `teacher.backbone.${name}`)),
    /Only 'teacher\.backbone\.\*' are the tensors of a Vision Transformer: remove all others\. The file has '/,
  ],
  [
    "mmpretrain",
    named((name) =>
      `backbone.${name.replace("blocks.", "layers.").replace("norm", "ln").replace("proj", "projection")}`
    ),
    /names of mmpretrain: rename them to those of timm/,
  ],
  [
    "vit-pytorch",
    named((name) => `to_patch_embedding.${name.replaceAll("proj", "1")}`),
    /vit-pytorch or torchvision/,
  ],
  [
    "open_clip",
    named((name) => `visual.transformer.resblocks.${name.replaceAll("proj", "ln")}`),
    /open_clip/,
  ],
  [
    "another model of transformers",
    withHead(named((name) => `deit.${name}`, { model_type: "deit" })),
    /timm's ViT\. The file has .* and config\.json has model_type "deit"$/,
  ],
];

for (const [title, file, message] of FILES) {
  Deno.test(`names of ${title} are refused with their library, or the prefix to keep`, async () => {
    await expect(planImport(requestOf(file))).rejects.toThrow(message);
  });
}
