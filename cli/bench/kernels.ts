/**
 * The matrix products of a model, each at its shapes, against the measured peak of a core.
 *
 * @module
 */
import { instantiate, kernelModule } from "../../model/backends/simd/instance.ts";
import { PACK_MIN_WIDTH, PACK_SIZE, TILE_SIZE } from "../../model/backends/simd/assembly/blockSizes.ts";
import { hiddenDim, type MaeConfig, numKeep, numPatches, patchDim } from "../../model/config.ts";
import { Addresses } from "./addresses.ts";

/** A product's speed: forward, for the input's gradient, for the weight's. */
export interface ProductSpeed {
  readonly name: string;
  readonly rows: number;
  readonly inDim: number;
  readonly outDim: number;
  readonly gflops: { readonly forward: number; readonly dx: number; readonly dw: number };
}

/** Times every linear layer of a configuration at so many images. */
export function productSpeeds(config: MaeConfig, images: number): ProductSpeed[] {
  const n = numPatches(config), keep = numKeep(n, config.maskRatio);
  const block = (name: string, tokens: number, dim: number) => {
    const hidden = hiddenDim(dim, config.mlpRatio);
    return [[`${name} qkv`, tokens, dim, 3 * dim], [`${name} out`, tokens, dim, dim], [
      `${name} mlp.0`,
      tokens,
      dim,
      hidden,
    ], [`${name} mlp.3`, tokens, hidden, dim]] as const;
  };
  const layers = [
    ["embed", keep, patchDim(config), config.embedDim],
    ...block("encoder", keep, config.embedDim),
    ["decoder_embed", keep, config.embedDim, config.decoderEmbedDim],
    ...block("decoder", n, config.decoderEmbedDim),
    ["pred", n, config.decoderEmbedDim, patchDim(config)],
  ] as const;
  return layers.map(([name, tokens, inDim, outDim]) => {
    const rows = tokens * images;
    return { name, rows, inDim, outDim, gflops: speeds(rows, inDim, outDim) };
  });
}

function speeds(rows: number, inDim: number, outDim: number): ProductSpeed["gflops"] {
  const addresses = new Addresses(), take = (values: number) => addresses.take(values);
  const x = take(rows * inDim), y = take(rows * outDim), w = take(inDim * outDim), edge = take(TILE_SIZE);
  const bias = take(outDim);
  const scratch = Math.max(inDim, outDim) < PACK_MIN_WIDTH ? 0 : take(PACK_SIZE);
  const memory = addresses.memory(false);
  const k = instantiate(kernelModule(false).module, memory);
  new Float32Array(memory.buffer).fill(0.01);
  const gflops = (call: () => void) => {
    const flops = 2 * rows * inDim * outDim,
      turns = Math.max(1, Math.ceil(2e7 / flops)),
      times: number[] = [];
    for (let i = 0; i < 12; i++) {
      const start = performance.now();
      for (let turn = 0; turn < turns; turn++) call();
      times.push((performance.now() - start) / turns);
    }
    return flops / times.toSorted((a, b) => a - b)[5] / 1e6;
  };
  const forward = gflops(() => k.gemm(rows, outDim, inDim, x, w, 4, 4 * inDim, y, bias, 0, edge));
  const dx = gflops(() => k.gemm(rows, inDim, outDim, y, w, 4 * inDim, 4, x, 0, 0, edge));
  const dw = gflops(() => k.gemmTransA(outDim, inDim, rows, y, x, w, edge, scratch, 0));
  return { forward, dx, dw };
}
