/** The nexus registry against a plain model: any order of logins and ends, one step after the other and racing. */
import fc from 'fast-check'
import t from 'tap'
import { type NexusClaim, type NexusGrant, NexusRegistry } from './nexus-registry.js'

/** Sessions that end when they are told to, after `delay` turns of the event loop. */
class FakeSessions {
  readonly live = new Set<number>()
  readonly ended: number[] = []
  registry: NexusRegistry | undefined
  delay = 0

  isLive(id: number): boolean {
    return this.live.has(id)
  }

  async end(id: number): Promise<boolean> {
    for (let turn = 0; turn < this.delay; turn++) await Promise.resolve()
    this.over(id)
    return true
  }

  over(id: number): void {
    if (!this.live.delete(id)) return
    this.ended.push(id)
    this.registry?.close(id)
  }
}

function make(delay = 0) {
  const sessions = new FakeSessions()
  sessions.delay = delay
  const registry = new NexusRegistry(sessions)
  sessions.registry = registry
  return { sessions, registry }
}

const ISIDS = ['00023d000001', '00023d000002']
const NAMES = ['iqn.2001-04.com.example:a', 'IQN.2001-04.com.example:A', 'iqn.2001-04.com.example:b']
const TARGETS = ['iqn.2025-01.pub.scsipub:blank', 'iqn.2025-01.pub.scsipub:lab']

const login = fc.record({
  kind: fc.constant('login' as const),
  initiatorName: fc.constantFrom(...NAMES),
  isid: fc.constantFrom(...ISIDS),
  targetName: fc.constantFrom(...TARGETS),
  principal: fc.constantFrom('', '192.0.2.1'),
  tsih: fc.constantFrom('zero' as const, 'live' as const, 'unknown' as const),
})
const end = fc.record({ kind: fc.constant('end' as const), which: fc.nat() })
const discovery = fc.constant({ kind: 'discovery' as const })

type Step =
  | { kind: 'end'; which: number }
  | { kind: 'discovery' }
  | (Omit<NexusClaim, 'sessionId' | 'tsih'> & { kind: 'login'; tsih: 'zero' | 'live' | 'unknown' })

const keyOf = (claim: Pick<NexusClaim, 'initiatorName' | 'isid' | 'targetName' | 'principal'>) =>
  JSON.stringify([claim.initiatorName.toLowerCase(), claim.isid, claim.targetName, claim.principal])
const statusOf = (grant: NexusGrant) => ('refuse' in grant ? grant.refuse.class * 256 + grant.refuse.detail : 0)

t.test('sessions follow the table of [7143 §6.3.1], TSIHs are unique among the live and never 0', async t => {
  const run = async (steps: Step[]) => {
    const { sessions, registry } = make()
    const model = new Map<string, { id: number; tsih: number }>()
    const tsihs = new Map<number, number>()
    let nextId = 0
    for (const step of steps) {
      if (step.kind === 'end') {
        const id = [...sessions.live][step.which % Math.max(1, sessions.live.size)]
        if (id === undefined) continue
        sessions.over(id)
        tsihs.delete(id)
        for (const [key, nexus] of model) if (nexus.id === id) model.delete(key)
        continue
      }
      const id = ++nextId
      sessions.live.add(id)
      if (step.kind === 'discovery') {
        const grant = registry.openDiscovery({ sessionId: id, tsih: 0 })
        if (!('tsih' in grant) || [...tsihs.values()].includes(grant.tsih)) return false
        tsihs.set(id, grant.tsih)
        continue
      }
      const key = keyOf(step)
      const old = model.get(key)
      const tsih = step.tsih === 'zero' ? 0 : step.tsih === 'live' ? (old?.tsih ?? 4242) : 60_000
      const grant = await registry.open({ ...step, sessionId: id, tsih })
      const matches = tsih !== 0 && old?.tsih === tsih
      const expected = tsih === 0 || matches ? 0 : 0x020a
      if (statusOf(grant) !== expected) return false
      if (matches) {
        sessions.live.delete(id) // a connection of the other session now
        if (!('joins' in grant) || grant.joins !== old.id || registry.sessionOf(tsih) !== old.id) return false
      }
      if (old && tsih === 0) {
        if (sessions.isLive(old.id)) return false
        tsihs.delete(old.id)
        model.delete(key)
      } else if (old && !sessions.isLive(old.id)) return false
      if ('tsih' in grant) {
        if (grant.tsih < 1 || grant.tsih > 65535 || [...tsihs.values()].includes(grant.tsih)) return false
        if (grant.reinstated !== (old !== undefined)) return false
        model.set(key, { id, tsih: grant.tsih })
        tsihs.set(id, grant.tsih)
      }
      if (registry.size !== tsihs.size) return false
    }
    return true
  }
  await t.resolves(
    fc.assert(
      fc.asyncProperty(fc.array(fc.oneof({ weight: 6, arbitrary: login }, end, discovery), { maxLength: 60 }), run),
    ),
  )
})

t.test(
  'logins of one nexus that race leave exactly the last one, each ended before the next is granted [7143 §6.3.5]',
  async t => {
    const property = fc.asyncProperty(
      fc.integer({ min: 2, max: 20 }),
      fc.integer({ min: 0, max: 7 }),
      async (count, delay) => {
        const { sessions, registry } = make(delay)
        const claim = { initiatorName: 'i', isid: ISIDS[0] ?? '', targetName: 't', principal: '', tsih: 0 }
        const order: number[] = []
        const grants = Array.from({ length: count }, async (_, id) => {
          sessions.live.add(id)
          const grant = await registry.open({ ...claim, sessionId: id })
          order.push(id)
          return 'tsih' in grant && sessions.live.size === count - id
        })
        const good = (await Promise.all(grants)).every(Boolean)
        return good && registry.size === 1 && order.every((id, at) => id === at) && sessions.ended.length === count - 1
      },
    )
    await t.resolves(fc.assert(property))
  },
)

t.test('a login whose connection went while it waited opens nothing', async t => {
  const { sessions, registry } = make(3)
  const claim = { initiatorName: 'i', isid: ISIDS[0] ?? '', targetName: 't', principal: '', tsih: 0 }
  sessions.live.add(1).add(2)
  await registry.open({ ...claim, sessionId: 1 })
  const turn = registry.open({ ...claim, sessionId: 2 })
  sessions.over(2)
  t.equal(statusOf(await turn), 0x0301)
  t.equal(registry.size, 0)
})

t.test('a TSIH is not used again at once, and all 65535 can be live [7143 §3.4.3]', t => {
  const { registry } = make()
  const first = registry.openDiscovery({ sessionId: 0, tsih: 0 })
  registry.close(0)
  const seen = new Set<number>()
  for (let id = 1; id <= 65535; id++) {
    const grant = registry.openDiscovery({ sessionId: id, tsih: 0 })
    if ('tsih' in grant) seen.add(grant.tsih)
    if (id === 1) t.not('tsih' in grant && grant.tsih, 'tsih' in first && first.tsih)
  }
  t.equal(seen.size, 65535)
  t.notOk(seen.has(0))
  t.equal(statusOf(registry.openDiscovery({ sessionId: 70000, tsih: 0 })), 0x0302)
  registry.close(9)
  t.match(registry.openDiscovery({ sessionId: 70000, tsih: 0 }), { tsih: Number })
  t.end()
})
