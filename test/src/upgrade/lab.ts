// What the suites of upgrades share: targets, and what all of them ask of the server.

import { existsSync } from 'node:fs'
import type { Initiator } from '@scsipub/testkit'
import { cdb, copyCdb, copyList, naaDesignation } from '@scsipub/testkit'
import type { Test } from 'tap'
import { iqn } from '../harness/server.js'
import type { UpgradableServer } from '../harness/upgradable-server.js'
import { BLOCK, content, until } from '../protocol/lab.js'

export const MIB = 1 << 20
export const LAB = iqn('lab')
export const SECRET = iqn('secret')
export const CHAP = { user: 'user', secret: '0123456789abcdef' }
export const config = {
  workers: 2,
  targets: [
    { name: 'lab', auth: 'none', luns: [{ sizeBytes: 64 * MIB }] },
    { name: 'secret', auth: { chap: CHAP }, luns: [{ sizeBytes: 8 * MIB }] },
  ],
}

/** Upgrades, and expects so many sessions to go on, and so many to be asked to log in again; the pause in ms. */
export async function upgraded(
  t: Test,
  server: UpgradableServer,
  { moved, asked = 0 }: { moved: number | typeof Number; asked?: number },
): Promise<number> {
  const before = server.pid()
  const { status, body } = await server.upgrade()
  const wanted = { status: 200, body: { moved, asked_to_log_in_again: asked, from: { pid: before } } }
  if (!t.match({ status, body }, wanted))
    throw new Error(`an upgrade has gone otherwise: ${JSON.stringify({ status, body })}`)
  t.not(server.pid(), before, 'another process serves')
  return Number(body['pause_ms'])
}

/** Waits until a process is gone. */
export function untilGone(pid: number): Promise<void> {
  return until(`process ${pid} has ended`, () => !existsSync(`/proc/${pid}/fd/0`), { deadlineMs: 60_000 })
}

/** Copies of one session that may run at a time, and segments of each. */
const COPIES = 16
const SEGMENTS = 64
const FIRST = 8192
const SEGMENT_BLOCKS = 65_536 - FIRST

/**
 * Has a session copy within its LUN of 64 MiB, from the first half, but for 4 MiB, to the second one, again and again, up to 28 GiB at a time, until its connection ends. Resolves when that
 * is under way; what becomes of it nobody looks at.
 */
export async function makeBusy(disk: Initiator): Promise<void> {
  for (let at = 0; at < SEGMENT_BLOCKS; at += 2048) await disk.write(FIRST + at, content(2048 * BLOCK, at))
  const { data } = await disk.executeRead(cdb.vitalProductData(0x83), 1024)
  const unit = naaDesignation(data.subarray(4))
  const segment = { blocks: SEGMENT_BLOCKS, sourceLba: FIRST, destinationLba: FIRST + SEGMENT_BLOCKS }
  const copy = async (segments: number) => {
    const list = copyList([unit], Array<typeof segment>(segments).fill(segment))
    await disk.executeWrite(copyCdb.extendedCopy(list.length), list)
  }
  const lane = async (first: number) => {
    // They must not all end at the same time.
    await copy(first)
    for (;;) await copy(SEGMENTS)
  }
  for (let number = 1; number <= COPIES; number++) lane((number * SEGMENTS) / COPIES).catch(() => {})
  await disk.ping()
}
