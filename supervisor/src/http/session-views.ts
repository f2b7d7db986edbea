/** Leases as the API shows them, where they are called sessions. */
import type { FastifyRequest } from 'fastify'
import type { LeaseView } from '../leases/lease-view.js'
import { type PortalFacts, portalFor } from './portal.js'

/** What a list shows of a session. */
export function summaryOf(lease: LeaseView, request: FastifyRequest, facts: PortalFacts) {
  return {
    id: lease.id,
    ...(lease.name !== undefined && { name: lease.name }),
    iqn: lease.iqn,
    portal: portalFor(request, facts),
    state: lease.state,
    luns: lease.luns.map(({ lun, image, sizeBytes }) => ({ lun, image, size_bytes: sizeBytes })),
    created_at: lease.createdAt,
    expires_at: lease.expiresAt,
    attached_sessions: lease.attachedSessions,
    expiring: lease.expiring,
    ...(lease.refused !== undefined && { refused: lease.refused }),
  }
}

/** What its owner sees of a session. */
export function sessionOf(lease: LeaseView, request: FastifyRequest, facts: PortalFacts) {
  return { ...summaryOf(lease, request, facts), chap_user: lease.chapUser, chap_secret: lease.chapSecret }
}
