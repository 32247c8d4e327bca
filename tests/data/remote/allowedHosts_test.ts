import { expect } from "expect";
import { checkedAddresses, isPublic } from "../../../data/remote/addresses.ts";
import { allowedHost, parseAllowedHost, parseRemoteUrl } from "../../../data/remote/allowedHosts.ts";
import { modelUrl } from "../../../data/remote/modelUrl.ts";

const entries = (...texts: string[]) => texts.map((text) => parseAllowedHost(text)!);

Deno.test("entries of the allow-list are names, domains and addresses", () => {
  const entry = (text: string) => parseAllowedHost(text);
  const https = { protocol: "https:", port: "", isPrivate: false };
  expect(entry("HuggingFace.co")).toEqual({ ...https, hostname: "huggingface.co" });
  expect(entry(" *.hf.co ")).toEqual({ ...https, hostname: "*.hf.co" });
  expect(entry("models.lan private")).toEqual({ ...https, hostname: "models.lan", isPrivate: true });
  expect(entry("http://10.0.0.5:8080/")).toEqual({
    protocol: "http:",
    hostname: "10.0.0.5",
    port: "8080",
    isPrivate: true,
  });
  expect(entry("[::1]:8443")).toEqual({ ...https, hostname: "[::1]", port: "8443", isPrivate: true });
  const wrong = [
    "",
    "*",
    "*.co",
    "a/b",
    "ftp://a.b",
    "a.b.",
    "u@a.b",
    "a b",
    "*.10.0.0.1",
    "a.b:99999",
    "a.b?x",
  ];
  for (const text of wrong) expect({ text, entry: entry(text) }).toEqual({ text, entry: null });
});

Deno.test("an address must be on an allowed host, with its scheme and port", () => {
  const hosts = entries("huggingface.co", "*.hf.co", "http://mirror.lan:8080 private", "127.0.0.1", "[::1]");
  const check = (text: string) => allowedHost(parseRemoteUrl(text), hosts).hostname;
  for (
    const [text, hostname] of [
      ["https://huggingface.co/a/b", "huggingface.co"],
      ["HTTPS://HUGGINGFACE.CO:443/a/b#fragment", "huggingface.co"],
      ["https://cas-bridge.xethub.hf.co/x", "*.hf.co"],
      ["http://mirror.lan:8080/x", "mirror.lan"],
      ["https://127.0.0.1/x", "127.0.0.1"],
      ["https://[::1]/x", "[::1]"],
    ]
  ) expect({ text, hostname: check(text) }).toEqual({ text, hostname });
  for (
    const [text, message] of [
      ["http://huggingface.co/x", /must begin with https:\/\/: UNMASK_FETCH_HOSTS/],
      ["http://huggingface.co:80/x", /must begin with https/],
      ["https://huggingface.co:22/x", /setting UNMASK_FETCH_HOSTS .*'huggingface.co:22'/],
      ["https://mirror.lan:8080/x", /'mirror.lan:8080'/],
      ["https://hf.co/x", /'hf.co'/],
      ["https://evilhf.co/x", /'evilhf.co'/],
      ["https://huggingface.co./x", /'huggingface.co.'/],
      ["https://huggingface.co.evil.test/x", /evil.test/],
      ["https://huggingf\u0430ce.co/x", /'xn--/],
      ["https://localhost/x", /'localhost'/],
      ["https://10.0.0.1/x", /'10.0.0.1'/],
      ["https://0x7f000001/x", /must spell the address of its host as 127.0.0.1/],
      ["https://2130706433/x", /as 127.0.0.1/],
      ["https://017700000001/x", /as 127.0.0.1/],
      ["https://127.1/x", /as 127.0.0.1/],
      ["https://[::ffff:127.0.0.1]/x", /'\[::ffff:7f00:1\]'/],
      ["https://user:pass@huggingface.co/x", /must not contain a user name or password/],
      ["https://huggingface.co@evil.test/x", /must not contain a user name/],
      ["file:///etc/passwd", /must be an https address/],
      ["gopher://huggingface.co/x", /must be an https address/],
      ["https:huggingface.co/x", /must be an https address/],
      ["huggingface.co/x", /must be an https address/],
      ["https:///huggingface.co/x", /must be an https address/],
      ["https://huggingface.co\\@evil.test/x", /backslashes/],
      ["https://hugging\tface.co/x", /control characters/],
      ["https://huggingface.co/x\r\nHost: y", /control characters/],
      [`https://huggingface.co/${"x".repeat(3000)}`, /at most 2048/],
      ["https://huggingface.co:99999/x", /must be an https address/],
    ] as const
  ) expect(() => check(text)).toThrow(message);
  for (const list of [["*.a.lan", "models.a.lan private"], ["models.a.lan private", "*.a.lan"]]) {
    expect(allowedHost(parseRemoteUrl("https://models.a.lan/x"), entries(...list)).isPrivate).toBe(true);
  }
  expect(() => allowedHost(parseRemoteUrl("https://huggingface.co/x"), [])).toThrow(
    /is not supported: no host is allowed by the setting UNMASK_FETCH_HOSTS/,
  );
});

Deno.test("every address of a public host must be public", async () => {
  const special = [
    ...[
      "0.0.0.0",
      "10.1.2.3",
      "100.64.0.1",
      "127.0.0.1",
      "169.254.169.254",
      "172.31.0.1",
      "192.168.1.1",
      "224.0.0.1",
    ],
    ...[
      "255.255.255.255",
      "198.18.0.1",
      "203.0.113.1",
      "::",
      "::1",
      "::ffff:8.8.8.8",
      "::8.8.8.8",
      "fc00::1",
      "fe80::1",
    ],
    ...[
      "fe80::1%eth0",
      "ff02::1",
      "64:ff9b::7f00:1",
      "2001::1",
      "2001:db8::1",
      "2002:7f00:1::",
      "localhost",
      "",
    ],
  ];
  for (const address of special) {
    expect({ address, isPublic: isPublic(address) }).toEqual({ address, isPublic: false });
  }
  for (const address of ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]) {
    expect({ address, isPublic: isPublic(address) }).toEqual({ address, isPublic: true });
  }
  const [host, trusted] = entries("a.test", "a.test private");
  const check = (addresses: string[], entry = host) =>
    checkedAddresses("a.test", entry, () => Promise.resolve(addresses));
  expect(await check(["8.8.8.8", "2606:4700::1111"])).toEqual(["8.8.8.8", "2606:4700::1111"]);
  await expect(check(["8.8.8.8", "10.0.0.1"])).rejects.toThrow(/'a.test' has an address that is not public/);
  await expect(check(["8.8.8.8", "::1"])).rejects.toThrow(/not public/);
  await expect(check([])).rejects.toThrow(/has no address/);
  await expect(checkedAddresses("a.test", host, () => Promise.reject(new Error("x")))).rejects.toThrow(
    /was not found/,
  );
  expect(await check(["10.0.0.1"], trusted)).toEqual(["10.0.0.1"]);
});

Deno.test("an address names a file, an index, a folder or a repository", () => {
  const model = (path: string) => {
    const { type, url } = modelUrl(new URL(`https://h${path}`));
    return [type, url.pathname + url.search];
  };
  for (
    const [path, ...expected] of [
      ["/org/name", "folder", "/org/name/resolve/main/"],
      ["/org/name/", "folder", "/org/name/resolve/main/"],
      ["/org/name/tree/refs%2Fpr%2F1", "folder", "/org/name/resolve/refs%2Fpr%2F1/"],
      ["/org/name/resolve/v1/sub/", "folder", "/org/name/resolve/v1/sub/"],
      ["/org/name/blob/main/a.safetensors", "file", "/org/name/resolve/main/a.safetensors"],
      ["/a.safetensors?download=true", "file", "/a.safetensors?download=true"],
      ["/x/model.safetensors.index.json", "index", "/x/model.safetensors.index.json"],
      ["/a/b/c/", "folder", "/a/b/c/"],
      ["/", "folder", "/"],
    ]
  ) expect([path, ...model(path)]).toEqual([path, ...expected]);
  for (const path of ["/org", "/a/b/c", "/org/name/tree", "/a/b/model.h5"]) {
    expect(() => model(path)).toThrow(/must name a .safetensors file/);
  }
  for (const path of ["/mae_pretrain_vit_base.pth", "/org/name/blob/main/pytorch_model.bin"]) {
    expect(() => model(path)).toThrow(/pickle[^]*save_file/);
  }
});
