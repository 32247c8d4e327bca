/**
 * Deno's adapters: which there is, whether it is hardware, and the device on it.
 *
 * @module
 */
import { BackendError } from "../backend.ts";

/** Names of processors that play a GPU. */
const SOFTWARE = /llvmpipe|lavapipe|softpipe|swiftshader|swrast|software|basic render|\bwarp\b|\bcpu\b/i;

/** What an adapter says of itself; Deno tells of fallbacks here, older WebGPU on the adapter. */
export type AdapterInfo = Pick<GPUAdapterInfo, "vendor" | "architecture" | "device" | "description"> & {
  readonly isFallbackAdapter?: boolean;
};

/** Its name for people. */
export function adapterName({ vendor, architecture, description }: AdapterInfo): string {
  return [description, architecture, vendor].find((text) => text) ?? "an adapter without a name";
}

/** Whether a processor plays the GPU. */
export function isSoftware(info: AdapterInfo): boolean {
  return info.isFallbackAdapter === true ||
    SOFTWARE.test([info.vendor, info.architecture, info.device, info.description].join(" "));
}

/** Limits that are asked for as high as the adapter has them: models are larger than the defaults. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
] as const;

/** A device and what plays it. */
export interface OpenDevice {
  readonly device: GPUDevice;
  readonly info: GPUAdapterInfo;
  /** Why it is no hardware, or null. */
  readonly software: string | null;
}

/**
 * A device on the fastest adapter.
 *
 * @param gpuOnly refuses software adapters
 * @throws {BackendError} when there is none
 */
export async function openDevice(gpuOnly: boolean): Promise<OpenDevice> {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) {
    throw new BackendError("there is no WebGPU adapter (it needs a Vulkan, Metal or DX12 driver)");
  }
  const { info } = adapter, name = adapterName(info);
  const software = isSoftware(info) ? `its only adapter is software (${name}): name webgpu to use it` : null;
  if (gpuOnly && software) throw new BackendError(software);
  try {
    const requiredLimits = Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]]));
    return { device: await adapter.requestDevice({ requiredLimits }), info, software };
  } catch (error) {
    throw new BackendError(`${name} gave no device: ${(error as Error).message}`);
  }
}
