/** What is remembered of volumes for the next engine. */
import { ControlBlock, EngineMemory, type EngineNote, VOLUME_STAGE } from '@scsipub/contract'
import t from 'tap'
import { EngineLedger } from './engine-ledger.js'

type Note = Exclude<EngineNote, { kind: 'engine.ready' }>

function opened(volumeId: string): { note: Note; control: ControlBlock } {
  const control = ControlBlock.create(2048, 0)
  const spec = { volumeId, persistence: 'ephemeral', sizeBytes: 1 << 20, blockBytes: 512, quotaBytes: 0 }
  const descriptor = { spec, control: control.shared }
  return { note: { kind: 'volume.noted', volumeId, changed: { descriptor } } as unknown as Note, control }
}

const changed = (volumeId: string, what: object) =>
  ({ kind: 'volume.noted', volumeId, changed: what }) as unknown as Note

t.test('changes add up, and of a volume that is forgotten nothing stays, whatever comes late', async t => {
  const ledger = new EngineLedger()
  ledger.note(opened('a').note)
  ledger.note(opened('b').note)
  ledger.note(changed('a', { prevents: [7] }))
  ledger.note(changed('a', { holder: { sessionId: 8 } }))
  t.match(
    ledger.records.find(({ descriptor }) => descriptor.spec.volumeId === 'a'),
    { prevents: [7], holder: { sessionId: 8 } },
  )
  ledger.note({ kind: 'volume.forgotten', volumeId: 'a' })
  ledger.note(changed('a', { prevents: [] }))
  t.same(
    ledger.records.map(({ descriptor }) => descriptor.spec.volumeId),
    ['b'],
  )
})

t.test('another process gets what is open, and not what has gone by then', async t => {
  const ledger = new EngineLedger()
  const [stays, goes] = [opened('stays'), opened('goes')]
  ledger.note(stays.note)
  ledger.note(goes.note)
  goes.control.stage = VOLUME_STAGE.gone
  const next = new EngineLedger()
  next.import(ledger.export(new EngineMemory()))
  t.same(
    next.records.map(({ descriptor }) => descriptor.spec.volumeId),
    ['stays'],
  )
})
