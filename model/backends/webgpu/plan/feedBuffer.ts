/**
 * The inputs of a step, which one copy brings to the device: the header, then the feeds.
 *
 * @module
 */
import type { Objective } from "../../../training/objective.ts";
import type { Allocate } from "../../../mae.ts";
import { writeFeeds } from "../../simd/plan/feeds.ts";
import type { Graph, Value } from "../../simd/plan/graph.ts";
import { HEADER, HEADER_SIZE } from "../kernels/update.ts";

/** Alignment of a binding in bytes: the largest value of `minStorageBufferOffsetAlignment`. */
const ALIGNMENT = 256;

/** Places of the feeds in bytes, after the header. */
interface FeedLayout {
  readonly offsets: ReadonlyMap<string, number>;
  /** Size of the header and of all feeds. */
  readonly bytes: number;
}

/** Lays out feeds. */
export function layOutFeeds(feeds: ReadonlyMap<string, Value>): FeedLayout {
  const offsets = new Map<string, number>();
  let bytes = 4 * HEADER_SIZE;
  for (const [name, { size }] of feeds) {
    offsets.set(name, bytes);
    bytes += Math.ceil(4 * size / ALIGNMENT) * ALIGNMENT;
  }
  return { offsets, bytes };
}

/** The inputs of a step on the host and on the device. */
export class FeedBuffer {
  readonly #device: GPUDevice;
  readonly #buffer: GPUBuffer;
  readonly #graph: Graph;
  readonly #offsets: ReadonlyMap<string, number>;
  readonly #host: ArrayBuffer;

  /** @param feeds those of the graph that the dispatches read */
  constructor(device: GPUDevice, graph: Graph, feeds: ReadonlyMap<string, Value>) {
    this.#device = device;
    this.#graph = graph;
    const { offsets, bytes } = layOutFeeds(feeds);
    this.#offsets = offsets;
    this.#host = new ArrayBuffer(bytes);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
    this.#buffer = device.createBuffer({ label: "feeds", size: bytes, usage });
  }

  /** The binding of the header. */
  get header(): GPUBufferBinding {
    return { buffer: this.#buffer, offset: 0, size: 4 * HEADER_SIZE };
  }

  /** Returns the binding of a feed. */
  binding(name: string): GPUBufferBinding {
    const { size } = this.#graph.feeds.get(name)!;
    return { buffer: this.#buffer, offset: this.#offsets.get(name)!, size: 4 * size };
  }

  /** Fills the feeds on the host. @param makeObjective computes them in the buffers that `allocate` returns */
  prepare(makeObjective: (allocate: Allocate) => Objective): void {
    writeFeeds(this.#host, 0, this.#graph, { feedOffsets: this.#offsets }, makeObjective);
  }

  /** Writes a feed on the host. The rest of its place keeps older values. */
  write(name: string, { buffer, byteOffset, byteLength }: Float32Array | Int32Array): void {
    const target = new Uint8Array(this.#host, this.#offsets.get(name)!, byteLength);
    target.set(new Uint8Array(buffer, byteOffset, byteLength));
  }

  /** Writes the header on the host. */
  setHeader(values: Readonly<Record<keyof typeof HEADER, number>>): void {
    const header = new Float32Array(this.#host, 0, HEADER_SIZE);
    for (const [name, index] of Object.entries(HEADER)) header[index] = values[name as keyof typeof HEADER];
  }

  /** Copies header and feeds to the device. */
  upload(): void {
    this.#device.queue.writeBuffer(this.#buffer, 0, this.#host);
  }

  /** Frees the memory. */
  destroy(): void {
    this.#buffer.destroy();
  }
}
