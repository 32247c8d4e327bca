/**
 * Uploads the four files of MNIST to a service.
 *
 * @module
 */
import { join } from "node:path";
import type { Client } from "./client.ts";

/** File names by the field of the form. */
const FILES = {
  train_images: "train-images-idx3-ubyte.gz",
  train_labels: "train-labels-idx1-ubyte.gz",
  test_images: "t10k-images-idx3-ubyte.gz",
  test_labels: "t10k-labels-idx1-ubyte.gz",
};

/**
 * Uploads the files from a folder.
 *
 * @returns the id of the data set
 * @throws {Deno.errors.NotFound} when a file is missing
 * @throws {ApiError} when the service rejects the files
 */
export async function uploadMnist(client: Client, folder: string): Promise<string> {
  const form = new FormData();
  for (const [field, file] of Object.entries(FILES)) {
    form.set(field, new Blob([await Deno.readFile(join(folder, file))]), file);
  }
  return (await (await client.send("/v1/datasets", { method: "POST", body: form })).json()).id;
}
