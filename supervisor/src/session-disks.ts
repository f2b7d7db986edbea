/**
 * The disks of sessions: opened when a session logs in, or taken back when they were kept for it; destroyed when it has ended, or kept for a while when that was a fault of ours. A
 * disk of the operator, or of a lease, is only let go.
 */
import { type LoginRefusal, type LunGrant, RpcError, type VolumeSpec } from '@scsipub/contract'
import type { Admission } from './admission.js'
import { KeptDisks } from './crash/kept-disks.js'
import type { Engine } from './engine.js'
import type { HostedConnection, Session } from './hosted-connection.js'
import type { Leases } from './leases/leases.js'
import type { Log } from './log.js'
import { connectionGone, outOfResources, targetError } from './login-status.js'
import type { NexusRegistry } from './nexus-registry.js'
import type { SessionHost } from './session-host.js'
import { grantOf, type Target, volumeSpec } from './targets.js'
import type { Estate } from './upgrade/estate.js'

export interface SessionDisksParts {
  readonly hosts: () => Pick<SessionHost, 'isLive'>
  readonly registry: Pick<NexusRegistry, 'keyOf'>
  readonly admission: Admission
  readonly engine: Pick<Engine, 'ask'>
  readonly leases: () => Pick<Leases, 'attach' | 'detach'>
  readonly quotaBytes: number
  /** How long anonymous disks are kept after a fault of ours; see `KeptDisks`. */
  readonly keptMs?: number | undefined
  readonly log: Log
}

export class SessionDisks {
  readonly #parts: SessionDisksParts
  /** Disks that wait for their initiators. */
  readonly kept: KeptDisks

  constructor(parts: SessionDisksParts) {
    this.#parts = parts
    const { admission, log, keptMs } = parts
    const destroy = (volumeIds: readonly string[]) => this.#destroy(volumeIds)
    this.kept = new KeptDisks({ admission, log, destroy, ...(keptMs !== undefined && { keptMs }) })
  }

  /** From now on nothing is kept. */
  close(): void {
    this.kept.close()
  }

  /**
   * Goes on with the disks that another process kept. `anonymous`: all that are open and nobody else's. Those that no session has, of `sessions`, were about to be destroyed there.
   */
  inherit({ kept, sessions }: Pick<Estate, 'kept' | 'sessions'>, anonymous: readonly string[]): void {
    this.kept.import(kept)
    const wanted = new Set([...kept, ...sessions.sessions].flatMap(({ volumeIds }) => volumeIds))
    this.#destroy(anonymous.filter(volumeId => !wanted.has(volumeId)))
  }

  /** A session has ended, which had the nexus of that key. */
  release({ id, volumeIds, peerAddress, fault }: Session, nexus: string | undefined): void {
    const isKept = fault !== undefined && nexus !== undefined && this.kept.keep(nexus, { volumeIds, peerAddress })
    if (!isKept) this.#destroy(volumeIds)
    void this.#parts.leases().detach(id)
  }

  /** Counts the session and opens its disks. */
  async furnish(
    connection: HostedConnection,
    target: Target | undefined,
  ): Promise<{ luns: LunGrant[] } | { refuse: LoginRefusal }> {
    const { admission, hosts, registry } = this.#parts
    const { session, peerAddress } = connection
    if (!hosts().isLive(session.id)) return { refuse: connectionGone() }
    const nexus = registry.keyOf(session.id)
    const kept = target?.private && nexus !== undefined ? this.kept.take(nexus) : undefined
    const keep = () => nexus !== undefined && kept && this.kept.keep(nexus, { volumeIds: kept, peerAddress })
    if (!target || target.private) {
      const refuse = this.kept.makeRoom(peerAddress, () => admission.admit(peerAddress))
      if (refuse) {
        keep()
        return { refuse }
      }
      connection.admitted = true
    }
    if (!target) return { luns: [] }
    const opened = await this.#openAll(target, session.id, kept)
    const gone = !hosts().isLive(session.id)
    if (!('refuse' in opened) && !gone) {
      if (target.private) {
        session.volumeIds = opened.luns.map(grant => grant.volume.spec.volumeId)
        session.peerAddress = peerAddress
      }
      return opened
    }
    if (target.lease !== undefined) await this.#parts.leases().detach(session.id)
    if (target.private && !keep())
      this.#destroy('refuse' in opened ? opened.opened : opened.luns.map(grant => grant.volume.spec.volumeId))
    if (gone) return { refuse: connectionGone() }
    if (connection.admitted) admission.leave(peerAddress)
    connection.admitted = false
    return opened
  }

  async #openAll(
    target: Target,
    sessionId: number,
    kept?: readonly string[],
  ): Promise<{ luns: LunGrant[] } | { refuse: LoginRefusal; opened: string[] }> {
    if (target.lease === undefined) return this.#openDisks(target, sessionId, kept)
    const attached = await this.#parts.leases().attach(target.lease, sessionId)
    return 'refuse' in attached ? { ...attached, opened: [] } : attached
  }

  /** All LUNs of a target, or none: `opened` names those that must be closed again. `kept`: volumes that the nexus had before, in order. */
  async #openDisks(
    target: Target,
    sessionId: number,
    kept: readonly string[] = [],
  ): Promise<{ luns: LunGrant[] } | { refuse: LoginRefusal; opened: string[] }> {
    const { engine, quotaBytes, log } = this.#parts
    const specs = target.disks.map((disk, index) => {
      const spec = volumeSpec(target, disk, { id: sessionId, quotaBytes })
      return { ...spec, volumeId: kept[index] ?? spec.volumeId }
    })
    // The operator's are open since the start, and may have grown since.
    const open = (spec: VolumeSpec) =>
      target.private
        ? engine.ask({ kind: 'volume.open', spec })
        : engine.ask({ kind: 'volume.reopen', volumeId: spec.volumeId })
    const results = await Promise.allSettled(specs.map(open))
    const luns: LunGrant[] = []
    let failure: unknown
    for (const [index, disk] of target.disks.entries()) {
      const result = results[index]!
      if (result.status === 'rejected') failure ??= result.reason
      else luns.push(grantOf(disk, result.value))
    }
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
}
