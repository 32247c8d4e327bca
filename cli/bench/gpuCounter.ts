/**
 * Counts the dispatches, bytes and copies of WebGPU, by replacing methods of its classes.
 *
 * @module
 */

/** What was counted. */
export interface GpuCounts {
  /** Number of dispatches by program. */
  readonly dispatches: ReadonlyMap<string, number>;
  /** Bytes of the buffers that the dispatches read and write: each buffer counts once for each dispatch. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Number of copies from the host to the device, and their bytes. */
  readonly uploads: number;
  readonly bytesUploaded: number;
  /** Number of copies between buffers of the device, and their bytes. */
  readonly copies: number;
  readonly bytesCopied: number;
  /** Number of times that the host reads a buffer. */
  readonly readBacks: number;
  readonly submits: number;
}

// deno-lint-ignore no-explicit-any -- the methods have different types
type Method = (...args: any[]) => any;

/** Bindings of a layout that are written, bytes of bind groups, and names of pipelines. */
const written = new WeakMap<object, Set<number>>(), bytes = new WeakMap<object, BoundBytes>();
const names = new WeakMap<object, string>();

/** Bytes of a bind group, by access. */
interface BoundBytes {
  readonly read: number;
  readonly written: number;
}

/**
 * Counts until `stop` is called. The programs must be compiled, and buffers bound, while some counter runs.
 *
 * @param compute whether dispatches are executed. If they are not, results are undefined, and large models need no time.
 */
export function countGpu(compute: boolean): { stop(): GpuCounts } {
  const restores: (() => void)[] = [];
  // deno-lint-ignore no-explicit-any -- the prototypes have different types
  const replace = (prototype: any, name: string, wrap: (original: Method) => Method) => {
    const original = prototype[name] as Method;
    prototype[name] = wrap(original);
    restores.push(() => prototype[name] = original);
  };
  const dispatches = new Map<string, number>();
  const count = { bytesRead: 0, bytesWritten: 0, uploads: 0, bytesUploaded: 0 };
  const more = { copies: 0, bytesCopied: 0, readBacks: 0, submits: 0 };
  let pipeline = "", bound: BoundBytes = { read: 0, written: 0 };

  replace(
    GPUDevice.prototype,
    "createBindGroupLayout",
    (original) =>
      function (this: unknown, descriptor: GPUBindGroupLayoutDescriptor) {
        const layout = original.call(this, descriptor);
        const storage = [...descriptor.entries].filter(({ buffer }) => buffer?.type === "storage");
        written.set(layout, new Set(storage.map(({ binding }) => binding)));
        return layout;
      },
  );
  replace(
    GPUDevice.prototype,
    "createBindGroup",
    (original) =>
      function (this: unknown, descriptor: GPUBindGroupDescriptor) {
        const group = original.call(this, descriptor);
        // TensorFlow.js's programs have automatic layouts and write to the first binding.
        const outputs = written.get(descriptor.layout) ?? new Set([0]);
        const seen = new Set<string>(), sum = { read: 0, written: 0 };
        for (const { binding, resource } of descriptor.entries) {
          const { buffer, offset = 0, size = buffer.size } = resource as GPUBufferBinding;
          if (buffer.usage & GPUBufferUsage.UNIFORM) continue;
          const key = `${identity(buffer)} ${offset}`;
          if (!seen.has(key)) sum[outputs.has(binding) ? "written" : "read"] += size;
          seen.add(key);
        }
        bytes.set(group, sum);
        return group;
      },
  );
  for (const create of ["createComputePipeline", "createComputePipelineAsync"]) {
    replace(
      GPUDevice.prototype,
      create,
      (original) =>
        function (this: unknown, descriptor: GPUComputePipelineDescriptor) {
          const created = original.call(this, descriptor), name = descriptor.label ?? "";
          if (created instanceof Promise) return created.then((ready) => (names.set(ready, name), ready));
          names.set(created, name);
          return created;
        },
    );
  }
  replace(
    GPUComputePassEncoder.prototype,
    "setPipeline",
    (original) =>
      function (this: unknown, set: GPUComputePipeline) {
        pipeline = names.get(set) ?? set.label;
        return original.call(this, set);
      },
  );
  replace(
    GPUComputePassEncoder.prototype,
    "setBindGroup",
    (original) =>
      function (this: unknown, index: number, group: GPUBindGroup) {
        bound = bytes.get(group) ?? bound;
        return original.call(this, index, group);
      },
  );
  replace(
    GPUComputePassEncoder.prototype,
    "dispatchWorkgroups",
    (original) =>
      function (this: unknown, ...grid: number[]) {
        dispatches.set(pipeline, (dispatches.get(pipeline) ?? 0) + 1);
        count.bytesRead += bound.read;
        count.bytesWritten += bound.written;
        return compute ? original.apply(this, grid) : undefined;
      },
  );
  replace(
    GPUQueue.prototype,
    "writeBuffer",
    (original) =>
      function (this: unknown, buffer: GPUBuffer, offset: number, data: ArrayBuffer, ...rest: number[]) {
        count.uploads++;
        count.bytesUploaded += rest[1] ?? data.byteLength;
        return original.call(this, buffer, offset, data, ...rest);
      },
  );
  replace(
    GPUDevice.prototype,
    "createBuffer",
    (original) =>
      function (this: unknown, descriptor: GPUBufferDescriptor) {
        if (descriptor.mappedAtCreation) {
          count.uploads++;
          count.bytesUploaded += descriptor.size;
        }
        return original.call(this, descriptor);
      },
  );
  replace(
    GPUCommandEncoder.prototype,
    "copyBufferToBuffer",
    (original) =>
      function (
        this: unknown,
        from: GPUBuffer,
        fromOffset: number,
        to: GPUBuffer,
        toOffset: number,
        size: number,
      ) {
        more.copies++;
        more.bytesCopied += size;
        return original.call(this, from, fromOffset, to, toOffset, size);
      },
  );
  replace(GPUBuffer.prototype, "mapAsync", (original) =>
    function (this: unknown, ...args: number[]) {
      more.readBacks++;
      return original.apply(this, args);
    });
  replace(GPUQueue.prototype, "submit", (original) =>
    function (this: unknown, commands: GPUCommandBuffer[]) {
      more.submits++;
      return original.call(this, commands);
    });
  return {
    stop() {
      for (const restore of restores) restore();
      return { dispatches, ...count, ...more };
    },
  };
}

const identities = new WeakMap<object, number>();
let nextIdentity = 0;

/** Returns a number that identifies an object. */
function identity(object: object): number {
  const known = identities.get(object) ?? nextIdentity++;
  identities.set(object, known);
  return known;
}
