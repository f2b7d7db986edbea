/** The life of a lease as a table: from × event → stage, sessions, whether warned; and the effects. */
import t from 'tap'
import { type LeaseEvent, type LeaseLife, type LeaseStage, NEW_LIFE, nextOf } from './lease.machine.js'

const life = (stage: LeaseStage, sessions = 0, warned = false): LeaseLife => ({ stage, sessions, warned })
const suspended = life('suspended')
const warned = life('suspended', 0, true)
const one = life('attached', 1)
const two = life('attached', 2)
const evicting = life('evicting')

const table: [from: LeaseLife, event: LeaseEvent['type'], to: LeaseLife | undefined, effects?: string][] = [
  [NEW_LIFE, 'volumes.made', suspended, 'beginTtl'],
  [NEW_LIFE, 'provisioning.failed', evicting, 'evict'],
  [NEW_LIFE, 'session.opened', undefined],
  [NEW_LIFE, 'removal.requested', undefined],
  [NEW_LIFE, 'ttl.over', undefined],
  [suspended, 'volumes.made', undefined],
  [suspended, 'session.opened', one, 'stopTtl'],
  [suspended, 'session.ended', undefined],
  [suspended, 'ttl.near', warned, 'warn'],
  [suspended, 'ttl.over', evicting, 'evict'],
  [suspended, 'removal.requested', evicting, 'evict'],
  [warned, 'ttl.near', undefined],
  [warned, 'session.opened', one, 'stopTtl'],
  [warned, 'ttl.over', life('evicting', 0, true), 'evict'],
  [one, 'session.opened', two, ''],
  [one, 'session.ended', suspended, 'closeVolumes beginTtl'],
  [one, 'ttl.near', undefined],
  [one, 'ttl.over', undefined],
  [one, 'removal.requested', life('evicting', 1), 'stopTtl evict'],
  [two, 'session.ended', one, ''],
  [two, 'removal.requested', life('evicting', 2), 'stopTtl evict'],
  [life('evicting', 1), 'session.ended', evicting, ''],
  [evicting, 'session.opened', undefined],
  [evicting, 'removal.requested', undefined],
  [evicting, 'ttl.over', undefined],
  [evicting, 'volumes.removed', life('gone'), 'forget'],
  [suspended, 'volumes.removed', undefined],
  [life('gone'), 'session.opened', undefined],
  [life('gone'), 'removal.requested', undefined],
]
for (const [from, event, to, effects] of table) {
  const { stage, sessions } = from
  t.test(`${stage}, ${sessions} sessions${from.warned ? ', warned' : ''}: ${event}`, async t => {
    const next = nextOf(from, { type: event })
    t.same(next?.life, to)
    if (effects !== undefined) t.equal(next?.effects.join(' '), effects)
  })
}
