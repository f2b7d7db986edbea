/**
 * The control block of one LUN: a few words of shared memory by which the storage engine arbitrates a volume that
 * session workers read and write by themselves.
 *
 *   word  0        gate: 0 open, 1 closed
 *   word  1        stage (`volume-stage.ts`)
 *   words 2..3     sectors allocated in the overlay (64 bit)
 *   words 4..5     quota in sectors, 0 = none (64 bit)
 *   word  6        1 once something of the volume has been unmapped
 *   word  7        progress of a sanitize operation, 0 to 65535
 *   words 8..71    I/O in flight, one counter a worker slot
 *   word  72       state of the unit (`unit-state.ts`), 0 when everything is as usual
 *   word  73       borrower (session id) that holds the reservation, while the state says that there is one
 *   words 74..585  initiator ports that a persistent reservation gives full access (`access-table.ts`), while the state says that there is one
 *   word  586      changes of what reservations leave to whom, counted modulo 2^32 (`nexus-access.ts`)
 *   word  587      1 once a flush has lost data: no later one may say that all is well
 *   words 588..589 the exclusive operation that is or was under way, by the number that its borrower gave it (a double)
 *   word  590      how far that operation is, see OPERATION
 *   words 591..    bitmap pages that may differ from the durable bitmap (`dirty-pages.ts`)
 *
 * A worker raises its counter *before* it looks at the gate, and the engine closes the gate *before* it looks at the
 * counters; with sequentially consistent atomics one of the two sees the other. The same holds for the state: the engine changes what keeps
 * borrowers out with the gate closed, and a worker looks at it after it has entered.
 *
 * So `enter` alone needs the order of Atomics. What is looked at behind it is ordered by it, and what is looked at without it may be old
 * anyway: the stage and the state are read as plain words, which are never torn, since five more calls of Atomics.load a command are dear.
 */
import { ACCESS_TABLE_WORDS, AccessTable } from './access-table.js'
import { SECTORS_PER_BITMAP_PAGE } from './bitmap-page.js'
import { BookedSpace } from './booked-space.js'
import { type Borrower, KEPT_OUT, portDigest } from './borrower.js'
import { DirtyPages } from './dirty-pages.js'
import { UNIT_STATE } from './unit-state.js'
import type { VolumeStage } from './volume-stage.js'

/** Slots for session workers that may be alive at one time. */
export const MAX_WORKER_SLOTS = 64
const GATE = 0
const STAGE = 1
/** In words of 64 bits. */
const SPACE = { allocated: 1, quota: 2 }
const UNMAPPED = 6
const SANITIZE_PROGRESS = 7
const IN_FLIGHT = 8
const STATE = IN_FLIGHT + MAX_WORKER_SLOTS
const HOLDER = STATE + 1
const ACCESS = HOLDER + 1
const ACCESS_GENERATION = ACCESS + ACCESS_TABLE_WORDS
const FLUSH_FAILED = ACCESS_GENERATION + 1
const OPERATION_NUMBER = (FLUSH_FAILED + 1) / 2
const OPERATION_STAGE = FLUSH_FAILED + 3
const SUMMARY = OPERATION_STAGE + 1

/** How far an exclusive operation is: a storage engine that takes over from one that died finds it here. */
const OPERATION = { none: 0, begun: 1, done: 2 } as const

const KEEPS_OUT = UNIT_STATE.reserved | UNIT_STATE.mediumAbsent | UNIT_STATE.persistentlyReserved
const ANY_RESERVATION = UNIT_STATE.reserved | UNIT_STATE.persistentlyReserved

export class ControlBlock {
  readonly shared: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #doubles: Float64Array
  readonly #access: AccessTable
  readonly space: BookedSpace
  readonly dirty: DirtyPages

  /** Wraps the shared memory of a LUN. Any number of threads may wrap the same memory. */
  constructor(shared: SharedArrayBuffer) {
    this.shared = shared
    this.#words = new Int32Array(shared)
    this.space = new BookedSpace(new BigInt64Array(shared, 0, IN_FLIGHT / 2), SPACE)
    this.#doubles = new Float64Array(shared, 0, OPERATION_STAGE >>> 1)
    this.#access = new AccessTable(this.#words, ACCESS)
    this.dirty = new DirtyPages(this.#words, SUMMARY)
  }

  /** Makes the block of a volume of `sizeSectors` sectors of 512 bytes; `quotaSectors` 0 means no quota. */
  static create(sizeSectors: number, quotaSectors: number): ControlBlock {
    const pages = Math.ceil(sizeSectors / SECTORS_PER_BITMAP_PAGE)
    const words = SUMMARY + DirtyPages.wordsFor(pages)
    const block = new ControlBlock(new SharedArrayBuffer((words + (words & 1)) * 4))
    block.space.quotaSectors = quotaSectors
    return block
  }

  /**
   * The block that takes this one's place, for a volume of `sizeSectors` from now on: the same quota, unit state and reservations; with `overlay` 'same'
   * also what is booked, unmapped and marked, which needs at least the old size. Its gate is closed and nothing is in flight. To be made with this one's gate
   * closed and nothing in flight.
   */
  successor(sizeSectors: number, overlay: 'same' | 'empty'): ControlBlock {
    const next = ControlBlock.create(sizeSectors, this.space.quotaSectors)
    next.closeGate()
    next.#words.set(this.#words.subarray(STATE, SUMMARY), STATE)
    if (overlay === 'empty') return next
    next.space.allocatedSectors = this.space.allocatedSectors
    if (this.everUnmapped) next.setEverUnmapped()
    next.dirty.copy(this.dirty)
    return next
  }

  /** Raises the worker's counter and tells whether the gate let it in. When false, nothing is held. */
  enter(slot: number): boolean {
    Atomics.add(this.#words, IN_FLIGHT + slot, 1)
    if (Atomics.load(this.#words, GATE) === 0) return true
    Atomics.sub(this.#words, IN_FLIGHT + slot, 1)
    return false
  }

  /** Raises the worker's counter without a look at the gate: for who is in already, since the engine does not act before that one has left. */
  enterAgain(slot: number): void {
    Atomics.add(this.#words, IN_FLIGHT + slot, 1)
  }

  /** Ends what a successful `enter`, or `enterAgain`, began. */
  leave(slot: number): void {
    Atomics.sub(this.#words, IN_FLIGHT + slot, 1)
  }

  closeGate(): void {
    Atomics.store(this.#words, GATE, 1)
  }

  openGate(): void {
    Atomics.store(this.#words, GATE, 0)
  }

  get gateClosed(): boolean {
    return Atomics.load(this.#words, GATE) !== 0
  }

  /** Where the volume is in its life. To be looked at after a successful `enter`: it changes to gone with the gate closed. */
  get stage(): VolumeStage {
    return this.#words[STAGE] as VolumeStage
  }

  /** Set by the engine: materialised once the files are there and before anybody learns their names. */
  set stage(stage: VolumeStage) {
    Atomics.store(this.#words, STAGE, stage)
  }

  /** Whether the bitmap may have deallocated or anchored sectors, so that a write has to look. Looked at after a successful `enter`. */
  get everUnmapped(): boolean {
    return Atomics.load(this.#words, UNMAPPED) !== 0
  }

  /** Set by the engine, with the gate closed, before the first of them. */
  setEverUnmapped(): void {
    Atomics.store(this.#words, UNMAPPED, 1)
  }

  /** How far a sanitize operation is, in 65536ths. */
  get sanitizeProgress(): number {
    return Atomics.load(this.#words, SANITIZE_PROGRESS)
  }

  set sanitizeProgress(progress: number) {
    Atomics.store(this.#words, SANITIZE_PROGRESS, progress)
  }

  /** I/O in flight over all workers. With the gate closed it only falls. */
  inFlight(): number {
    let sum = 0
    for (let slot = 0; slot < MAX_WORKER_SLOTS; slot++) sum += Atomics.load(this.#words, IN_FLIGHT + slot)
    return sum
  }

  /** Forgets what a dead worker had in flight (without this the gate would wait for it for ever) and tells how much that was. */
  resetSlot(slot: number): number {
    return Atomics.exchange(this.#words, IN_FLIGHT + slot, 0)
  }

  /** What is not as usual with the logical unit: bits of UNIT_STATE. */
  get unitState(): number {
    return this.#words[STATE]!
  }

  /** Sets or clears bits of the state; the engine's. What keeps borrowers out changes with the gate closed, or loosens. */
  setUnitState(bits: number, on: boolean): void {
    if (on) Atomics.or(this.#words, STATE, bits)
    else Atomics.and(this.#words, STATE, ~bits)
  }

  /** The borrower that holds the reservation; 0 when there is none. */
  get holder(): number {
    return (this.unitState & UNIT_STATE.reserved) === 0 ? 0 : Atomics.load(this.#words, HOLDER) >>> 0
  }

  /** The engine's. To be set with the gate closed; cleared (0) at any time. */
  set holder(borrower: number) {
    if (borrower !== 0) Atomics.store(this.#words, HOLDER, borrower | 0)
    this.setUnitState(UNIT_STATE.reserved, borrower !== 0)
    this.#accessChanged()
  }

  /** Whether there is a reservation of any kind, so that somebody may be kept out. One look. */
  get anyReservation(): boolean {
    return (this.unitState & ANY_RESERVATION) !== 0
  }

  /** Whether there is anything at all that may keep I/O out. One look. */
  get anyHindrance(): boolean {
    return (this.unitState & KEEPS_OUT) !== 0
  }

  /** How often reservations have changed. */
  get accessGeneration(): number {
    return this.#words[ACCESS_GENERATION]!
  }

  /** The same, and what is read after it is not older. */
  orderedAccessGeneration(): number {
    return Atomics.load(this.#words, ACCESS_GENERATION)
  }

  #accessChanged(): void {
    Atomics.add(this.#words, ACCESS_GENERATION, 1)
  }

  /** What the persistent reservation leaves to the borrower's port. */
  persistentAccess(borrower: Borrower): 'full' | 'read' | 'none' {
    const state = this.unitState
    if ((state & UNIT_STATE.persistentlyReserved) === 0 || this.#access.has(borrower.digest)) return 'full'
    return (state & UNIT_STATE.othersRead) === 0 ? 'none' : 'read'
  }

  /** The engine's, with the gate closed: what a persistent reservation leaves to whom; undefined when there is none. */
  setPersistentAccess(access: { full: readonly string[]; othersRead: boolean } | undefined): void {
    if (access === undefined) {
      if ((this.unitState & UNIT_STATE.persistentlyReserved) === 0) return
      this.setUnitState(UNIT_STATE.persistentlyReserved, false)
      this.#access.replace([])
      return this.#accessChanged()
    }
    const full = access.full.map(portDigest)
    // Who has access before and after has it meanwhile: commands are looked at without the gate.
    this.#access.add(full)
    this.setUnitState(UNIT_STATE.othersRead, access.othersRead)
    this.setUnitState(UNIT_STATE.persistentlyReserved, true)
    this.#access.replace(full)
    this.#accessChanged()
  }

  /** What reservations keep a borrower from, as it is at the moment: bits of KEPT_OUT. See `NexusAccess` for who asks often. */
  verdict(borrower: Borrower): number {
    const { holder } = this
    const reserved = holder !== 0 && holder !== borrower.sessionId ? KEPT_OUT.reserved : 0
    const access = this.persistentAccess(borrower)
    if (access === 'full') return reserved
    return reserved | (access === 'read' ? KEPT_OUT.writing : KEPT_OUT.reading)
  }

  /** Why the borrower's I/O must not be done; to be asked after a successful `enter`. */
  refuses(borrower: Borrower, writing: boolean): undefined | 'reserved' | 'no-medium' {
    return this.anyHindrance ? this.hindrance(this.verdict(borrower), writing) : undefined
  }

  /** The same, for bits of KEPT_OUT that are known. */
  hindrance(verdict: number, writing: boolean): undefined | 'reserved' | 'no-medium' {
    if (verdict !== 0 && (writing || verdict !== KEPT_OUT.writing)) return 'reserved'
    return (this.unitState & UNIT_STATE.mediumAbsent) === 0 ? undefined : 'no-medium'
  }

  /** Whether a flush has lost data. It stays so until the volume is opened again. */
  get flushFailed(): boolean {
    return Atomics.load(this.#words, FLUSH_FAILED) !== 0
  }

  setFlushFailed(): void {
    Atomics.store(this.#words, FLUSH_FAILED, 1)
  }

  /** The engine's, with the gate closed: an operation begins that must not be done twice. */
  beginOperation(operationId: number): void {
    Atomics.store(this.#words, OPERATION_STAGE, OPERATION.none)
    this.#doubles[OPERATION_NUMBER] = operationId
    Atomics.store(this.#words, OPERATION_STAGE, OPERATION.begun)
  }

  /** The operation that was begun has been done, all of it. Without effect when none was. */
  endOperation(): void {
    Atomics.compareExchange(this.#words, OPERATION_STAGE, OPERATION.begun, OPERATION.done)
  }

  /** The last operation that was done, by its number; undefined when there is none, or one was begun and not done. */
  get doneOperation(): number | undefined {
    if (Atomics.load(this.#words, OPERATION_STAGE) !== OPERATION.done) return undefined
    return this.#doubles[OPERATION_NUMBER]
  }

  /** A copy of all words, for another process. */
  export(): Uint8Array {
    return Uint8Array.from(new Uint8Array(this.shared))
  }

  /** The block that `export` gave, in memory of this process; no worker of this process is in it. */
  static import(words: Uint8Array): ControlBlock {
    const shared = new SharedArrayBuffer(words.byteLength)
    new Uint8Array(shared).set(words)
    const block = new ControlBlock(shared)
    for (let slot = 0; slot < MAX_WORKER_SLOTS; slot++) block.resetSlot(slot)
    return block
  }
}
