// The names by which browsers may call this host, as they stand in the header Host, without port.
import { hostname, networkInterfaces } from "node:os";

const LOOPBACK: ReadonlyArray<string> = ["127.0.0.1", "localhost", "[::1]"];
const EVERYWHERE: ReadonlyArray<string> = ["0.0.0.0", "::"];

export function isLoopback(address: string): boolean {
  return LOOPBACK.includes(inAddress(address));
}

/** Where it listens on every address, this computer's name and all its addresses. */
export function namesFor(address: string): ReadonlyArray<string> {
  if (!EVERYWHERE.includes(address)) return [...new Set([...LOOPBACK, inAddress(address)])];
  const own = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return [...new Set([...LOOPBACK, hostname().toLowerCase(), ...own.map((one) => inAddress(one.address))])];
}

/** What stands for an address in `http://`: "::1" is "[::1]" there, and nobody can go to "everywhere". */
export function inAddress(address: string): string {
  if (EVERYWHERE.includes(address)) return hostname().toLowerCase();
  return address.includes(":") && !address.startsWith("[") ? `[${address}]` : address;
}
