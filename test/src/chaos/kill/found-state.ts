// What the server says of its disks after a restart, read as any initiator would.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { NO_RESERVATIONS, type ReservationState, status } from '@scsipub/scsi'
import { cdb, type Initiator, provisioningCdb, readFullStatus, readReservation } from '@scsipub/testkit'
import { countBooked } from '../booked-sectors.js'
import { keptState } from '../reservation-ledger.js'
import { FENCE_LUN, KILL_DISKS, TARGET } from './kill-disks.js'

const READ_BLOCKS = 1024
const STATUS_BYTES = 64 * 1024

/** Takes the unit attentions that wait for a new session. */
export async function ready(initiator: Initiator, lun: number): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const answer = await initiator.execute(cdb.testUnitReady(), lun)
    if (answer.status === status.good || answer.status === status.reservationConflict) return
  }
  throw new Error(`LUN ${lun} does not become ready`)
}

/** All sectors of a LUN, as many as it says that it has. */
export async function readAll(initiator: Initiator, lun: number): Promise<Buffer> {
  const sectors = await readCapacity(initiator, lun)
  const pieces: Buffer[] = []
  for (let at = 0; at < sectors; at += READ_BLOCKS)
    pieces.push(await initiator.read(at, Math.min(READ_BLOCKS, sectors - at), lun))
  return Buffer.concat(pieces)
}

async function readCapacity(initiator: Initiator, lun: number): Promise<number> {
  const { data, sense } = await initiator.executeRead(cdb.readCapacity16(), 32, lun)
  if (sense !== undefined) throw new Error(`READ CAPACITY ended with sense ${sense}`)
  return Number(data.readBigUInt64BE(0)) + 1
}

/** GET LBA STATUS of so many sectors, one byte each [SBC-3 §5.6]. */
export async function readStatuses(initiator: Initiator, lun: number, sectors: number): Promise<Uint8Array> {
  const statuses = new Uint8Array(sectors).fill(0xff)
  for (let lba = 0; lba < statuses.length; ) {
    const { data, sense } = await initiator.executeRead(
      provisioningCdb.getLbaStatus(lba, STATUS_BYTES),
      STATUS_BYTES,
      lun,
    )
    if (sense !== undefined || data.length < 24)
      throw new Error(`GET LBA STATUS ended with ${sense}, ${data.length} bytes`)
    for (let at = 8; at + 16 <= data.length; at += 16) {
      const first = Number(data.readBigUInt64BE(at))
      lba = first + data.readUInt32BE(at + 8)
      statuses.fill(data[at + 12]!, first, lba)
    }
  }
  return statuses
}

/** Used resources of log page 0Ch, and what the bits of the bitmap file come to, in sectors; and the unit that the log page counts in. */
export async function readUsage(
  initiator: Initiator,
  lun: number,
  dataDir: string,
): Promise<{ used: number; counted: number; unit: number }> {
  const { data } = await initiator.executeRead(provisioningCdb.logSense(0x0c), 255, lun)
  const page = await initiator.executeRead(cdb.vitalProductData(0xb2), 255, lun)
  const unit = 2 ** page.data[4]!
  const bitmap = readFileSync(join(dataDir, 'volumes', `${TARGET}.lun${lun}`, 'bitmap'))
  return { used: data.readUInt32BE(20) * unit, counted: countBooked(bitmap, KILL_DISKS[lun]!.sectors), unit }
}

/** Registrations and reservation of the LUN that is for them, as `keptState` writes them. */
export async function readReservations(initiator: Initiator): Promise<string> {
  const full = await readFullStatus(initiator, FENCE_LUN)
  const registrations = full.map(({ port, key, allTgPt }) => ({
    port,
    key: key.toString(16).padStart(16, '0'),
    allTargetPorts: allTgPt,
  }))
  const held = await readReservation(initiator, FENCE_LUN)
  const holder = held && held.key !== 0 ? full.find(registration => registration.holder)?.port : undefined
  return keptState({
    generation: 0,
    persistent: registrations.length > 0,
    registrations,
    reservation: held && { type: held.type as 1, holder },
  })
}

/** What `readReservations` gave, as the rules of reservations go on from it. */
export function stateOf(kept: string): ReservationState {
  const { registrations, reservation } = JSON.parse(kept) as Pick<ReservationState, 'registrations' | 'reservation'>
  if (registrations.length === 0) return NO_RESERVATIONS
  const holder = reservation?.holder === 'all' ? undefined : reservation?.holder
  return {
    ...NO_RESERVATIONS,
    persistent: true,
    registrations,
    reservation: reservation && { type: reservation.type, holder },
  }
}
