/**
 * The network addresses of hosts, and which of them are public.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { addressOf, type AllowedHost } from "./allowedHosts.ts";
import { RemoteError } from "./remoteError.ts";

/** Returns all addresses of a host name. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** IPv4 blocks that are not public (IANA's registry of special-purpose addresses), and multicast. */
const SPECIAL_V4 = [
  "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24",
  "192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24",
  "203.0.113.0/24 224.0.0.0/4 240.0.0.0/4",
].join(" ");
/** All public IPv6 addresses are in this block: IPv4-mapped, local and multicast addresses are not. */
const GLOBAL_V6 = "2000::/3";
/** Blocks of it that are not public: special purposes, documentation, and 6to4, which contains IPv4 addresses. */
const SPECIAL_V6 = "2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20";

const specialV4 = blocks(SPECIAL_V4, "ipv4");
const globalV6 = blocks(GLOBAL_V6, "ipv6");
const specialV6 = blocks(SPECIAL_V6, "ipv6");

function blocks(text: string, family: "ipv4" | "ipv6"): BlockList {
  const list = new BlockList();
  for (const block of text.split(" ")) {
    const [net, prefix] = block.split("/");
    list.addSubnet(net, Number(prefix), family);
  }
  return list;
}

/** Whether an address belongs to the public internet. */
export function isPublic(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !specialV4.check(address, "ipv4");
  return family === 6 && !address.includes("%") && globalV6.check(address, "ipv6") &&
    !specialV6.check(address, "ipv6");
}

/** Uses the system's resolver, which reads `/etc/hosts` and the name servers. */
export const systemResolve: Resolve = async (hostname) =>
  (await lookup(hostname, { all: true })).map(({ address }) => address);

/**
 * Returns the addresses of an allowed host. Each of them must be public, unless the entry allows private ones.
 *
 * @throws {RemoteError} for a name without addresses, and for one with an address that is not public
 */
export async function checkedAddresses(
  hostname: string,
  { isPrivate }: AllowedHost,
  resolve: Resolve = systemResolve,
): Promise<readonly string[]> {
  const literal = addressOf(hostname);
  let addresses: readonly string[];
  try {
    addresses = literal === null ? await resolve(hostname) : [literal];
  } catch (error) {
    throw new RemoteError("unavailable", `cannot be fetched: the name '${hostname}' was not found`, {
      cause: error,
    });
  }
  if (addresses.length === 0) {
    throw new RemoteError("unavailable", `cannot be fetched: the name '${hostname}' has no address`);
  }
  if (isPrivate || addresses.every(isPublic)) return addresses;
  throw new RemoteError(
    "refused",
    `must be on a public host: '${hostname}' has an address that is not public`,
  );
}
