/**
 * What connections ask while they log in: may they, which nexus they are, which disks they get, which targets there are.
 */
import { type Address, formatAddress } from '@scsipub/config'
import type { LoginRefusal, SupervisorReplies, SupervisorRequest } from '@scsipub/contract'
import type { Access } from './access.js'
import type { KeptDisks } from './crash/kept-disks.js'
import { Poison, type PoisonEstate, type PoisonLimits } from './crash/poison.js'
import type { Identification, Identify, Open, Prove } from './identification.js'
import type { Leases } from './leases/leases.js'
import { printable } from './log.js'
import { connectionGone, serviceUnavailable, sessionDoesNotExist } from './login-status.js'
import type { LunChange } from './lun-change.js'
import { type NexusRegistry, nexusKey } from './nexus-registry.js'
import { partyOf } from './peer.js'
import { SessionDisks, type SessionDisksParts } from './session-disks.js'
import type { HostedConnection, Session, SessionHost } from './session-host.js'
import type { Estate } from './upgrade/estate.js'

type List = Extract<SupervisorRequest, { kind: 'targets.list' }>
/** What a connection asks while it logs in, or in discovery. */
type Question = Exclude<
  SupervisorRequest,
  { kind: 'target.reset' | 'nexus.ports' | 'session.standing' | 'notice.done' }
>
type Opened = SupervisorReplies['nexus.open']

export interface LoginParts extends SessionDisksParts {
  readonly hosts: () => SessionHost
  readonly registry: NexusRegistry
  readonly identification: Identification
  readonly access: Access
  readonly luns: Pick<LunChange, 'login'>
  readonly leases: () => Pick<Leases, 'available' | 'attach' | 'detach'>
  /** Who is refused after faults of ours; see `Poison`. */
  readonly poison?: PoisonLimits | undefined
  readonly advertise: Address | undefined
}

const PORTAL_GROUP_TAG = 1

export class Logins {
  readonly #parts: LoginParts
  readonly #disks: SessionDisks
  readonly #poison: Poison
  #draining = false

  constructor(parts: LoginParts) {
    this.#parts = parts
    this.#disks = new SessionDisks(parts)
    this.#poison = new Poison(parts.poison)
  }

  get draining(): boolean {
    return this.#draining
  }

  /** From now on every login is told to try again later. */
  drain(): void {
    this.#draining = true
    this.#disks.close()
  }

  /** Who has met with faults of ours too often, for another process of the server. */
  get poison(): readonly PoisonEstate[] {
    return this.#poison.export()
  }

  /** Disks that wait for their initiators. */
  get kept(): Pick<KeptDisks, 'export' | 'hold'> {
    return this.#disks.kept
  }

  /** Goes on as another process has left it: see `SessionDisks`, and with who was known there for meeting with faults. */
  inherit(estate: Pick<Estate, 'kept' | 'poison' | 'sessions'>, anonymous: readonly string[]): void {
    this.#poison.import(estate.poison)
    this.#disks.inherit(estate, anonymous)
  }

  /** Answers one request of a connection; the value is the reply. */
  async serve(request: Question): Promise<SupervisorReplies[Question['kind']]> {
    if (request.kind === 'targets.list') return this.#list(request)
    const reply = await this.#answer(request)
    if ('refuse' in reply) this.#logRefusal(request, reply.refuse)
    return reply
  }

  #answer(request: Identify | Prove | Open) {
    const { hosts, identification } = this.#parts
    const connection = hosts().get(request.connectionId)
    if (!connection) return { refuse: connectionGone() }
    switch (request.kind) {
      case 'target.identify':
        return this.#draining ? { refuse: draining() } : identification.identify(request)
      case 'chap.prove':
        return identification.prove(request, connection.peerAddress)
      case 'nexus.open':
        return this.#open(connection, request)
    }
  }

  /** Undoes what the login of a connection did; its run has ended. */
  connectionEnded({ id, admitted, peerAddress }: HostedConnection): void {
    const { admission, access } = this.#parts
    access.forget(id)
    if (admitted) admission.leave(peerAddress)
    admission.disconnect(peerAddress)
  }

  /** Undoes what the login of a session did; all of its connections have ended. */
  sessionEnded(session: Session): void {
    const { registry } = this.#parts
    const nexus = registry.keyOf(session.id)
    registry.close(session.id)
    this.#disks.release(session, nexus)
  }

  /** These sessions have met with a fault of ours, and may have brought it about. */
  blame(sessions: readonly Session[], why: string): void {
    const { registry, log } = this.#parts
    for (const { id, login } of sessions) {
      const nexus = registry.keyOf(id)
      if (nexus !== undefined && this.#poison.strike(nexus))
        log.warn({ event: 'session.poison', sessionId: id, ...login, why: `${why}, once too often` })
    }
  }

  async #open(connection: HostedConnection, request: Open): Promise<Opened> {
    const { identification, registry } = this.#parts
    if (this.#draining) return { refuse: draining() }
    const permit = identification.permit(request)
    if ('refuse' in permit) return permit
    const { target, user } = permit
    const { session } = connection
    // Before the nexus is opened, which would end its old session for nothing.
    if (target?.lease !== undefined && request.tsih === 0 && !this.#parts.leases().available)
      return { refuse: serviceUnavailable('the state store is not there') }
    const claim = {
      ...request,
      sessionId: session.id,
      targetName: target?.name ?? '',
      principal: target?.private ? partyOf(connection.peerAddress) : user,
    }
    if (target && this.#poison.refuses(nexusKey(claim)))
      return { refuse: serviceUnavailable('its sessions have met with faults of the server too often') }
    const nexus = target ? await registry.open(claim) : registry.openDiscovery(claim)
    if ('refuse' in nexus) return nexus
    if ('joins' in nexus) return this.#join(connection, request, nexus.joins)
    connection.cid = request.cid
    const begin = () => this.#begin(connection, request, nexus)
    const opened = await (target ? this.#parts.luns.login(target.name, session.id, begin) : begin())
    if ('refuse' in opened) registry.close(session.id)
    return opened
  }

  /** The nexus is the session's: gives it its disks. The target is looked up again, since it may have others by now. */
  async #begin(
    connection: HostedConnection,
    request: Open,
    nexus: { tsih: number; reinstated: boolean },
  ): Promise<Opened> {
    const { identification, registry } = this.#parts
    const { session } = connection
    const permit = identification.permit(request)
    if ('refuse' in permit) return permit
    const { target, user } = permit
    const opened = await this.#disks.furnish(connection, target)
    if ('refuse' in opened) return opened
    session.login = {
      initiator: printable(request.initiatorName),
      target: target?.name ?? 'discovery',
      tsih: nexus.tsih,
      ...(user !== '' && { user: printable(user) }),
    }
    this.#parts.log.info({
      event: 'session.opened',
      sessionId: session.id,
      ...session.login,
      isid: request.isid,
      remote: connection.remoteAddress,
      reinstated: nexus.reinstated,
    })
    const poweredOn = registry.takePowerOn(session.id)
    return { tsih: nexus.tsih, nexusLost: nexus.reinstated, poweredOn, luns: opened.luns }
  }

  /**
   * Lets a connection into a live session. On free targets it counts like a session of its party, so that sessions of many connections
   * do not get round the caps; one that takes the place of another connection takes over its place in the count too.
   */
  #join(connection: HostedConnection, { tsih, cid }: Open, sessionId: number): Opened {
    const { admission, hosts } = this.#parts
    const session = hosts().session(sessionId)
    if (!session?.login) return { refuse: sessionDoesNotExist('the session has ended') }
    if (hosts().get(connection.id) !== connection) return { refuse: connectionGone() }
    if (session.volumeIds.length > 0) {
      const old = [...session.connections].find(other => other.cid === cid && other.admitted)
      if (old) old.admitted = false
      else {
        const refuse = admission.admit(connection.peerAddress)
        if (refuse) return { refuse }
      }
      connection.admitted = true
    }
    connection.cid = cid
    hosts().join(connection, session)
    this.#parts.log.info({
      event: 'connection.added',
      sessionId,
      ...session.login,
      cid,
      remote: connection.remoteAddress,
    })
    return { joins: tsih }
  }

  /** SendTargets: what the initiator may see in discovery, one's own in a normal session [7143 Appendix C]. */
  #list({ connectionId, localAddress }: List): SupervisorReplies['targets.list'] {
    const { hosts, access, advertise } = this.#parts
    const own = hosts().get(connectionId)?.session.login?.target
    const names =
      own === undefined || own === 'discovery' ? access.visible(connectionId).map(({ name }) => name) : [own]
    const address = advertise ? formatAddress(advertise) : localAddress
    return { targets: names.map(name => ({ name, addresses: [{ address, portalGroupTag: PORTAL_GROUP_TAG }] })) }
  }

  #logRefusal(request: Identify | Prove | Open, refuse: LoginRefusal): void {
    const connection = this.#parts.hosts().get(request.connectionId)
    this.#parts.log.info({
      event: refuse.targetAddress === undefined ? 'login.refused' : 'login.redirected',
      sessionId: connection?.session.id,
      initiator: printable(request.initiatorName),
      target: request.targetName === undefined ? request.sessionType : printable(request.targetName),
      remote: connection?.remoteAddress,
      status: `${hex(refuse.class)}${hex(refuse.detail)}`,
      why: refuse.why,
    })
  }
}

function draining(): LoginRefusal {
  return serviceUnavailable('the server is about to stop')
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}
