/**
 * The address that an initiator is told over HTTP: what `advertise.iscsi` says, or the address that iSCSI listens on, or, where that is every address,
 * the host that the caller itself used, since it is known to be reachable from there.
 */
import { type Address, formatAddress, parseAddress } from '@scsipub/config'
import type { FastifyRequest } from 'fastify'
import { formatPeer } from '../peer.js'

const EVERY_ADDRESS = new Set(['0.0.0.0', '::'])

export interface PortalFacts {
  readonly advertise: Address | undefined
  /** Where iSCSI listens, as `ip:port`. */
  readonly listens: string
}

/** `host:port` of the target for who sent `request`. */
export function portalFor(
  request: Pick<FastifyRequest, 'hostname'> & { socket: { localAddress?: string | undefined } },
  { advertise, listens }: PortalFacts,
): string {
  if (advertise) return formatAddress(advertise)
  const own = parseAddress(listens)
  if (typeof own === 'string' || !EVERY_ADDRESS.has(own.host)) return listens
  const asked = parseAddress(`${request.hostname}:${own.port}`)
  if (typeof asked !== 'string') return formatAddress(asked)
  return formatPeer(request.socket.localAddress ?? own.host, own.port)
}
