/**
 * Selects a WebGPU adapter and opens a device on it.
 *
 * @module
 */
import { BackendError } from "../backend.ts";

/** Names of software adapters. */
const SOFTWARE = /llvmpipe|lavapipe|softpipe|swiftshader|swrast|software|basic render|\bwarp\b|\bcpu\b/i;

/** Description of an adapter. Deno has `isFallbackAdapter` here, older versions of WebGPU on the adapter. */
export type AdapterInfo = Pick<GPUAdapterInfo, "vendor" | "architecture" | "device" | "description"> & {
  readonly isFallbackAdapter?: boolean;
};

/** Returns the name of an adapter, for messages. */
export function adapterName({ vendor, architecture, description }: AdapterInfo): string {
  return [description, architecture, vendor].find((text) => text) ?? "an unnamed adapter";
}

/** Returns whether an adapter computes on the CPU. */
export function isSoftware(info: AdapterInfo): boolean {
  return info.isFallbackAdapter === true ||
    SOFTWARE.test([info.vendor, info.architecture, info.device, info.description].join(" "));
}

/** Limits that are requested at the adapter's maximum, because models exceed the defaults. */
const RAISED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
] as const;

/** A device and its adapter. */
export interface OpenDevice {
  readonly device: GPUDevice;
  readonly info: GPUAdapterInfo;
  /** Why the adapter does not count as hardware, or null. */
  readonly software: string | null;
}

/**
 * Opens a device on the fastest adapter.
 *
 * @param gpuOnly refuses software adapters
 * @throws {BackendError} when there is no adapter, or it cannot open a device
 */
export async function openDevice(gpuOnly: boolean): Promise<OpenDevice> {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) {
    throw new BackendError("there is no WebGPU adapter (it needs a Vulkan, Metal or DX12 driver)");
  }
  const { info } = adapter, name = adapterName(info);
  const software = isSoftware(info)
    ? `its only adapter is software (${name}): select webgpu by name to use it`
    : null;
  if (gpuOnly && software) throw new BackendError(software);
  try {
    const requiredLimits = Object.fromEntries(RAISED_LIMITS.map((limit) => [limit, adapter.limits[limit]]));
    return { device: await adapter.requestDevice({ requiredLimits }), info, software };
  } catch (error) {
    throw new BackendError(`${name} opened no device: ${(error as Error).message}`);
  }
}
