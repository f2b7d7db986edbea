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
import { strayFiles } from './stray-files.js'

export type Identity = VolumeDescriptor['identity']

export interface OpenState {
  readonly engine: StorageEngine
  /** By index in `POWER_DISKS`; undefined when the engine has refused the disk. */
  readonly volumes: readonly (BorrowedVolume | undefined)[]
  /** Disks that an earlier life has made and not removed. */
  readonly passing: ReadonlyMap<string, BorrowedVolume>
  readonly borrow: (descriptor: VolumeDescriptor) => BorrowedVolume
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
  const disks: Record<string, DiskReport> = {}
  const existing = engine.persistent()
  const open = async ({ id, reserved }: Pick<PowerDisk, 'id' | 'reserved'>, make: () => Promise<VolumeDescriptor>) => {
    try {
      // What there is has the size that it has grown to.
      const descriptor = await (existing.includes(id) ? engine.reopen(id) : make())
      const volume = workers.borrow(descriptor)
      await engine.sanitized(id)
      disks[id] = await reportOf(engine, descriptor)
      await dump(engine, volume, { id, reserved }, join(o.dump, id))
      return volume
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
      // Of a damaged disk a change of files may be unfinished.
      if (code !== 'damaged' && code !== 'io') throw error
      disks[id] = { refused: code, why: (error as Error).message }
      return undefined
    }
  }
  const volumes: (BorrowedVolume | undefined)[] = []
  for (const disk of POWER_DISKS) volumes.push(await open(disk, () => engine.open(specOf(disk, o.basePath))))
  const passing = new Map<string, BorrowedVolume>()
  for (const id of existing.filter(id => !POWER_DISKS.some(disk => disk.id === id))) {
    const volume = await open({ id, reserved: false }, () => engine.reopen(id))
    if (volume) passing.set(id, volume)
  }
  const snapshots = await dumpSnapshots(engine, workers, o.dump)
  const strays = strayFiles(o.dataDir, { volumes: Object.keys(disks), snapshots })
  const report: StateReport = { disks, snapshots, strays }
  writeFileSync(join(o.dump, 'report.json'), JSON.stringify(report))
  return { engine, volumes, passing, borrow: descriptor => workers.borrow(descriptor) }
}

type Asked = Extract<BorrowerRequest, { volumeId: string }>

function answer(engine: StorageEngine, request: Asked): Promise<unknown> {
  const { volumeId } = request
  if (request.kind === 'volume.renew') return engine.renew(volumeId)
  if (request.kind === 'volume.exclusive') return engine.operate(volumeId, request.operation)
  return request.kind === 'volume.flush' ? engine.flush(volumeId) : engine.materialise(volumeId)
}

async function reportOf(engine: StorageEngine, { spec, identity, files }: VolumeDescriptor): Promise<DiskReport> {
  const { control, reservations } = await engine.volume(spec.volumeId)
  const { state } = reservations
  return {
    identity,
    booked: control.space.allocatedSectors,
    counted: countBooked(readFileSync(files!.bitmapPath), spec.sizeBytes / SECTOR_BYTES),
    reservations: keptState({ ...state, persistent: state.registrations.length > 0 }),
  }
}

/** Reads as a session worker does; a reservation would keep it out, so where there is one, the engine itself reads. */
async function dump(
  engine: StorageEngine,
  volume: BorrowedVolume,
  { id, reserved }: Pick<PowerDisk, 'id' | 'reserved'>,
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

/** Reads every snapshot through a disk that stands on it, and gives their names. One that is damaged fails the dump: nothing damages them. */
async function dumpSnapshots(engine: StorageEngine, workers: BorrowedVolumes, folder: string): Promise<string[]> {
  const { snapshots, damaged } = await engine.snapshots.list()
  for (const { snapshotId, why } of damaged) throw new Error(`the snapshot ${snapshotId} is damaged: ${why}`)
  for (const snapshot of snapshots) {
    const look = specOfLook(snapshot)
    const volume = workers.borrow(await engine.open(look))
    const content = Buffer.alloc(volume.sizeBytes)
    await volume.read(0, content, 0, content.length)
    writeFileSync(join(folder, snapshot.snapshotId), content)
    volume.release()
    await engine.destroy(look.volumeId)
  }
  return snapshots.map(({ snapshotId }) => snapshotId)
}
