// A storage engine on a data directory, with all disks open and a borrower in the same thread; and a dump of what it says of them.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BorrowerRequest, VolumeDescriptor } from '@scsipub/contract'
import { StorageEngine } from '@scsipub/storage-engine'
import { type BorrowContext, type BorrowedVolume, BorrowedVolumes } from '@scsipub/volume'
import { countBooked } from '../booked-sectors.js'
import { keptState } from '../reservation-ledger.js'
import { SECTOR_BYTES } from '../sector-value.js'
import type { DiskReport, StateReport } from './life-messages.js'
import { POWER_DISKS, type PowerDisk, specOf, specOfLook } from './power-disks.js'

export type Identity = VolumeDescriptor['identity']

export interface OpenState {
  readonly engine: StorageEngine
  /** By index in `POWER_DISKS`; undefined when the engine has refused the disk. */
  readonly volumes: readonly (BorrowedVolume | undefined)[]
  readonly report: StateReport
}

const PIECE_BYTES = 1 << 20
const ALL_RUNS = 1 << 20

/** Opens all disks and dumps them. A disk that is refused is part of the report; anything else that fails throws. */
export async function openState(o: {
  dataDir: string
  dump: string
  bootId: string
  basePath: string
}): Promise<OpenState> {
  const workers: BorrowedVolumes = new BorrowedVolumes({
    slot: 0,
    engine: { ask: (request: Asked) => answer(engine, request) } as unknown as BorrowContext['engine'],
  })
  const engine: StorageEngine = new StorageEngine({
    dataDir: o.dataDir,
    bootId: o.bootId,
    replaced: async descriptor => workers.replaced(descriptor),
    notify: notice => {
      if (notice.kind === 'gate.opened') workers.gateOpened(notice.volumeId)
    },
  })
  mkdirSync(o.dump, { recursive: true })
  const report: Record<string, DiskReport> = {}
  const volumes: (BorrowedVolume | undefined)[] = []
  for (const disk of POWER_DISKS) {
    try {
      const descriptor = await engine.open(specOf(disk, o.basePath))
      const volume = workers.borrow(descriptor)
      await engine.sanitized(disk.id)
      report[disk.id] = await reportOf(engine, disk, descriptor)
      await dump(engine, volume, disk, join(o.dump, disk.id))
      volumes.push(volume)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
      if (code !== 'damaged') throw error
      report[disk.id] = { refused: code, why: (error as Error).message }
      volumes.push(undefined)
    }
  }
  await dumpSnapshots(engine, workers, o.dump)
  writeFileSync(join(o.dump, 'report.json'), JSON.stringify(report))
  return { engine, volumes, report }
}

type Asked = Extract<BorrowerRequest, { volumeId: string }>

function answer(engine: StorageEngine, request: Asked): Promise<unknown> {
  const { volumeId } = request
  if (request.kind === 'volume.renew') return engine.renew(volumeId)
  if (request.kind === 'volume.exclusive') return engine.operate(volumeId, request.operation)
  return request.kind === 'volume.flush' ? engine.flush(volumeId) : engine.materialise(volumeId)
}

async function reportOf(
  engine: StorageEngine,
  { id, sectors }: PowerDisk,
  descriptor: VolumeDescriptor,
): Promise<DiskReport> {
  const { control, reservations } = await engine.volume(id)
  const { state } = reservations
  return {
    identity: descriptor.identity,
    booked: control.allocatedSectors,
    counted: countBooked(readFileSync(descriptor.files!.bitmapPath), sectors),
    reservations: keptState({ ...state, persistent: state.registrations.length > 0 }),
  }
}

/** Reads as a session worker does; a reservation would keep it out, so where there is one, the engine itself reads. */
async function dump(
  engine: StorageEngine,
  volume: BorrowedVolume,
  { id, reserved }: PowerDisk,
  path: string,
): Promise<void> {
  const content = Buffer.alloc(volume.sizeBytes)
  const statuses = Buffer.alloc(content.length / SECTOR_BYTES)
  if (reserved) {
    await engine.exclusive(id, async ({ store }) => {
      const runs = store.provisioning().runs({ first: 0, count: statuses.length }, { blockSectors: 1, limit: ALL_RUNS })
      for (const { first, count, status } of runs) statuses.fill(status, first, first + count)
      ;(await store.read(0, content.length)).copy(content)
    })
  } else {
    for (let at = 0; at < content.length; at += PIECE_BYTES)
      await volume.read(at, content, at, Math.min(PIECE_BYTES, content.length - at))
    const { runs } = await volume.exclusive({ name: 'lbaStatus', position: 0, length: content.length, limit: ALL_RUNS })
    for (const { position, length, status } of runs)
      statuses.fill(status, position / SECTOR_BYTES, (position + length) / SECTOR_BYTES)
  }
  writeFileSync(path, content)
  writeFileSync(`${path}.status`, statuses)
}

/** Reads every snapshot through a disk that stands on it. One that is damaged fails the dump: nothing damages them. */
async function dumpSnapshots(engine: StorageEngine, workers: BorrowedVolumes, folder: string): Promise<void> {
  const disk = POWER_DISKS.find(({ frozen }) => frozen)!
  const { snapshots, damaged } = await engine.snapshots.list()
  for (const { snapshotId, why } of damaged) throw new Error(`the snapshot ${snapshotId} is damaged: ${why}`)
  for (const { snapshotId } of snapshots) {
    const look = specOfLook(disk, snapshotId)
    const volume = workers.borrow(await engine.open(look))
    const content = Buffer.alloc(volume.sizeBytes)
    await volume.read(0, content, 0, content.length)
    writeFileSync(join(folder, snapshotId), content)
    volume.release()
    await engine.destroy(look.volumeId)
  }
}
