/**
 * Recognises the format of weights by their tensor names, and plans their import.
 *
 * @module
 */
import { WeightsError } from "../checkWeights.ts";
import type { ImportPlan, ImportRequest } from "./format.ts";
import { HUGGING_FACE_MARKER } from "./huggingFaceNames.ts";
import { importHuggingFace } from "./importHuggingFace.ts";
import { importMeta } from "./importMeta.ts";
import { importUnmask, UNMASK_MARKER } from "./importUnmask.ts";
import { META_MARKER } from "./metaNames.ts";
import { commonPrefix, rename, type TensorSet, tensorSet } from "./tensorSet.ts";
import { unknownNames } from "./unknownNames.ts";

/** Maximum number of prefixes of wrappers, such as `module._orig_mod.`. */
const MAX_PREFIXES = 8;

/** Modules that PyTorch inserts into names, for compiled, checkpointed and sharded modules. */
const WRAPPERS = /(^|\.)(?:(?:_orig_mod|_checkpoint_wrapped_module|_fsdp_wrapped_module)\.)+/g;

/** The imports, each with the name of a tensor that every file of the format has. */
const IMPORTS: readonly {
  readonly marker: RegExp;
  readonly plan: (request: ImportRequest, tensors: TensorSet) => Promise<ImportPlan>;
}[] = [
  { marker: UNMASK_MARKER, plan: importUnmask },
  { marker: HUGGING_FACE_MARKER, plan: importHuggingFace },
  { marker: META_MARKER, plan: importMeta },
];

/**
 * Plans the import of weights: recognises their format, converts their configuration to ours, and finds for each tensor
 * of ours the stored tensors that it is made of. Reads the position tables and no other tensor.
 *
 * @throws {WeightsError} when the files are not a model that we support. The message names the tensors or the field, and
 * what would be right
 *
 * @example
 * ```ts
 * import { planImport } from "./planImport.ts";
 *
 * const table = { dtype: "F32", shape: [1, 197, 768] };
 * const plan = await planImport({
 *   tensors: new Map([["vit.embeddings.position_embeddings", table]]),
 *   config: { model_type: "vit_mae" },
 *   metadata: {},
 *   read: () => Promise.resolve({ shape: table.shape, data: new Float32Array(197 * 768) }),
 * }).catch((error) => console.log(error.message)); // the tensors are not those of a model
 * ```
 */
export async function planImport(request: ImportRequest): Promise<ImportPlan> {
  if (request.tensors.size === 0) throw new WeightsError("The file has no tensors");
  let tensors = rename(tensorSet(request.tensors), (name) => name.replaceAll(WRAPPERS, "$1"));
  for (let prefixes = 0; prefixes <= MAX_PREFIXES; prefixes++) {
    const names = [...tensors.keys()];
    const found = IMPORTS.find(({ marker }) => names.some((name) => marker.test(name)));
    if (found) return await found.plan(request, tensors);
    const prefix = commonPrefix(tensors);
    if (prefix === null) break;
    tensors = rename(tensors, (name) => name.slice(prefix.length));
  }
  const markers = IMPORTS.map(({ marker }) => marker);
  throw new WeightsError(
    "The tensor names are not those of a Vision Transformer in a supported format, which are our own (the tutorial's), " +
      `Hugging Face's ViTMAE and ViT, Meta's MAE and timm's ViT. ` +
      unknownNames([...request.tensors.keys()], request.config, markers),
  );
}
