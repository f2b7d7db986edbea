/**
 * Addresses of connections: how they are written for logs and listings, and by which part of them caps are counted.
 */
import { isIPv6 } from 'node:net'

const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** `ip:port`, `[v6]:port`; an IPv4 peer of an IPv6 socket is written as IPv4, and a zone is left out. */
export function formatPeer(address: string, port: number): string {
  const plain = plainAddress(address)
  return isIPv6(plain) ? `[${plain}]:${port}` : `${plain}:${port}`
}

/**
 * What one party can be expected to have: an IPv4 address, or the /64 of an IPv6 address, since a single host has all of
 * a /64 at hand.
 */
export function partyOf(address: string): string {
  const plain = plainAddress(address)
  return isIPv6(plain) ? `${groupsOf(plain).slice(0, 4).join(':')}::/64` : plain
}

/** Whether the address is this machine's own loopback. */
export function isLoopback(address: string): boolean {
  const plain = plainAddress(address)
  return plain === '::1' || plain.startsWith('127.')
}

function plainAddress(address: string): string {
  const withoutZone = address.split('%', 1)[0] ?? address
  return MAPPED_IPV4.exec(withoutZone)?.[1] ?? withoutZone
}

/** The eight groups of an IPv6 address, as hexadecimal numbers without leading zeros. */
function groupsOf(address: string): string[] {
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length
  return [...left, ...Array<string>(Math.max(0, zeros)).fill('0'), ...right].map(group =>
    group.toLowerCase().replace(/^0+(?=.)/, ''),
  )
}
