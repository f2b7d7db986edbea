/** What the new process of an upgrade makes of what belonged to sessions that have ended. Sessions and connections are numbers here. */
import t from 'tap'
import type { Estate } from './estate.js'
import { takeBelongings } from './taken-belongings.js'

const LIVE = [1, 2]

t.test('what belonged to sessions that have ended is let go of, and all else is taken in', async t => {
  const done: string[] = []
  const say = (what: string) => (value: unknown) => {
    done.push(`${what} ${JSON.stringify(value)}`)
    return Promise.resolve()
  }
  const estate = {
    attached: [
      [1, 'lease-one'],
      [9, 'lease-two'],
    ],
    proofs: { key: new Uint8Array(0), trials: [{ connectionId: 2 }, { connectionId: 8 }] },
  } as unknown as Estate
  await takeBelongings(estate, {
    leases: { start: say('leases start with'), detach: say('detached') },
    access: { import: () => void say('proofs')(''), forget: id => void say('forgotten')(id) },
    host: { isLive: id => LIVE.includes(id), get: id => (LIVE.includes(id) ? ({} as never) : undefined) },
  })
  t.same(done, ['leases start with [[1,"lease-one"],[9,"lease-two"]]', 'detached 9', 'proofs ""', 'forgotten 8'])
})
