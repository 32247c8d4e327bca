/**
 * Formats of settings: a schema that parses the text of a variable, and a rule that completes "NAME must be …".
 *
 * @module
 */
import { z } from "zod";
import { type AllowedHost, parseAllowedHost } from "../../data/remote/allowedHosts.ts";

const parseInteger = (min: number, max: number) =>
  z.string().regex(/^\d{1,15}$/).transform(Number).refine((value) => value >= min && value <= max);
const isHttp = (url: URL | null) => url !== null && ["http:", "https:"].includes(url.protocol);

/** A whole number in a range. @param noun as in "a port" */
export const integer = (noun: string, min: number, max: number) => ({
  schema: parseInteger(min, max),
  rule: `${noun}, ${min} to ${max}`,
});

/** A number of bytes, at most 512 TiB by default. */
export const bytes = (min = 1, max = 2 ** 49) => ({
  schema: parseInteger(min, max),
  rule: "a number of bytes",
});

/** A number of seconds, converted to milliseconds. */
export const seconds = (min: number, max: number) => ({
  schema: parseInteger(min, max).transform((value) => value * 1000),
  rule: `a number of seconds, ${min} to ${max}`,
});

/** A number of hours, converted to milliseconds. */
export const HOURS = {
  schema: z.string().regex(/^\d{1,4}(\.\d{1,6})?$/).transform(Number)
    .refine((value) => value > 0 && value <= 8760).transform((value) => value * 3_600_000),
  rule: "a number of hours above 0, at most 8760, such as 24 or 0.5",
};

/** One of several words. */
export const oneOf = <const T extends readonly [string, ...string[]]>(words: T) => ({
  schema: z.enum(words),
  rule: `one of ${words.join(", ")}`,
});

/** A number of threads; `all` is the number of cores. */
export const THREADS = {
  schema: z.union([z.literal("all").transform(() => navigator.hardwareConcurrency), parseInteger(1, 256)]),
  rule: "all, or a number, 1 to 256",
};

/** A non-empty text. @param rule as in "a folder" */
export const text = (rule: string) => ({ schema: z.string().min(1), rule });

/** A host name or an address. */
export const HOST = {
  schema: z.string().regex(/^[A-Za-z0-9._:-]{1,253}$/),
  rule: "a host name or an address, such as 127.0.0.1",
};

const isHostName = (name: string) =>
  /^[a-z0-9._-]{1,253}$/.test(name) || URL.canParse(`http://${name}/`) && /^\[[0-9a-f:.]+\]$/.test(name);

/** A list of host names, or `*`. */
export const HOST_NAMES = {
  schema: z.string()
    .transform((list) => list.split(",").map((name) => name.trim().toLowerCase()).filter(Boolean))
    .refine((names) => names.length > 0 && names.every((name) => name === "*" || isHostName(name))),
  rule: "host names without ports, separated by commas, or * for any",
};

/** A list of hosts from which the service may download. */
export const FETCH_HOSTS = {
  schema: z.string().transform((list) =>
    list.split(",").filter((entry) => entry.trim() !== "").map(parseAllowedHost)
  )
    .refine((hosts): hosts is AllowedHost[] => hosts.length > 0 && !hosts.includes(null)),
  rule:
    "hosts separated by commas, such as huggingface.co, *.hf.co, http://10.0.0.5:8080 or models.lan private",
};

/** A list of http(s) URLs. */
export const HTTP_URLS = {
  schema: z.string().transform((list) => list.split(",").map((url) => url.trim()))
    .refine((urls) => urls.every((url) => isHttp(URL.parse(url)))),
  rule: "http(s) addresses, separated by commas",
};

/** The http(s) URL of a service. */
export const ENDPOINT = {
  schema: z.string().refine((text) => {
    const url = URL.parse(text);
    return isHttp(url) && !(url!.username || url!.password || url!.search || url!.hash);
  }),
  rule: "an http or https URL without user, query or fragment",
};

/** A file, or the http(s) URL of a database server. */
export const DATABASE = {
  schema: z.string().min(1)
    .refine((text) => !/^[a-z][a-z0-9+.-]*:/i.test(text) || isHttp(URL.parse(text))),
  rule: "a file, or the http(s) address of a denokv server",
};

/** The URL of an object store. `openStore` checks the rest of its form. */
export const OBJECT_STORE = {
  schema: z.string().regex(/^(file:|s3:\/\/)./),
  rule: "file:PATH or s3://BUCKET/PREFIX",
};
