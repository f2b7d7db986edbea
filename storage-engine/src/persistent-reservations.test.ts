/** Persistent reservations in the engine: at the gate, on the disk before anybody acts on them, and read back. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Borrower, ControlBlock } from '@scsipub/contract'
import { NO_RESERVATIONS, type ReservationAction, type ReservationState } from '@scsipub/scsi'
import t from 'tap'
import { Exclusion } from './exclusion.js'
import { PersistentReservations } from './persistent-reservations.js'
import { ReservationFile } from './reservation-file.js'
import { bench, spec } from './test-bench.js'

const A = 'iqn.2025-01.test:a,i,0x000000000001'
const B = 'iqn.2025-01.test:b,i,0x000000000001'
const KEY_A = '00000000000000aa'
const KEY_B = '00000000000000bb'
const a = new Borrower(1, A)
const b = new Borrower(2, B)

const register = (newKey: string, persist = false): ReservationAction => ({
  name: 'register',
  key: '',
  newKey,
  ignoreKey: true,
  persist,
  allTargetPorts: false,
})
const reserve = (key: string, type: number): ReservationAction => ({ name: 'reserve', key, scope: 0, type })
const preempt: ReservationAction = { name: 'preempt', key: KEY_A, victimKey: KEY_B, scope: 0, type: 5, abort: true }

interface Store {
  load(): ReservationState
  store(state: ReservationState): void
}

function unitOf(file?: Store) {
  const control = ControlBlock.create(2048, 0)
  const exclusion = new Exclusion({ control, name: 'disk', opened: () => {} })
  let last = 0
  const numbers = { note: () => {}, nextNotice: () => ++last, taken: undefined }
  return { control, reservations: new PersistentReservations({ control, exclusion, file, ...numbers }) }
}

t.test('a port has its access with whichever session [SPC-4 §5.13.7]', async t => {
  const { control, reservations } = unitOf()
  await reservations.change(A, register(KEY_A))
  t.equal(control.refuses(b, true), undefined, 'a registration keeps nobody out')
  await reservations.change(A, reserve(KEY_A, 1))
  t.equal(control.refuses(a, true), undefined)
  t.equal(control.refuses(new Borrower(9, A), true), undefined)
  t.equal(control.refuses(b, true), 'reserved')
  t.equal(control.refuses(b, false), undefined, 'write exclusive: others may read')
  await reservations.change(A, { name: 'release', key: KEY_A, scope: 0, type: 1 })
  await reservations.change(A, reserve(KEY_A, 3))
  t.equal(control.refuses(b, false), 'reserved', 'exclusive access: they may not')
  await reservations.change(A, { name: 'clear', key: KEY_A })
  t.equal(control.refuses(b, true), undefined)
})

t.test('a change waits for I/O in flight, and is not answered before it has ended [SPC-4 §5.13.11.2.6]', async t => {
  const { control, reservations } = unitOf()
  await reservations.change(A, register(KEY_A))
  await reservations.change(B, register(KEY_B))
  await reservations.change(A, reserve(KEY_A, 5))
  t.ok(control.enter(3))
  t.equal(control.refuses(b, true), undefined)
  const fenced = reservations.change(A, preempt)
  let answered = false
  void fenced.then(() => {
    answered = true
  })
  for (let turn = 0; turn < 100 && !control.gateClosed; turn++) await new Promise(resolve => setImmediate(resolve))
  t.ok(control.gateClosed)
  await new Promise(resolve => setTimeout(resolve, 20))
  t.notOk(answered, 'the write of the victim is under way')
  t.notOk(control.enter(4), 'and no other one begins')
  control.leave(3)
  t.same((await fenced).abort, [B])
  t.ok(control.enter(4))
  t.equal(control.refuses(b, true), 'reserved')
})

t.test(
  'with APTPL a change is on the disk before it has any effect; without it nothing is [SPC-4 §5.13.5]',
  async t => {
    const directory = t.testdir()
    const file = new ReservationFile(directory, 'disk')
    const path = join(directory, 'reservations.json')
    let atStore: ReturnType<ControlBlock['persistentAccess']> | undefined
    const { control, reservations } = unitOf({
      load: () => file.load(),
      store: state => {
        atStore = control.persistentAccess(b)
        file.store(state)
      },
    })
    await reservations.change(A, register(KEY_A))
    t.throws(() => readFileSync(path), { code: 'ENOENT' })
    await reservations.change(A, register(KEY_A, true))
    await reservations.change(A, reserve(KEY_A, 3))
    t.equal(atStore, 'full', 'nobody was kept out yet when it was written')
    t.equal(control.persistentAccess(b), 'none')
    const again = unitOf(new ReservationFile(directory, 'disk'))
    t.same(again.reservations.state, { ...reservations.state, generation: 0 })
    t.equal(again.control.persistentAccess(b), 'none', 'from the first moment')
    t.equal(again.control.persistentAccess(a), 'full')
    await again.reservations.change(A, register(KEY_A, false))
    t.throws(() => readFileSync(path), { code: 'ENOENT' })
  },
)

t.test('what cannot be written is not done', async t => {
  const directory = t.testdir()
  const { control, reservations } = unitOf(new ReservationFile(directory, 'disk'))
  await reservations.change(A, register(KEY_A, true))
  rmSync(directory, { recursive: true })
  await t.rejects(reservations.change(A, reserve(KEY_A, 3)), { code: 'io', message: /disk.*reservations\.json/ })
  t.equal(reservations.state.reservation, undefined)
  t.equal(control.persistentAccess(b), 'full')
  t.notOk(control.gateClosed)
  mkdirSync(directory)
  t.equal((await reservations.change(A, reserve(KEY_A, 3))).refused, undefined, 'and again, when it can')
})

t.test('a unit that cannot keep anything refuses APTPL, and a unit under RESERVE everything', async t => {
  const { control, reservations } = unitOf()
  t.equal((await reservations.change(A, register(KEY_A, true))).refused, 'invalidParameter')
  t.same(reservations.state, NO_RESERVATIONS)
  control.holder = a.sessionId
  t.equal((await reservations.change(A, register(KEY_A))).refused, 'conflict', 'even for its holder [SPC-2 §5.5.1]')
})

t.test('a file that is not what was written is refused, whatever the change', async t => {
  const directory = t.testdir()
  const file = new ReservationFile(directory, 'disk')
  const path = join(directory, 'reservations.json')
  t.same(file.load(), NO_RESERVATIONS)
  const { reservations } = unitOf(file)
  await reservations.change(A, register(KEY_A, true))
  await reservations.change(B, register(KEY_B, true))
  await reservations.change(A, reserve(KEY_A, 5))
  const text = readFileSync(path, 'utf8')
  const damaged: Record<string, string> = {
    'another key': text.replace(KEY_A, KEY_B),
    'another type': text.replace('"type": 5', '"type": 6'),
    'another holder': text.replace(`"holder": "${A}"`, `"holder": "${B}"`),
    'cut short': text.slice(0, -20),
    empty: '',
    'another format': text.replace('"format": 1', '"format": 2'),
    'no registrations': text.replace('registrations', 'registration'),
  }
  for (const [what, content] of Object.entries(damaged)) {
    t.not(content, text, what)
    writeFileSync(path, content)
    t.throws(() => file.load(), { code: 'damaged', message: /disk is refused: .*reservations\.json/ }, what)
  }
  writeFileSync(path, text)
  t.same(
    file.load().registrations.map(({ key }) => key),
    [KEY_A, KEY_B],
  )
})

t.test('a state that cannot be is refused though its checksum is right', async t => {
  const directory = t.testdir()
  const file = new ReservationFile(directory, 'disk')
  const one = { port: A, key: KEY_A, allTargetPorts: false }
  const impossible: ReservationState[] = [
    { ...NO_RESERVATIONS, persistent: true, registrations: [one, one] },
    { ...NO_RESERVATIONS, persistent: true, registrations: [{ ...one, key: 'aa' }] },
    { ...NO_RESERVATIONS, persistent: true, registrations: [one], reservation: { type: 5, holder: B } },
    { ...NO_RESERVATIONS, persistent: true, registrations: [one], reservation: { type: 7, holder: A } },
    { ...NO_RESERVATIONS, persistent: true, registrations: [], reservation: { type: 7, holder: undefined } },
  ]
  for (const state of impossible) {
    file.store(state)
    t.throws(() => file.load(), { code: 'damaged', message: /contradicts itself/ }, JSON.stringify(state))
  }
})

t.test('a volume whose reservations are damaged is refused, and it alone', async t => {
  const dataDir = t.testdir()
  const first = bench(dataDir)
  for (const volumeId of ['disk', 'other']) {
    await first.engine.open(spec(volumeId))
    const { reservations } = await first.engine.volume(volumeId)
    await reservations.change(A, register(KEY_A, true))
  }
  await first.engine.close()
  const path = join(dataDir, 'volumes', 'disk', 'reservations.json')
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, text.replace(KEY_A, KEY_B))
  const second = bench(dataDir)
  await t.rejects(second.engine.open(spec('disk')), {
    code: 'damaged',
    message: /reservations\.json has a wrong checksum/,
  })
  await second.engine.open(spec('other'))
  t.same((await second.engine.volume('other')).reservations.state.registrations.length, 1)
  writeFileSync(path, text)
  await second.engine.open(spec('disk'))
  t.same((await second.engine.volume('disk')).reservations.state.registrations.length, 1)
  await second.engine.close()
})
