/**
 * Detects files of weights in other formats than safetensors. The errors have instructions to convert them.
 *
 * @module
 */
import { SafetensorsError } from "./error.ts";

/** Number of bytes of a file that {@linkcode refuseOtherFormats} needs. */
export const HEAD_BYTES = 512;

/** Bytes at an offset that files of a format have. */
type Signature = readonly [offset: number, ...bytes: number[]];

const ascii = (text: string) => [...text].map((character) => character.charCodeAt(0));

const CONVERT_THERE = "convert it to safetensors with the library that wrote it";

/** Formats that are recognised, each with the end of the message: what the file is, and what to send instead. */
const FORMATS: readonly (readonly [signature: Signature, reason: string])[] = [
  [[0, ...ascii("GGUF")], `is a GGUF file of llama.cpp: ${CONVERT_THERE}`],
  [[0, 0x89, ...ascii("HDF\r\n")], `is an HDF5 file (.h5 of Keras): ${CONVERT_THERE}`],
  [[0, 0x93, ...ascii("NUMPY")], "is a NumPy array: save named arrays with safetensors.numpy.save_file"],
  [[4, ...ascii("TFL3")], `is a TensorFlow Lite model: ${CONVERT_THERE}`],
  [[0, 0x1f, 0x8b], "is a gzip file: unpack it, and send model.safetensors"],
  [[0, ...ascii("BZh")], "is a bzip2 file: unpack it, and send model.safetensors"],
  [[0, 0xfd, ...ascii("7zXZ")], "is an xz file: unpack it, and send model.safetensors"],
  [[0, 0x28, 0xb5, 0x2f, 0xfd], "is a Zstandard file: unpack it, and send model.safetensors"],
  [[257, ...ascii("ustar")], "is a tar archive: unpack it, and send model.safetensors"],
  [
    [0, ...ascii("version https://git-lfs")],
    "is a pointer of Git LFS, not the weights: fetch them with `git lfs pull`",
  ],
  [[0, ...ascii("<")], "is a web page, not the weights: check the address of the download"],
  [[0, ...ascii("{")], "is JSON, not the weights: send it as config or index"],
];

/** What to do with a pickle, with the Python that converts it. Checkpoints of
 * facebookresearch/mae have their weights under `model`, those of timm and Lightning under `state_dict`. */
export const CONVERT_PICKLE = [
  "Reading one can run code, so convert it where you trust it, in Python:",
  "import torch; from safetensors.torch import save_file",
  'state = torch.load("weights.pth", map_location="cpu", weights_only=True)',
  'state = state.get("model", state.get("state_dict", state)); ' +
  'save_file({k: v.contiguous().clone() for k, v in state.items()}, "model.safetensors")',
].join("\n");

/**
 * Refuses a file that is empty or in another format.
 *
 * @param name of the file, for the message
 * @param head its first {@linkcode HEAD_BYTES} bytes, or all if it has fewer
 * @throws {SafetensorsError} with the format and what to send instead
 */
export function refuseOtherFormats(name: string, head: Uint8Array): void {
  const refuse = (reason: string): never => {
    throw new SafetensorsError(`The file '${name}' ${reason}`);
  };
  if (head.length === 0) refuse("is empty");
  // A safetensors file has the length of its header first, which can look like the signature of another format.
  if (head[8] === 0x7b) return;
  const entry = firstZipEntry(head);
  if (isPickle(head) || (entry !== null && /\.pkl$|(^|\/)(data\/|version$|byteorder$)/.test(entry))) {
    refuse(`is a pickle (.pth, .pt or .bin of PyTorch). ${CONVERT_PICKLE}`);
  }
  if (entry?.endsWith(".npy")) {
    refuse("is a NumPy archive (.npz): save its arrays with safetensors.numpy.save_file");
  }
  if (entry !== null) refuse("is a zip archive: unpack it, and send model.safetensors and config.json");
  const format = FORMATS.find(([[offset, ...bytes]]) => bytes.every((byte, i) => head[offset + i] === byte));
  if (format !== undefined) refuse(format[1]);
  if (/\.onnx$/i.test(name)) refuse(`is an ONNX model: ${CONVERT_THERE}`);
}

/** Returns the name of the first entry of a zip archive; null for another file. */
function firstZipEntry(head: Uint8Array): string | null {
  if (!ascii("PK\x03\x04").every((byte, i) => head[i] === byte) || head.length < 30) return null;
  const length = head[26] + 256 * head[27];
  return new TextDecoder("latin1").decode(head.subarray(30, 30 + length));
}

/** Whether a file begins like a pickle of protocol 2 to 5. */
function isPickle(head: Uint8Array): boolean {
  return head[0] === 0x80 && head[1] >= 2 && head[1] <= 5;
}
