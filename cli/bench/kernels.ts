/**
 * The speed of a model's matrix products at its shapes.
 *
 * @module
 */
import { PACK_MIN_WIDTH, PACK_SIZE, TILE_SIZE } from "../../model/backends/simd/assembly/blockSizes.ts";
import { instantiate, loadKernels } from "../../model/backends/simd/instance.ts";
import type { VectorBits } from "../../model/backends/simd/vectorFlags.ts";
import { hiddenDim, type MaeConfig, numKeep, numPatches, numTokens, patchDim } from "../../model/config.ts";
import { Addresses } from "./addresses.ts";
import { median } from "./engine.ts";

/** The speed of a linear layer: forward, for the gradient of the input, and for that of the weight. */
export interface ProductSpeed {
  readonly name: string;
  readonly rows: number;
  readonly inDim: number;
  readonly outDim: number;
  readonly gflops: { readonly forward: number; readonly dx: number; readonly dw: number };
}

/** Floating-point operations of a timed run; a fast product is repeated. */
const FLOPS_PER_RUN = 2e7;
/** Timed runs, and untimed ones before: V8 has to replace its first, unoptimised code. */
const RUNS = 20, WARMUP_RUNS = 10;

/** Times every linear layer of a configuration for a chunk of images. @param vectorBits width of the kernels' vectors */
export function productSpeeds(config: MaeConfig, images: number, vectorBits: VectorBits): ProductSpeed[] {
  const module = loadKernels({ vectorBits });
  const keep = numKeep(numPatches(config), config.maskRatio), n = numTokens(config);
  const visible = keep + Number(config.clsToken);
  const block = (name: string, tokens: number, dim: number) => {
    const hidden = hiddenDim(dim, config.mlpRatio);
    return [
      [`${name} qkv`, tokens, dim, 3 * dim],
      [`${name} out`, tokens, dim, dim],
      [`${name} mlp.0`, tokens, dim, hidden],
      [`${name} mlp.3`, tokens, hidden, dim],
    ] as const;
  };
  const layers = [
    ["embed", keep, patchDim(config), config.embedDim],
    ...block("encoder", visible, config.embedDim),
    ["decoder_embed", visible, config.embedDim, config.decoderEmbedDim],
    ...block("decoder", n, config.decoderEmbedDim),
    ["pred", n, config.decoderEmbedDim, patchDim(config)],
  ] as const;
  return layers.map(([name, tokens, inDim, outDim]) => {
    const rows = tokens * images;
    return { name, rows, inDim, outDim, gflops: speeds(module, rows, inDim, outDim) };
  });
}

function speeds(
  module: WebAssembly.Module,
  rows: number,
  inDim: number,
  outDim: number,
): ProductSpeed["gflops"] {
  const addresses = new Addresses(), reserve = (length: number) => addresses.reserve(length);
  const x = reserve(rows * inDim), y = reserve(rows * outDim), weight = reserve(inDim * outDim);
  const tile = reserve(TILE_SIZE), bias = reserve(outDim);
  const packed = Math.max(inDim, outDim) < PACK_MIN_WIDTH ? 0 : reserve(PACK_SIZE);
  const memory = addresses.memory();
  const { gemm, gemmTransA } = instantiate(module, memory);
  new Float32Array(memory.buffer).fill(0.01);
  const flops = 2 * rows * inDim * outDim, repetitions = Math.max(1, Math.ceil(FLOPS_PER_RUN / flops));
  const gflops = (call: () => void) => {
    const times: number[] = [];
    for (let run = 0; run < WARMUP_RUNS + RUNS; run++) {
      const start = performance.now();
      for (let i = 0; i < repetitions; i++) call();
      if (run >= WARMUP_RUNS) times.push((performance.now() - start) / repetitions);
    }
    return flops / median(times) / 1e6;
  };
  return {
    forward: gflops(() => gemm(rows, outDim, inDim, x, weight, 4, 4 * inDim, y, bias, 0, tile)),
    dx: gflops(() => gemm(rows, inDim, outDim, y, weight, 4 * inDim, 4, x, 0, 0, tile)),
    dw: gflops(() => gemmTransA(outDim, inDim, rows, y, x, weight, tile, packed, 0)),
  };
}
