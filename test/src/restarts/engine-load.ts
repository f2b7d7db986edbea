// What sessions do to disks while the storage engine dies under them, and what each of them knows to be true at any moment. Each actor throws at the first answer that
// contradicts what was acknowledged before; nobody repeats a command.

import { status } from '@scsipub/scsi'
import { type CommandResult, cdb, Initiator, type PortalAddress, persistentReserveOut, prOut } from '@scsipub/testkit'
import { iqn } from '../harness/server.js'
import { Starvation } from '../harness/starvation.js'
import { BLOCK, content } from '../protocol/lab.js'

/** Where each actor has its blocks. */
const PLACE = { writes: 0, counter: 4000, bits: 4100, atomic: 4200, fenced: 4400, reserved: 4410 }
const WRITE_BLOCKS = 8
const WRITE_PLACES = 64
const ATOMIC_BLOCKS = 16
const WRITE_EXCLUSIVE = 1

function cdb16(opcode: number, lba: number, length: number): Buffer {
  const bytes = Buffer.alloc(16)
  bytes[0] = opcode
  bytes.writeBigUInt64BE(BigInt(lba), 2)
  bytes.writeUInt32BE(length, 10)
  return bytes
}

function block(value: number, blocks = 1): Buffer {
  const data = Buffer.alloc(blocks * BLOCK)
  for (let at = 0; at < data.length; at += 8) data.writeBigUInt64LE(BigInt(value), at)
  return data
}

const said = ({ sense, status }: CommandResult): string | number => sense ?? status

function mustBe(what: string, found: unknown, wanted: unknown): void {
  if (found !== wanted) throw new Error(`${what}: ${String(found)}, and not ${String(wanted)}`)
}

/** One session at work. */
export interface Actor {
  readonly name: string
  /** Steps done. */
  steps: number
  /** Longest that a step took, in ms, less the time in which the machine let the server wait, which is in this process. */
  longestMs: number
  /** Looks whether what was acknowledged is there. */
  check(): Promise<void>
  close(): Promise<void>
}

type Step = () => Promise<void>

/** Repeats a step until told to stop. */
export class Load {
  readonly actors: Actor[] = []
  readonly #running: Promise<void>[] = []
  readonly #starvation = new Starvation(() => [process.pid])
  #stop = false
  #failed = false

  add(actor: Actor, step: Step): void {
    this.actors.push(actor)
    const running = this.#run(actor, step)
    running.catch(() => (this.#failed = true)) // told by `stop`
    this.#running.push(running)
  }

  /** Whether an actor has found something wrong. */
  get failed(): boolean {
    return this.#failed
  }

  async #run(actor: Actor, step: Step): Promise<void> {
    while (!this.#stop) {
      const [began, starved] = [performance.now(), this.#starvation.ms]
      try {
        await step()
      } catch (error) {
        throw new Error(`${actor.name}, step ${actor.steps}: ${(error as Error).message}`)
      }
      const tookMs = performance.now() - began - (this.#starvation.ms - starved)
      actor.longestMs = Math.max(actor.longestMs, tookMs)
      actor.steps++
    }
  }

  /** Ends all actors after their steps; rejects with what one of them has found. */
  async stop(): Promise<void> {
    this.#stop = true
    await Promise.all(this.#running)
  }
}

const login = (portal: PortalAddress, target: string) => Initiator.login(portal, { target: iqn(target) })

function actor(name: string, initiators: readonly Initiator[], check: () => Promise<void>): Actor {
  const close = async () => {
    for (const initiator of initiators) await initiator.close()
  }
  return { name, steps: 0, longestMs: 0, check, close }
}

/** Writes places one after the other, and flushes now and then: every acknowledged byte is there. */
export async function addWriter(load: Load, portal: PortalAddress, target: string, lun = 0): Promise<void> {
  const initiator = await login(portal, target)
  const seeds: number[] = []
  let seed = 0
  const check = async () => {
    for (const [place, written] of seeds.entries()) {
      const found = await initiator.read(PLACE.writes + place * WRITE_BLOCKS, WRITE_BLOCKS, lun)
      mustBe(`place ${place}`, found.equals(content(WRITE_BLOCKS * BLOCK, written)), true)
    }
  }
  load.add(actor(`writer of ${target}, LUN ${lun}`, [initiator], check), async () => {
    const place = seed % WRITE_PLACES
    const data = content(WRITE_BLOCKS * BLOCK, ++seed)
    await initiator.write(PLACE.writes + place * WRITE_BLOCKS, data, lun)
    seeds[place] = seed
    if (seed % 5 === 0) mustBe('flush', said(await initiator.execute(cdb.synchronizeCache10(), lun)), status.good)
    if (seed % 7 === 0) {
      const found = await initiator.read(PLACE.writes + place * WRITE_BLOCKS, WRITE_BLOCKS, lun)
      mustBe('what was written', found.equals(data), true)
    }
  })
}

/** Counts by COMPARE AND WRITE: one that was done and asked for again would miscompare. */
export async function addCounter(
  load: Load,
  portal: PortalAddress,
  target: string,
  lba = PLACE.counter,
): Promise<void> {
  const initiator = await login(portal, target)
  await initiator.write(lba, block(0))
  let count = 0
  const check = async () => mustBe('the counter', (await initiator.read(lba, 1)).equals(block(count)), true)
  load.add(actor(`counter of ${target}`, [initiator], check), async () => {
    const data = Buffer.concat([block(count), block(count + 1)])
    mustBe('COMPARE AND WRITE', said(await initiator.executeWrite(cdb16(0x89, lba, 1), data)), status.good)
    count++
  })
}

/** Sets one bit after the other by ORWRITE. */
export async function addBits(load: Load, portal: PortalAddress, target: string): Promise<void> {
  const initiator = await login(portal, target)
  const bits = Buffer.alloc(4 * BLOCK)
  await initiator.write(PLACE.bits, bits)
  let next = 0
  const check = async () => mustBe('the bits', (await initiator.read(PLACE.bits, 4)).equals(bits), true)
  load.add(actor(`bits of ${target}`, [initiator], check), async () => {
    const data = Buffer.alloc(bits.length)
    const at = (next * 37) % data.length
    data[at] = 1 << (next++ % 8)
    mustBe('ORWRITE', said(await initiator.executeWrite(cdb16(0x8b, PLACE.bits, 4), data)), status.good)
    bits[at]! |= data[at]!
  })
}

/** Writes several blocks atomically, and looks with another session whether they are ever of two kinds. */
export async function addAtomic(load: Load, portal: PortalAddress, target: string): Promise<void> {
  const [initiator, reader] = [await login(portal, target), await login(portal, target)]
  await initiator.write(PLACE.atomic, block(0, ATOMIC_BLOCKS))
  let value = 0
  const check = async () =>
    mustBe(
      'the atomic blocks',
      (await reader.read(PLACE.atomic, ATOMIC_BLOCKS)).equals(block(value, ATOMIC_BLOCKS)),
      true,
    )
  load.add(actor(`atomic writer of ${target}`, [initiator, reader], check), async () => {
    const write = initiator.executeWrite(cdb16(0x9c, PLACE.atomic, ATOMIC_BLOCKS), block(value + 1, ATOMIC_BLOCKS))
    const found = await reader.read(PLACE.atomic, ATOMIC_BLOCKS)
    const whole = found.equals(block(value, ATOMIC_BLOCKS)) || found.equals(block(value + 1, ATOMIC_BLOCKS))
    mustBe('a read beside an atomic write is whole', whole, true)
    mustBe('WRITE ATOMIC', said(await write), status.good)
    value++
  })
}

/**
 * Registers, reserves, preempts and gives up, and has the victim try each time: in between the fence is what was acknowledged. Each unit attention comes once.
 */
export async function addFencer(load: Load, portal: PortalAddress, target: string, lun: number): Promise<void> {
  const [fencer, victim] = [await login(portal, target), await login(portal, target)]
  const out = async (initiator: Initiator, ...args: [number, Parameters<typeof persistentReserveOut>[2]?]) =>
    said(await persistentReserveOut(initiator, ...args, lun))
  const write = async (initiator: Initiator, value: number) =>
    said(await initiator.executeWrite(cdb.write10(PLACE.fenced, 1), block(value), { lun }))
  for (const initiator of [fencer, victim]) await initiator.execute(cdb.testUnitReady(), lun)
  mustBe('REGISTER', await out(fencer, prOut.register, { serviceActionKey: 0xa1 }), status.good)
  let value = 0
  let written = 0
  const check = async () => {
    mustBe('the fenced block', (await fencer.read(PLACE.fenced, 1, lun)).equals(block(written)), true)
  }
  load.add(actor(`fencer of ${target}, LUN ${lun}`, [fencer, victim], check), async () => {
    mustBe('REGISTER of the victim', await out(victim, prOut.register, { serviceActionKey: 0xb2 }), status.good)
    mustBe(
      'RESERVE of the victim',
      await out(victim, prOut.reserve, {
        key: 0xb2,
        type: WRITE_EXCLUSIVE,
      }),
      status.good,
    )
    mustBe('the fencer is kept out', await write(fencer, value), status.reservationConflict)
    const preempt = { key: 0xa1, serviceActionKey: 0xb2, type: WRITE_EXCLUSIVE }
    mustBe('PREEMPT AND ABORT', await out(fencer, prOut.preemptAndAbort, preempt), status.good)
    mustBe('the victim is fenced', await write(victim, value), status.reservationConflict)
    mustBe('the fencer writes', await write(fencer, ++value), status.good)
    written = value
    mustBe('the victim is told', said(await victim.execute(cdb.testUnitReady(), lun)), '6/2a/05')
    mustBe('and once', said(await victim.execute(cdb.testUnitReady(), lun)), status.good)
    mustBe('RELEASE', await out(fencer, prOut.release, { key: 0xa1, type: WRITE_EXCLUSIVE }), status.good)
    mustBe('nobody is fenced', await write(victim, ++value), status.good)
    written = value
  })
}

/** Reserves the old way and gives up; the other one is kept out in between. */
export async function addReserver(load: Load, portal: PortalAddress, target: string, lun: number): Promise<void> {
  const [holder, other] = [await login(portal, target), await login(portal, target)]
  const write = async (initiator: Initiator) =>
    said(await initiator.executeWrite(cdb.write10(PLACE.reserved, 1), block(1), { lun }))
  const six = (opcode: number) => Buffer.concat([Buffer.from([opcode]), Buffer.alloc(15)])
  load.add(
    actor(`reserver of ${target}`, [holder, other], async () => {}),
    async () => {
      mustBe('RESERVE', said(await holder.execute(six(0x16), lun)), status.good)
      mustBe('the other is kept out', await write(other), status.reservationConflict)
      mustBe('the holder writes', await write(holder), status.good)
      mustBe('RELEASE', said(await holder.execute(six(0x17), lun)), status.good)
      mustBe('the other writes', await write(other), status.good)
    },
  )
}

/** Pings: within a second, whatever happens. */
export async function addPinger(load: Load, portal: PortalAddress, target: string): Promise<Actor> {
  const initiator = await login(portal, target)
  const pinger = actor(`pinger of ${target}`, [initiator], async () => {})
  load.add(pinger, async () => {
    await initiator.ping()
    await new Promise(resolve => setTimeout(resolve, 20))
  })
  return pinger
}
