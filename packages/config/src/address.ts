/**
 * Addresses as a person writes them: `host:port`, `[v6]:port`. Host names are taken as they are; nothing is resolved here.
 */
import { isIPv4, isIPv6 } from 'node:net'

/** `host` without brackets; `port` 0 means "any free one" where something listens. */
export interface Address {
  readonly host: string
  readonly port: number
}

const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?$/
const ONLY_DIGITS_AND_DOTS = /^[0-9.]+$/

/** Reads `host:port` or `[v6]:port`; a string instead of an `Address` says what is wrong with the text. */
export function parseAddress(text: string): Address | string {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text)
  if (!match) {
    return isIPv6(text)
      ? `"${text}" lacks a port; write [${text}]:3260`
      : `"${text}" is not an address; write host:port or [v6]:port, for example 0.0.0.0:3260`
  }
  const [, bracketed, bare, digits] = match
  const port = Number(digits)
  if (port > 65535) return `"${text}" has port ${port}; ports end at 65535`
  if (bracketed !== undefined) {
    return isIPv6(bracketed) ? { host: bracketed, port } : `"${text}" has no IPv6 address between its brackets`
  }
  const host = bare ?? ''
  if (isIPv4(host)) return { host, port }
  if (host === '' || ONLY_DIGITS_AND_DOTS.test(host) || !HOST_NAME.test(host)) {
    return `"${text}" has no valid host before the port; write an IP address or a host name`
  }
  return { host, port }
}

/** The text of an address, IPv6 in brackets. The inverse of `parseAddress`. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
