/**
 * Our own kernels on the tensors of TensorFlow.js's WebAssembly backend: they work in its memory, so that nothing is
 * copied on the way in or out.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { LAYER_NORM_EPS } from "../../ops/layer_norm.ts";
import { PLAIN, RELAXED } from "./binary.ts";

/** What the kernels' module exports; addresses in bytes, sizes in values (see `source.ts`). */
interface Kernels {
  pack(n: number, k: number, b: number, bRow: number, bColumn: number, out: number): void;
  product(m: number, n: number, k: number, a: number, packed: number, c: number, bias: number): void;
  transposedProduct(m: number, n: number, k: number, a: number, b: number, c: number): void;
  sumRows(m: number, n: number, a: number, out: number): void;
  takeRows(count: number, n: number, x: number, indices: number, out: number): void;
  gelu(n: number, x: number, out: number, derivative: number): void;
  layerNorm(m: number, n: number, ...addressesAndEps: number[]): void;
  layerNormGradient(m: number, n: number, ...addresses: number[]): void;
  attention(
    ...numbers: [batch: number, tokens: number, heads: number, size: number, ...addresses: number[]]
  ): void;
  attentionGradient(
    ...numbers: [batch: number, tokens: number, heads: number, size: number, ...addresses: number[]]
  ): void;
}

/** What is used of TensorFlow.js's WebAssembly backend beside its tensors. */
interface WasmBackend {
  readonly wasm: {
    readonly asm: { readonly memory: WebAssembly.Memory };
    _malloc(bytes: number): number;
    _free(at: number): void;
  };
  readonly dataIdMap: { get(id: object): { readonly memoryOffset: number } };
  incRef(id: object): void;
  makeOutput(shape: number[], dtype: "float32"): tf.TensorInfo;
}

/** A kernel's inputs by name. */
type Inputs = Readonly<Record<string, tf.TensorInfo>>;

/** Names of the kernels in TensorFlow.js's registry. */
export const LINEAR = "UnmaskLinear", LINEAR_DX = "UnmaskLinearDx", LINEAR_DW = "UnmaskLinearDw";
/** Names of the kernels that go value by value or row by row. */
export const GELU = "UnmaskGelu", LAYER_NORM = "UnmaskLayerNorm", LAYER_NORM_DX = "UnmaskLayerNormDx";
/** Name of the kernel that picks rows. */
export const TAKE_ROWS = "UnmaskTakeRows";
/** Names of the attention kernels. */
export const ATTENTION = "UnmaskAttention", ATTENTION_DX = "UnmaskAttentionDx";

let kernels: Kernels | null = null;
let backend: WasmBackend;
let scratch = { at: 0, bytes: 0 };

/** Memory that lasts until the next call. */
function scratchOf(bytes: number): number {
  if (bytes > scratch.bytes) {
    if (scratch.bytes > 0) backend.wasm._free(scratch.at);
    const at = backend.wasm._malloc(bytes);
    if (at === 0) throw new WebAssembly.RuntimeError(`No ${bytes} bytes are left for a packed matrix`);
    scratch = { at, bytes };
  }
  return scratch.at;
}

const addressOf = (tensor: tf.TensorInfo) => backend.dataIdMap.get(tensor.dataId).memoryOffset;

/** x `[rows, in]`, weight `[out, in]`, bias `[out]` → `[rows, out]`. */
function linear({ x, weight, bias }: Inputs): tf.TensorInfo {
  const [rows, inDim] = x.shape, [outDim] = weight.shape;
  const out = backend.makeOutput([rows, outDim], "float32");
  const packed = scratchOf(4 * inDim * outDim);
  kernels!.pack(outDim, inDim, addressOf(weight), 4, 4 * inDim, packed);
  kernels!.product(rows, outDim, inDim, addressOf(x), packed, addressOf(out), addressOf(bias));
  return out;
}

/** dy `[rows, out]`, weight `[out, in]` → `[rows, in]`. */
function linearDx({ dy, weight }: Inputs): tf.TensorInfo {
  const [rows, outDim] = dy.shape, [, inDim] = weight.shape;
  const out = backend.makeOutput([rows, inDim], "float32");
  const packed = scratchOf(4 * inDim * outDim);
  kernels!.pack(inDim, outDim, addressOf(weight), 4 * inDim, 4, packed);
  kernels!.product(rows, inDim, outDim, addressOf(dy), packed, addressOf(out), 0);
  return out;
}

/** dy `[rows, out]`, x `[rows, in]` → weight's gradient `[out, in]`, bias's `[out]`. */
function linearDw({ dy, x }: Inputs): tf.TensorInfo[] {
  const [rows, outDim] = dy.shape, [, inDim] = x.shape;
  const weight = backend.makeOutput([outDim, inDim], "float32"),
    bias = backend.makeOutput([outDim], "float32");
  kernels!.transposedProduct(rows, outDim, inDim, addressOf(dy), addressOf(x), addressOf(weight));
  kernels!.sumRows(rows, outDim, addressOf(dy), addressOf(bias));
  return [weight, bias];
}

/** x `[rows, dim]`, indices `[count]` (int32) → `[count, dim]`. */
function takeRows({ x, indices }: Inputs): tf.TensorInfo {
  const [count] = indices.shape, [, dim] = x.shape;
  const out = backend.makeOutput([count, dim], "float32");
  kernels!.takeRows(count, dim, addressOf(x), addressOf(indices), addressOf(out));
  return out;
}

/** A second name for the same values: tensors never change, so that TensorFlow.js's copy is not needed. */
function identity({ x }: Inputs): tf.TensorInfo {
  backend.incRef(x.dataId);
  return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
}

/** x of any shape → GELU and its derivative. */
function gelu({ x }: Inputs): tf.TensorInfo[] {
  const out = backend.makeOutput(x.shape, "float32"), derivative = backend.makeOutput(x.shape, "float32");
  const size = x.shape.reduce((product, length) => product * length, 1);
  kernels!.gelu(size, addressOf(x), addressOf(out), addressOf(derivative));
  return [out, derivative];
}

/** x `[rows, dim]`, weight and bias `[dim]` → output and normed `[rows, dim]`, scale `[rows]`. */
function layerNorm({ x, weight, bias }: Inputs): tf.TensorInfo[] {
  const [rows, dim] = x.shape;
  const out = backend.makeOutput([rows, dim], "float32"), normed = backend.makeOutput([rows, dim], "float32");
  const scale = backend.makeOutput([rows], "float32");
  kernels!.layerNorm(rows, dim, ...[x, weight, bias, out, normed, scale].map(addressOf), LAYER_NORM_EPS);
  return [out, normed, scale];
}

/** dy `[rows, dim]` and what the forward pass kept → gradients of x, weight and bias. */
function layerNormDx({ dy, normed, scale, weight }: Inputs): tf.TensorInfo[] {
  const [rows, dim] = dy.shape;
  const dx = backend.makeOutput([rows, dim], "float32");
  const dWeight = backend.makeOutput([dim], "float32"), dBias = backend.makeOutput([dim], "float32");
  kernels!.layerNormGradient(rows, dim, ...[dy, normed, scale, weight, dx, dWeight, dBias].map(addressOf));
  return [dx, dWeight, dBias];
}

const padded = (tokens: number) => Math.ceil(tokens / 8) * 8;

/** qkv `[batch, tokens, 3 · dim]` → `[batch, tokens, dim]`, and weights `[batch · heads, tokens, padded]`. */
function attention({ qkv }: Inputs, heads: number): tf.TensorInfo[] {
  const [batch, tokens, tripled] = qkv.shape;
  const dim = tripled / 3, size = dim / heads, width = padded(tokens);
  const out = backend.makeOutput([batch, tokens, dim], "float32");
  const weights = backend.makeOutput([batch * heads, tokens, width], "float32");
  const addresses = [addressOf(qkv), addressOf(weights), addressOf(out), scratchOf(4 * width * size)];
  kernels!.attention(batch, tokens, heads, size, ...addresses, 1 / Math.sqrt(size));
  return [out, weights];
}

/** dy `[batch, tokens, dim]`, qkv and weights of the forward pass → qkv's gradient. */
function attentionDx({ dy, qkv, weights }: Inputs, heads: number): tf.TensorInfo {
  const [batch, tokens, tripled] = qkv.shape;
  const size = tripled / 3 / heads, width = padded(tokens);
  const out = backend.makeOutput([batch, tokens, tripled], "float32");
  const scratch = scratchOf(4 * width * (size + tokens));
  const addresses = [addressOf(qkv), addressOf(weights), addressOf(dy), addressOf(out), scratch];
  kernels!.attentionGradient(batch, tokens, heads, size, ...addresses, 1 / Math.sqrt(size));
  return out;
}

/**
 * Puts the kernels into the WebAssembly backend, which must be the one in use.
 *
 * @returns how products are summed: `relaxed` (fused multiply-add) or `plain`
 * @throws {WebAssembly.LinkError} when the backend's memory cannot be shared
 */
export function installKernels(): "relaxed" | "plain" {
  backend = tf.backend() as unknown as WasmBackend;
  const relaxed = Uint8Array.fromBase64(RELAXED);
  const isRelaxed = WebAssembly.validate(relaxed);
  const module = new WebAssembly.Module(isRelaxed ? relaxed : Uint8Array.fromBase64(PLAIN));
  const { exports } = new WebAssembly.Instance(module, { env: { memory: backend.wasm.asm.memory } });
  if (kernels === null) {
    type Compute = (inputs: Inputs, heads: number) => tf.TensorInfo | tf.TensorInfo[];
    const all: [string, Compute][] = [
      [LINEAR, linear],
      [LINEAR_DX, linearDx],
      [LINEAR_DW, linearDw],
      [TAKE_ROWS, takeRows],
      [GELU, gelu],
      [LAYER_NORM, layerNorm],
      [LAYER_NORM_DX, layerNormDx],
      [ATTENTION, attention],
      [ATTENTION_DX, attentionDx],
    ];
    tf.unregisterKernel("Identity", "wasm");
    all.push(["Identity", identity]);
    for (const [kernelName, compute] of all) {
      tf.registerKernel({
        kernelName,
        backendName: "wasm",
        kernelFunc: ({ inputs, attrs }) => compute(inputs as unknown as Inputs, Number(attrs?.heads)),
      });
    }
  }
  kernels = exports as unknown as Kernels;
  scratch = { at: 0, bytes: 0 };
  return isRelaxed ? "relaxed" : "plain";
}
