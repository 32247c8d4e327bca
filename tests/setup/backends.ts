/**
 * The backends that work on this machine.
 *
 * @module
 */
import { BACKEND_NAMES, type BackendName } from "../../model/backends/list.ts";
import type { SelectOptions } from "../../model/backends/select.ts";
import { findTensorflow } from "./tensorflow.ts";
import { findVulkan } from "./vulkan.ts";

/** A backend with the options that `selectBackend` needs for it. */
export interface AvailableBackend {
  readonly name: BackendName;
  readonly options: SelectOptions;
}

/** Finds what a backend needs: returns its options, or null. Other backends need nothing. */
const FINDERS: Partial<Record<BackendName, () => Promise<SelectOptions | null>>> = {
  tensorflow: findTensorflow,
  webgpu: async () => await findVulkan() ? {} : null,
};

/** Returns the name of a backend for the name of a test, with the width of its vectors if that is an option. */
export function titleOf(name: string, { vectorBits }: SelectOptions = {}): string {
  return vectorBits ? `${name} with vectors of ${vectorBits} bits` : name;
}

/**
 * Returns every backend that works on this machine, `simd` with both widths of vectors. A missing one is reported.
 */
export async function availableBackends(): Promise<AvailableBackend[]> {
  const available: AvailableBackend[] = [];
  for (const name of BACKEND_NAMES) {
    const find = FINDERS[name], options = find ? await find() : {};
    if (options) available.push({ name, options });
    if (name === "simd") available.push({ name, options: { vectorBits: 256 } });
  }
  return available;
}
