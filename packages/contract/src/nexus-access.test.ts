/** What is kept of reservations against what there is, after any row of changes. */
import fc from 'fast-check'
import t from 'tap'
import { Borrower, KEPT_OUT } from './borrower.js'
import { ControlBlock } from './control-block.js'
import { NexusAccess } from './nexus-access.js'
import { UNIT_STATE } from './unit-state.js'

const PORTS = ['a', 'b', 'c'].map(node => `iqn.2025-01.test:${node},i,0x000000000001`)
const change = fc.oneof(
  fc.record({ kind: fc.constant('hold' as const), holder: fc.nat(3) }),
  fc.record({ kind: fc.constant('medium' as const), absent: fc.boolean() }),
  fc.record({
    kind: fc.constant('persistent' as const),
    access: fc.option(fc.record({ full: fc.subarray(PORTS), othersRead: fc.boolean() }), { nil: undefined }),
  }),
)

t.test('after any row of changes, looked at between them or not, access is as they left it', async t => {
  const outcomes = new Set<string>()
  fc.assert(
    fc.property(fc.array(fc.tuple(change, fc.boolean()), { maxLength: 12 }), changes => {
      const block = ControlBlock.create(1024, 0)
      const borrowers = PORTS.map((port, at) => new Borrower(at + 1, port))
      const accesses = borrowers.map(borrower => new NexusAccess({ control: new ControlBlock(block.shared) }, borrower))
      const now = { holder: 0, absent: false, access: undefined as { full: string[]; othersRead: boolean } | undefined }
      for (const [made, looks] of changes) {
        if (made.kind === 'hold') {
          block.holder = made.holder
          now.holder = made.holder
        } else if (made.kind === 'medium') {
          block.setUnitState(UNIT_STATE.mediumAbsent, made.absent)
          now.absent = made.absent
        } else {
          block.setPersistentAccess(made.access)
          now.access = made.access
        }
        if (!looks) continue
        for (const [at, { port, sessionId }] of borrowers.entries()) {
          const reserved = now.holder !== 0 && now.holder !== sessionId
          const full = now.access === undefined || now.access.full.includes(port)
          for (const writing of [false, true]) {
            const out = reserved || (!full && (writing || now.access?.othersRead === false))
            const expected = out ? 'reserved' : now.absent ? 'no-medium' : undefined
            outcomes.add(String(expected))
            if (accesses[at]!.refuses(writing) !== expected) return false
            if (block.refuses(borrowers[at]!, writing) !== expected) return false
          }
          const persistent = full ? 0 : now.access?.othersRead ? KEPT_OUT.writing : KEPT_OUT.reading
          if (accesses[at]!.verdict !== ((reserved ? KEPT_OUT.reserved : 0) | persistent)) return false
        }
      }
      return true
    }),
    { numRuns: 1000 },
  )
  t.same([...outcomes].sort(), ['no-medium', 'reserved', 'undefined'], 'every answer was met')
})

t.test('access goes from one to the other and back', async t => {
  const block = ControlBlock.create(1024, 0)
  const [a, b] = PORTS.slice(0, 2).map(
    (port, at) => new NexusAccess({ control: block }, new Borrower(at + 1, port)),
  ) as [NexusAccess, NexusAccess]
  for (let round = 0; round < 5; round++) {
    block.setPersistentAccess({ full: [PORTS[round % 2]!], othersRead: false })
    t.equal(a.refuses(true), round % 2 === 0 ? undefined : 'reserved')
    t.equal(b.refuses(false), round % 2 === 1 ? undefined : 'reserved')
  }
})
