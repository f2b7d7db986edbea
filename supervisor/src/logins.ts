/**
 * What sessions ask while they log in: may they, which nexus they are, which disks they get, which targets there are.
 */
import { type Address, formatAddress } from '@scsipub/config'
import {
  type LoginRefusal,
  type LunGrant,
  RpcError,
  type SupervisorReplies,
  type SupervisorRequest,
} from '@scsipub/contract'
import type { Admission } from './admission.js'
import type { Engine } from './engine.js'
import { type Log, printable } from './log.js'
import { missingParameter, outOfResources, serviceUnavailable, targetError, targetNotFound } from './login-status.js'
import type { NexusRegistry } from './nexus-registry.js'
import { partyOf } from './peer.js'
import type { Session, SessionHost } from './session-host.js'
import { type Target, type TargetDirectory, volumeSpec } from './targets.js'

type Identify = Extract<SupervisorRequest, { kind: 'target.identify' }>
type Open = Extract<SupervisorRequest, { kind: 'nexus.open' }>
type List = Extract<SupervisorRequest, { kind: 'targets.list' }>
type Opened = SupervisorReplies['nexus.open']

export interface LoginParts {
  readonly hosts: () => SessionHost
  readonly registry: NexusRegistry
  readonly directory: TargetDirectory
  readonly admission: Admission
  readonly engine: Pick<Engine, 'ask'>
  readonly quotaBytes: number
  readonly advertise: Address | undefined
  readonly log: Log
}

const PORTAL_GROUP_TAG = 1

export class Logins {
  readonly #parts: LoginParts
  #draining = false

  constructor(parts: LoginParts) {
    this.#parts = parts
  }

  /** From now on every login is told to try again later. */
  drain(): void {
    this.#draining = true
  }

  /** Answers one request of a session; the value is the reply. */
  async serve(request: SupervisorRequest): Promise<SupervisorReplies[SupervisorRequest['kind']]> {
    if (request.kind === 'targets.list') return this.#list(request)
    const reply = request.kind === 'target.identify' ? this.#identify(request) : await this.#open(request)
    if ('refuse' in reply) this.#logRefusal(request, reply.refuse)
    return reply
  }

  /** Undoes what the login of a session did; its run has ended. */
  sessionEnded(session: Session): void {
    const { registry, admission } = this.#parts
    registry.close(session.id)
    if (session.admitted) admission.leave(session.peerAddress)
    admission.disconnect(session.peerAddress)
    this.#destroy(session.volumeIds)
  }

  #identify(request: Identify): SupervisorReplies['target.identify'] {
    if (this.#draining) return { refuse: draining() }
    const target = this.#targetOf(request)
    return target && 'refuse' in target ? target : { auth: 'none' }
  }

  async #open(request: Open): Promise<Opened> {
    const { hosts, registry } = this.#parts
    const session = hosts().get(request.sessionId)
    if (!session) return { refuse: serviceUnavailable('the connection has gone') }
    if (this.#draining) return { refuse: draining() }
    const target = this.#targetOf(request)
    if (target && 'refuse' in target) return target
    const claim = {
      ...request,
      targetName: target?.name ?? '',
      principal: target?.private ? partyOf(session.peerAddress) : '',
    }
    const nexus = target ? await registry.open(claim) : registry.openDiscovery(request)
    if ('refuse' in nexus) return nexus
    const opened = await this.#furnish(session, target)
    if ('refuse' in opened) {
      registry.close(session.id)
      return opened
    }
    session.login = {
      initiator: printable(request.initiatorName),
      target: target?.name ?? 'discovery',
      tsih: nexus.tsih,
    }
    this.#parts.log.info({
      event: 'session.opened',
      sessionId: session.id,
      ...session.login,
      isid: request.isid,
      remote: session.remoteAddress,
      reinstated: nexus.reinstated,
    })
    return { tsih: nexus.tsih, nexusLost: nexus.reinstated, luns: opened.luns }
  }

  /** Counts the session and opens its disks. */
  async #furnish(
    session: Session,
    target: Target | undefined,
  ): Promise<{ luns: LunGrant[] } | { refuse: LoginRefusal }> {
    const { admission, hosts } = this.#parts
    if (!hosts().isLive(session.id)) return { refuse: serviceUnavailable('the connection has gone') }
    if (!target || target.private) {
      const refuse = admission.admit(session.peerAddress)
      if (refuse) return { refuse }
      session.admitted = true
    }
    if (!target) return { luns: [] }
    const opened = await this.#openDisks(target, session.id)
    const gone = !hosts().isLive(session.id)
    if (!('refuse' in opened) && !gone) {
      if (target.private) session.volumeIds = opened.luns.map(grant => grant.volume.spec.volumeId)
      return opened
    }
    if (target.private)
      this.#destroy('refuse' in opened ? opened.opened : opened.luns.map(grant => grant.volume.spec.volumeId))
    if (gone) return { refuse: serviceUnavailable('the connection has gone') }
    if (session.admitted) admission.leave(session.peerAddress)
    session.admitted = false
    return opened
  }

  /** All LUNs of a target, or none: `opened` names those that must be closed again. */
  async #openDisks(
    target: Target,
    sessionId: number,
  ): Promise<{ luns: LunGrant[] } | { refuse: LoginRefusal; opened: string[] }> {
    const { engine, quotaBytes, log } = this.#parts
    const specs = target.disks.map((_, lun) => volumeSpec(target, lun, { id: sessionId, quotaBytes }))
    const results = await Promise.allSettled(specs.map(spec => engine.ask({ kind: 'volume.open', spec })))
    const luns: LunGrant[] = []
    let failure: unknown
    results.forEach((result, lun) => {
      if (result.status === 'rejected') failure ??= result.reason
      else luns.push(grantOf(target, lun, result.value))
    })
    if (failure === undefined) return { luns }
    const why = failure instanceof Error ? failure.message : String(failure)
    log.error({ event: 'volume.open.failed', sessionId, target: target.name, error: why })
    const full = failure instanceof RpcError && failure.code === 'space'
    const refuse = full ? outOfResources('the storage is full') : targetError('the disks cannot be opened')
    return { refuse, opened: luns.map(grant => grant.volume.spec.volumeId) }
  }

  #destroy(volumeIds: readonly string[]): void {
    for (const volumeId of volumeIds) {
      this.#parts.engine.ask({ kind: 'volume.destroy', volumeId }).catch((error: unknown) => {
        if (error instanceof RpcError && error.code === 'gone') return // the engine has ended, and tells so itself
        this.#parts.log.error({ event: 'volume.destroy.failed', volumeId, error: String(error) })
      })
    }
  }

  /** The target that is asked for; undefined for discovery. */
  #targetOf({ sessionType, targetName }: Identify | Open): Target | undefined | { refuse: LoginRefusal } {
    if (sessionType === 'discovery') return undefined
    if (targetName === undefined) return { refuse: missingParameter('a normal session needs TargetName [7143 §13.4]') }
    return this.#parts.directory.find(targetName) ?? { refuse: targetNotFound('there is no such target') }
  }

  /** SendTargets: every target in discovery, one's own in a normal session [7143 Appendix C]. */
  #list({ sessionId, localAddress }: List): SupervisorReplies['targets.list'] {
    const { hosts, directory, advertise } = this.#parts
    const own = hosts().get(sessionId)?.login?.target
    const names = own === undefined || own === 'discovery' ? directory.names() : [own]
    const address = advertise ? formatAddress(advertise) : localAddress
    return { targets: names.map(name => ({ name, addresses: [{ address, portalGroupTag: PORTAL_GROUP_TAG }] })) }
  }

  #logRefusal(request: Identify | Open, refuse: LoginRefusal): void {
    this.#parts.log.info({
      event: 'login.refused',
      sessionId: request.sessionId,
      initiator: printable(request.initiatorName),
      target: request.targetName === undefined ? request.sessionType : printable(request.targetName),
      remote: this.#parts.hosts().get(request.sessionId)?.remoteAddress,
      status: `${hex(refuse.class)}${hex(refuse.detail)}`,
      why: refuse.why,
    })
  }
}

function grantOf(target: Target, lun: number, volume: LunGrant['volume']): LunGrant {
  const disk = target.disks[lun]
  if (!disk) throw new RangeError(`${target.name} has no LUN ${lun}`)
  const { readOnly, removable, thin } = disk.kind
  return { lun, product: disk.product, readOnly, removable, thin, volume }
}

function draining(): LoginRefusal {
  return serviceUnavailable('the server is about to stop')
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}
