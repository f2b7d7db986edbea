/**
 * A SCSI Command PDU: asks the command table what the CDB comes to, and does that on the LUN's volume. [7143 §11.3]
 *
 * The usual READ or WRITE, whose data is in the page cache or came with the command, begins and ends here in one synchronous section.
 * Everything else becomes a task.
 */
import { IO_KIND, type ReadRecord, type WriteRecord } from '@scsipub/contract'
import { BHS_SIZE, RESERVED_TAG, RejectReason, scsiCommand } from '@scsipub/iscsi'
import { decodeLun, dispatch, type Outcome, status, transferLengthBytes } from '@scsipub/scsi'
import type { BorrowedVolume } from '@scsipub/volume'
import type { Command } from './command.js'
import { exclusive } from './exclusive.js'
import type { FullFeature } from './full-feature.js'
import { mediumSense } from './medium-sense.js'
import { persistentReserveIn, persistentReserveOut } from './persistent-reserve.js'
import { preFetch } from './pre-fetch.js'
import { type Provision, provision } from './provision.js'
import { readBytes } from './read-bytes.js'
import { ReadTask, type Source } from './read-task.js'
import { reject } from './reject.js'
import { respond, respondSense, respondStatus } from './scsi-response.js'
import { changeUnit } from './unit-change.js'
import { verify } from './verify.js'
import { writeAndVerify } from './write-and-verify.js'
import { type Sink, WriteTask } from './write-task.js'

const CDB_AT = 32
const CDB_BYTES = 16
const LUN_AT = 8

/** Carries out the command at `head` of `buffer`, with `length` bytes of immediate data at `dataAt`. */
export function scsiCommandPdu(phase: FullFeature, buffer: Buffer, head: number, dataAt: number, length: number): void {
  const { get } = scsiCommand
  const number = decodeLun(buffer, head + LUN_AT)
  const lun = phase.luns.get(number)
  const command: Command = {
    initiatorTaskTag: get.initiatorTaskTag(buffer, head),
    lun,
    reads: get.read(buffer, head),
    writes: get.write(buffer, head),
    expectedBytes: get.expectedDataTransferLength(buffer, head),
    final: get.final(buffer, head),
    immediate: get.immediate(buffer, head),
    dataSn: 0,
    kept: false,
    io: IO_KIND.other,
    beganUs: phase.counters.began(),
  }
  const wrong = invalid(phase, command, length)
  if (wrong !== undefined) return reject(phase, wrong, buffer, head)
  // A reservation conflict goes before all other conditions [SAM-5 §5.3.3].
  if (lun?.conflicts(buffer, head + CDB_AT)) return respond(phase, command, status.reservationConflict, 0)
  const outcome = dispatch(buffer, head + CDB_AT, lun ?? phase.absent(number))
  carryOut(phase, command, outcome, { buffer, head, dataAt, length, record: undefined })
}

/**
 * Goes on with a command that waited in another worker. It was judged there: reservations and unit attentions keep out only what comes
 * later, and what it does to the medium passes the gate in any case.
 */
export function resumeCommand(phase: FullFeature, command: Command, record: WriteRecord): void {
  const { lun } = command
  const context = lun && { lu: lun.lu, lun: lun.lun, target: lun.target, nexus: { unitAttentions: [] } }
  const cdb = Buffer.from(record.cdb)
  const header = Buffer.concat([Buffer.alloc(CDB_AT), cdb])
  const outcome = dispatch(cdb, 0, context ?? phase.absent(0))
  carryOut(phase, command, outcome, { buffer: header, head: 0, dataAt: header.length, length: 0, record })
}

/** Goes on with a read that slept in another worker. */
export function resumeRead(phase: FullFeature, command: Command, record: ReadRecord): void {
  const { wanted, sent, from } = record
  const source = 'start' in from ? volumeSource(command.lun!.volume, from.start) : memorySource(from.data, sent)
  new ReadTask(phase, command, wanted, source).restore(record)
}

/** Why a command cannot be taken as it came: the flags contradict each other, or its data is not what was agreed. Runs for every command. */
function invalid(phase: FullFeature, command: Command, length: number): number | undefined {
  const { reads, writes, final, expectedBytes } = command
  if (command.initiatorTaskTag === RESERVED_TAG) return RejectReason.protocolError // [7143 §11.2.1.8]
  if (!writes) return final && length === 0 && (reads || expectedBytes === 0) ? undefined : RejectReason.protocolError // [7143 §11.3.1]
  if (reads) return RejectReason.invalidPduField // no command here moves data both ways
  const { immediateData, initialR2T, firstBurstLength } = phase.parameters
  if (length > 0 && (!immediateData || length > Math.min(firstBurstLength, expectedBytes)))
    return RejectReason.protocolError // [7143 §13.11, §13.14]
  return final || !initialR2T ? undefined : RejectReason.protocolError // [7143 §13.10]
}

/** Data that came with the command; valid in this section only. */
interface Immediate {
  readonly buffer: Buffer
  /** Of the command PDU. */
  readonly head: number
  readonly dataAt: number
  readonly length: number
  /** Of a command that has begun in another worker. */
  readonly record: WriteRecord | undefined
}

const NO_DATA: Immediate = { buffer: Buffer.alloc(BHS_SIZE), head: 0, dataAt: BHS_SIZE, length: 0, record: undefined }

function carryOut(phase: FullFeature, command: Command, outcome: Outcome, immediate: Immediate): void {
  switch (outcome.kind) {
    case 'status':
      return respondStatus(phase, command, outcome)
    case 'dataIn':
      if (outcome.clears) phase.session.clearUnitAttention(outcome.clears)
      return send(phase, command, outcome.data.length, (position, target, at, length) => {
        outcome.data.copy(target, at, position, position + length)
        return undefined
      })
    case 'read':
      return read(phase, command, outcome)
    case 'write':
      return write(phase, command, outcome, immediate)
    case 'verify':
      if (outcome.byteCheck === 0) return verify(phase, command, outcome)
      return receive(phase, command, immediate, transferLengthBytes(outcome, command.lun?.lu), (task, data) =>
        verify(phase, command, outcome, data, task),
      )
    case 'writeAndVerify':
      return receive(phase, command, immediate, transferLengthBytes(outcome, command.lun?.lu), (task, data) =>
        writeAndVerify(phase, command, outcome, data, task),
      )
    case 'exclusive':
      return receive(phase, command, immediate, transferLengthBytes(outcome, command.lun?.lu), (task, data) =>
        exclusive(phase, command, outcome, data, task),
      )
    case 'preFetch':
      return preFetch(phase, command, outcome)
    case 'flush':
      return flush(phase, command)
    case 'parameterOut':
      return receive(phase, command, immediate, outcome.lengthBytes, (task, data) => {
        const next = outcome.apply(data)
        if (next.kind === 'status') respondStatus(phase, command, next, data.length)
        else if (next.kind === 'unit') changeUnit(phase, command, next.change, data.length, task)
        else if (next.kind === 'reserveOut') persistentReserveOut(phase, command, next, data.length, task)
        else if (next.kind === 'provision')
          provisionBlocks(phase, command, { operation: next.operation, moved: outcome.lengthBytes, task })
        else carryOut(phase, command, next, NO_DATA) // what came with the command has been used
      })
    case 'provision':
      return provisionBlocks(phase, command, {
        operation: outcome.operation,
        moved: 0,
        task: phase.tasks.instant(command),
      })
    case 'copy':
      return phase.session.copies.begin(phase, command, outcome.job)
    case 'copyResults':
      return carryOut(phase, command, phase.session.copies.results(command.lun!, outcome), immediate)
    case 'reserveOut':
      return persistentReserveOut(phase, command, outcome)
    case 'reserveIn':
      return persistentReserveIn(phase, command, outcome, data => carryOut(phase, command, data, immediate))
    case 'unit':
      return changeUnit(phase, command, outcome.change)
    case 'medium':
      return moveMedium(phase, command, outcome)
  }
}

function provisionBlocks(phase: FullFeature, command: Command, what: Omit<Provision, 'next'>): void {
  provision(phase, command, { ...what, next: outcome => carryOut(phase, command, outcome, NO_DATA) })
}

function read(phase: FullFeature, command: Command, { lba, blocks, fua }: Extract<Outcome, { kind: 'read' }>): void {
  command.io = IO_KIND.read
  const { volume } = command.lun!
  const start = lba * volume.blockBytes
  const source = volumeSource(volume, start)
  const go = () => send(phase, command, blocks * volume.blockBytes, source, volume, start)
  if (!fua) return go()
  // What is read with FUA has to be on the medium [SBC-3 §4.15].
  phase.tasks.attempt(
    phase.tasks.instant(command),
    () => volume.flush(),
    go,
    error => respondSense(phase, command, mediumSense(error)),
  )
}

function volumeSource(volume: BorrowedVolume, start: number): Source {
  return (position, target, at, length) => readBytes(volume, start + position, target, at, length)
}

/** `data` is what lies at `from` of the transfer, and all behind it. */
function memorySource(data: Uint8Array, from: number): Source {
  return (position, target, at, length) => {
    target.set(data.subarray(position - from, position - from + length), at)
    return undefined
  }
}

/** Sends `wanted` bytes to the initiator, or says by the residual how much of it there was no room for. */
function send(
  phase: FullFeature,
  command: Command,
  wanted: number,
  source: Source,
  volume?: BorrowedVolume,
  start?: number,
): void {
  if (wanted === 0 || command.expectedBytes === 0 || !command.reads) {
    return respond(phase, command.reads ? command : { ...command, expectedBytes: 0 }, status.good, wanted)
  }
  new ReadTask(phase, command, wanted, source).start(volume, start)
}

function write(
  phase: FullFeature,
  command: Command,
  outcome: Extract<Outcome, { kind: 'write' }>,
  immediate: Immediate,
): void {
  command.io = IO_KIND.write
  const { volume } = command.lun!
  const start = outcome.lba * volume.blockBytes
  const wanted = outcome.blocks * volume.blockBytes
  // What an initiator offers less than the CDB asks for is written as far as whole blocks go [7143 §11.4.5.1].
  const whole = (bytes: number) => bytes - (bytes % volume.blockBytes)
  if (command.final && immediate.length >= wanted && command.writes) {
    return store(
      phase,
      command,
      { start, length: wanted, wanted, fua: outcome.fua },
      immediate.buffer,
      immediate.dataAt,
    )
  }
  receive(phase, command, immediate, wanted, (task, data) => {
    store(phase, command, { start, length: whole(data.length), wanted, fua: outcome.fua }, data, 0, task)
  })
}

interface Extent {
  readonly start: number
  readonly length: number
  readonly wanted: number
  readonly fua: boolean
}

/** Writes, makes durable when asked, answers. */
function store(
  phase: FullFeature,
  command: Command,
  extent: Extent,
  data: Buffer,
  at: number,
  task = phase.tasks.instant(command),
): void {
  const { volume } = command.lun!
  const done = () => respond(phase, command, status.good, extent.wanted)
  const failed = (error: unknown) => respondSense(phase, command, mediumSense(error))
  const written = () => (extent.fua ? phase.tasks.attempt(task, () => volume.flush(), done, failed) : done())
  if (extent.length === 0) return written()
  phase.tasks.attempt(task, () => volume.write(extent.start, data, at, extent.length), written, failed)
}

/** Collects `wanted` bytes from the initiator, or as many as it offers, and gives them to `sink`. */
function receive(phase: FullFeature, command: Command, immediate: Immediate, wanted: number, sink: Sink): void {
  const offered = command.writes ? command.expectedBytes : 0
  const { buffer, head, record } = immediate
  const cdb = Buffer.from(buffer.subarray(head + CDB_AT, head + CDB_AT + CDB_BYTES))
  const task = new WriteTask(phase, command, Math.min(wanted, offered), cdb, sink)
  if (offered === 0 || wanted === 0) return sink(task, buffer.subarray(0, 0))
  phase.tasks.keep(task)
  if (record) task.restore(record)
  else task.begin(buffer, immediate.dataAt, immediate.length)
}

/** Loads or ejects; what was written is durable before the medium is out [SBC-3 §5.25]. */
function moveMedium(
  phase: FullFeature,
  command: Command,
  { action, flush }: Extract<Outcome, { kind: 'medium' }>,
): void {
  const task = phase.tasks.instant(command)
  phase.tasks.attempt(
    task,
    () => (flush ? command.lun!.volume.flush() : undefined),
    () => changeUnit(phase, command, { name: action }, 0, task),
    error => respondSense(phase, command, mediumSense(error)),
  )
}

function flush(phase: FullFeature, command: Command): void {
  const { volume } = command.lun!
  phase.tasks.attempt(
    phase.tasks.instant(command),
    () => volume.flush(),
    () => respond(phase, command, status.good, 0),
    error => respondSense(phase, command, mediumSense(error)),
  )
}
