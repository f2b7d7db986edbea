/**
 * Makes a session: of a login that has succeeded, or of the record of another worker. Its LUNs with their unit attentions, and what it asks of the supervisor.
 */
import { Borrower, type ControlBlocks, type LunGrant, type SharedRecord } from '@scsipub/contract'
import { DEFAULT_OFFER, type SessionParameters } from '@scsipub/iscsi'
import { establishUnitAttention, initiatorPortName, senseCodes } from '@scsipub/scsi'
import type { LoggedIn } from './login-phase.js'
import { Lun } from './lun.js'
import type { Services } from './services.js'
import { type Member, Session } from './session.js'
import { SessionLuns } from './session-luns.js'

/** A connection that begins a session, which has its number. */
type Founder = Member & { readonly task: { readonly connectionId: number } }

/** The session of a login that joins none. */
export function beginSession(founder: Founder, { parameters, cid, session }: LoggedIn, services: Services): Session {
  if ('joined' in session) throw new Error('the login has joined a session')
  const { luns: grants, nexusLost, poweredOn, expCmdSn } = session
  const sessionId = founder.task.connectionId
  const begun = makeSession(services, { sessionId, parameters, grants, expCmdSn, founder, cid })
  for (const { nexus } of begun.luns.values()) {
    if (nexusLost) establishUnitAttention(nexus.unitAttentions, senseCodes.itNexusLossOccurred)
    if (poweredOn) establishUnitAttention(nexus.unitAttentions, senseCodes.powerOnOccurred)
  }
  return begun
}

/**
 * The session that another worker has recorded, without its connections' phases and tasks; `founder` is any of its connections, `cid` that one's ID.
 * Resolves when the storage engine knows where it is now.
 */
export async function restoreSession(
  record: SharedRecord,
  controls: ControlBlocks,
  { services, founder, cid }: { services: Services; founder: Member; cid: number },
): Promise<Session> {
  const { sessionId, expCmdSn, luns } = record
  const parameters = Object.freeze({ ...record.parameters, isid: Buffer.from(record.parameters.isid, 'hex') })
  const grants = luns.map(({ grant, volume }) => {
    const control = controls[volume.spec.volumeId]
    if (!control) throw new Error(`the control block of volume ${volume.spec.volumeId} is missing`)
    return { ...grant, volume: { ...volume, control } }
  })
  const session = makeSession(services, { sessionId, parameters, grants, expCmdSn, founder, cid })
  session.arriving = true
  if (record.copies) session.copies.restore(record.copies)
  const held: Promise<void>[] = []
  for (const { grant, unitAttentions, mayHold } of luns) {
    const lun = session.luns.get(grant.lun)!
    lun.nexus.unitAttentions.push(...unitAttentions)
    if (mayHold) held.push(lun.unit.adopt())
  }
  await Promise.all(held)
  return session
}

interface Making {
  readonly sessionId: number
  readonly parameters: SessionParameters
  readonly grants: readonly LunGrant[]
  readonly expCmdSn: number
  readonly founder: Member
  readonly cid: number
}

function makeSession(services: Services, { sessionId, parameters, grants, expCmdSn, founder, cid }: Making): Session {
  const { sessions, supervisor } = services
  const borrower = new Borrower(sessionId, initiatorPortName(parameters.initiatorName, parameters.isid))
  let made: Session | undefined
  const luns = new SessionLuns({
    target: { name: parameters.targetName ?? '', portalGroupTag: DEFAULT_OFFER.portalGroupTag },
    grants,
    make: (grant, target) => new Lun(grant, target, services, borrower, () => made?.changed()),
  })
  const session = new Session(
    {
      sessionId,
      parameters,
      luns,
      expCmdSn,
      tokenFiles: services.tokenFiles,
      portsOf: async nodes => (await supervisor.ask({ kind: 'nexus.ports', sessionId, nodes: [...nodes] })).ports,
      resetTarget: async () => {
        await supervisor.ask({ kind: 'target.reset', sessionId })
      },
      changed: session => services.standings.changed(session),
      ended: () => sessions.delete(parameters.tsih),
    },
    founder,
    cid,
  )
  made = session
  sessions.set(parameters.tsih, session)
  return session
}
