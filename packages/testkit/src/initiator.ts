// An initiator for tests: one connection of a session, which has one or, by `addConnection`, several of them. What it does by itself is right; everything it sends can be said
// otherwise, number by number, by whoever tests what the target makes of it.
//
//   const disk = await Initiator.login(address, { target })
//   await disk.write(0, data)
//   t.same(await disk.read(0, 8), data)
//   const second = await disk.addConnection(address, { cid: 2 })
//
// Left out: recovery of any kind. What goes wrong fails the test.

import type { DecodedFields, Fields } from '@scsipub/bytes'
import {
  LogoutReason,
  type LogoutResponse,
  logoutRequest,
  logoutResponse,
  type NopIn,
  nopIn,
  nopOut,
  Opcode,
  opcodeName,
  type Pdu,
  RESERVED_TAG,
  type Reject,
  reject,
  scsiCommand,
  taskManagementRequest,
  taskManagementResponse,
} from '@scsipub/iscsi'
import { encodeLun, status } from '@scsipub/scsi'
import { cdb } from './cdb.js'
import { collectCommand } from './collect.js'
import type { CommandPdu, WriteOptions } from './command-options.js'
import type { CommandResult } from './command-result.js'
import { type Agreed, type LoggedIn, type LoginOptions, login } from './login.js'
import { randomIsid } from './login-talk.js'
import { decodeAs, type ReceivedPdu } from './received-pdu.js'
import { SequenceWatch } from './sequence-watch.js'
import type { TextKeys } from './text-keys.js'
import { TextTalk } from './text-talk.js'
import { type PortalAddress, Wire } from './wire.js'
import { sendDataOut, sendUnsolicited, usualShare } from './write-transfer.js'

const BLOCK_BYTES = 512

/** What the connections of a session count together [7143 §4.2.2.1, §11.2.1.8]. */
interface Counters {
  cmdSn: number
  tag: number
}

export class Initiator {
  readonly wire: Wire
  readonly session: LoggedIn
  readonly watch: SequenceWatch
  /** Longest data segment of a Data-Out PDU; what the target takes, unless a test wants shorter ones. */
  longestSegment: number
  readonly #counters: Counters
  readonly #options: LoginOptions

  private constructor(
    wire: Wire,
    session: LoggedIn,
    options: LoginOptions,
    counters: Counters = { cmdSn: session.last.expCmdSn, tag: 0x10 },
  ) {
    this.wire = wire
    this.session = session
    this.watch = new SequenceWatch(session.last)
    this.#counters = counters
    this.#options = options
    this.longestSegment = session.agreed.targetMaxRecvDataSegmentLength
    wire.onPdu = pdu => {
      this.watch.see(pdu)
      return this.#answerPing(pdu)
    }
  }

  /**
   * Connects and logs in. @throws LoginRefused with the status
   */
  static async login(address: PortalAddress, options: LoginOptions = {}): Promise<Initiator> {
    const wire = await Wire.connect(address)
    try {
      return await Initiator.loginOn(wire, options)
    } catch (error) {
      await wire.end('reset')
      throw error
    }
  }

  /** Logs in on a connection that is there already. */
  static async loginOn(wire: Wire, options: LoginOptions = {}): Promise<Initiator> {
    const named = { isid: randomIsid(), ...options }
    return new Initiator(wire, await login(wire, named), named)
  }

  /** Another connection of this session, by its ID. @throws LoginRefused with the status */
  async addConnection(address: PortalAddress, options: LoginOptions & { readonly cid: number }): Promise<Initiator> {
    return this.addConnectionOn(await Wire.connect(address), options)
  }

  /** As `addConnection`, on a TCP connection that is there already. */
  async addConnectionOn(wire: Wire, options: LoginOptions & { readonly cid: number }): Promise<Initiator> {
    const { target, initiatorName, isid, chap } = this.#options
    const named = { ...(target && { target }), ...(initiatorName && { initiatorName }), ...(isid && { isid }) }
    const same = { ...named, ...(chap && { chap }) }
    const own = { ...same, tsih: this.tsih, cmdSn: this.cmdSn, session: this.agreed, ...options }
    try {
      return new Initiator(wire, await login(wire, own), own, this.#counters)
    } catch (error) {
      await wire.end('reset')
      throw error
    }
  }

  /** CmdSN of the session's next command that is not immediate. */
  get cmdSn(): number {
    return this.#counters.cmdSn
  }

  set cmdSn(cmdSn: number) {
    this.#counters.cmdSn = cmdSn
  }

  get agreed(): Agreed {
    return this.session.agreed
  }

  get tsih(): number {
    return this.session.tsih
  }

  /** A task tag that was not used before. */
  takeTag(): number {
    this.#counters.tag += 1
    return this.#counters.tag
  }

  /** CmdSN and ExpStatSN of a request; an immediate one takes no number [7143 §4.2.2.1]. */
  numbers(immediate = false): { cmdSn: number; expStatSn: number } {
    const cmdSn = this.cmdSn
    if (!immediate) this.cmdSn = (cmdSn + 1) >>> 0
    return { cmdSn, expStatSn: this.watch.expStatSn }
  }

  // --- SCSI commands

  /** Sends a command PDU, as told, and returns its task tag. */
  sendCommand(command: CommandPdu): number {
    const { lun = 0, data, cmdSn, immediate = false, ...fields } = command
    const tag = command.initiatorTaskTag ?? this.takeTag()
    const own = cmdSn === undefined ? this.numbers(immediate) : { cmdSn, expStatSn: this.watch.expStatSn }
    const header = scsiCommand.encode({
      final: true,
      ...fields,
      immediate,
      ...own,
      initiatorTaskTag: tag,
      lun: encodeLun(lun),
    })
    this.wire.send(header, data)
    return tag
  }

  /** Waits for the end of a command; `data` answers its R2Ts. */
  collect(tag: number, data?: Buffer, deadlineMs?: number): Promise<CommandResult> {
    return collectCommand(this, { tag, data, deadlineMs })
  }

  /** A command without data. */
  execute(cdb: Buffer, lun = 0): Promise<CommandResult> {
    return this.collect(this.sendCommand({ cdb, lun }))
  }

  /** A command that reads; `bytes` is what we have room for (EDTL). */
  executeRead(cdb: Buffer, bytes: number, lun = 0): Promise<CommandResult> {
    return this.collect(this.sendCommand({ cdb, lun, read: true, expectedDataTransferLength: bytes }))
  }

  /** A command that writes `data`. */
  executeWrite(cdb: Buffer, data: Buffer, options: WriteOptions = {}): Promise<CommandResult> {
    return this.collect(this.beginWrite(cdb, data, options), data)
  }

  /** Sends a write and its unsolicited data; `collect` goes on with it. */
  beginWrite(cdb: Buffer, data: Buffer, options: WriteOptions = {}): number {
    const share = options.share ?? usualShare(this.agreed, data.length)
    const { lun = 0, expectedDataTransferLength = data.length } = options
    const tag = this.sendCommand({
      cdb,
      lun,
      write: true,
      expectedDataTransferLength,
      final: share.unsolicited === undefined,
      data: data.subarray(0, share.immediate),
      ...(options.cmdSn !== undefined && { cmdSn: options.cmdSn }),
    })
    sendUnsolicited(this, tag, lun, data, share)
    return tag
  }

  /** Blocks of 512 bytes from `lba` on. @throws Error unless the command is GOOD and complete */
  async read(lba: number, blocks: number, lun = 0): Promise<Buffer> {
    const result = await this.executeRead(cdb.read16(lba, blocks), blocks * BLOCK_BYTES, lun)
    requireGood('READ', result)
    if (result.data.length !== blocks * BLOCK_BYTES) throw new Error(`READ gave ${result.data.length} bytes`)
    return result.data
  }

  /** Writes whole blocks of 512 bytes. @throws Error unless the command is GOOD */
  async write(lba: number, data: Buffer, lun = 0): Promise<void> {
    requireGood('WRITE', await this.executeWrite(cdb.write16(lba, data.length / BLOCK_BYTES), data, { lun }))
  }

  /** Sends one Data-Out PDU, with any numbers. */
  dataOut(fields: Parameters<typeof sendDataOut>[1], data: Buffer): void {
    sendDataOut(this, fields, data)
  }

  // --- everything else

  /** Sends a request of any kind with CmdSN, ExpStatSN and a task tag, and returns the tag. `fields` go before them. */
  request<F extends Fields>(kind: Pdu<F>, fields: Partial<DecodedFields<F>>, data?: Buffer): number {
    const loose = fields as { immediate?: boolean; initiatorTaskTag?: number; cmdSn?: number }
    const tag = loose.initiatorTaskTag ?? this.takeTag()
    const own = loose.cmdSn === undefined ? this.numbers(loose.immediate) : { expStatSn: this.watch.expStatSn }
    const value = { ...own, initiatorTaskTag: tag, ...fields } as Partial<DecodedFields<F>>
    this.wire.send(kind.encode(value), data)
    return tag
  }

  /** The next PDU of that kind, for that task when a tag is given. */
  async take<F extends Fields>(kind: Pdu<F>, tag?: number, deadlineMs?: number): Promise<DecodedFields<F>> {
    return decodeAs(kind, await this.takePdu(kind, tag, deadlineMs))
  }

  /** As `take`, with the data segment. */
  takePdu<F extends Fields>(kind: Pdu<F>, tag?: number, deadlineMs?: number): Promise<ReceivedPdu> {
    return this.wire.inbox.take({
      what: opcodeName(kind.opcode),
      matches: pdu => pdu.opcode === kind.opcode && (tag === undefined || pdu.initiatorTaskTag === tag),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    })
  }

  /** A ping and its echo [7143 §11.18]. All that was sent before and has to be answered at once is answered before it. */
  async ping(data: Buffer = Buffer.alloc(0), immediate = true): Promise<NopIn & { data: Buffer }> {
    const tag = this.request(nopOut, { immediate, targetTransferTag: RESERVED_TAG }, data)
    const pdu = await this.takePdu(nopIn, tag)
    return { ...decodeAs(nopIn, pdu), data: pdu.data }
  }

  /** The next Reject, with the header that it gives back. */
  async takeReject(): Promise<Reject & { rejected: Buffer }> {
    const pdu = await this.takePdu(reject)
    return { ...decodeAs(reject, pdu), rejected: pdu.data }
  }

  /** The response code of a task management function [7143 §11.6.1]. */
  async manageTask(
    fn: number,
    fields: Omit<Parameters<typeof taskManagementRequest.encode>[0], 'function' | 'lun'> & { lun?: number } = {},
  ): Promise<number> {
    const { lun = 0, ...rest } = fields
    const request = { immediate: true, referencedTaskTag: RESERVED_TAG, ...rest, function: fn, lun: encodeLun(lun) }
    const tag = this.request(taskManagementRequest, request)
    return (await this.take(taskManagementResponse, tag)).response
  }

  /** A text exchange; `keys` are those of the whole answer, however many PDUs it takes. */
  text(keys: TextKeys): Promise<TextTalk> {
    return TextTalk.exchange(this, keys)
  }

  async logout(reasonCode: number = LogoutReason.closeSession, cid = 0): Promise<LogoutResponse> {
    const tag = this.request(logoutRequest, { immediate: true, reasonCode, cid })
    return this.take(logoutResponse, tag)
  }

  /** Ends the connection, by FIN or RST; resolves when it is over. */
  async close(ending: 'fin' | 'reset' = 'fin'): Promise<void> {
    await this.wire.end(ending)
  }

  /** A ping of the target that wants an answer gets one [7143 §11.19.1]; it comes in whatever a test does when that takes half a minute. */
  #answerPing(pdu: ReceivedPdu): 'dealt with' | undefined {
    if (pdu.opcode !== Opcode.nopIn || pdu.initiatorTaskTag !== RESERVED_TAG) return undefined
    const { targetTransferTag, lun } = nopIn.decode(pdu.header)
    if (targetTransferTag === RESERVED_TAG) return undefined
    this.request(nopOut, { immediate: true, initiatorTaskTag: RESERVED_TAG, targetTransferTag, lun })
    return 'dealt with'
  }
}

function requireGood(what: string, result: CommandResult): void {
  if (result.status === status.good && result.overflow === 0 && result.underflow === 0) return
  const { sense, overflow, underflow } = result
  throw new Error(`${what} ended with status ${result.status}, sense ${sense}, residual +${overflow} -${underflow}`)
}
