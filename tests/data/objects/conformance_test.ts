import { join } from "node:path";
import { LocalStore } from "../../../data/objects/local/localStore.ts";
import { openStore } from "../../../data/objects/open.ts";
import { findVersitygw, startVersitygw, type Versitygw } from "../../setup/versitygw.ts";
import { conformance } from "./conformance.ts";

conformance("folder", false, async () => {
  const folder = await Deno.makeTempDir();
  return {
    store: new LocalStore(join(folder, "store")),
    leftovers: () => names(join(folder, "store", "~aside")),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
});

const ignore = await findVersitygw() === null;
let server: Versitygw | null = null;
let stores = 0;
if (!ignore) {
  Deno.test.beforeAll(async () => void (server = await startVersitygw()));
  Deno.test.afterAll(async () => await server?.[Symbol.asyncDispose]());
}

conformance("S3", ignore, () => {
  const { bucket, access, folder } = server!;
  return Promise.resolve({
    store: openStore({ url: `s3://${bucket}/stores/s-${++stores}`, s3: access }),
    // The server keeps the parts of unfinished uploads there.
    leftovers: () => names(join(folder, bucket, ".sgwtmp", "multipart")),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

async function names(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
