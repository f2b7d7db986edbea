// Disks with something on them, so that no hole and no block that was never written makes one side cheaper.

import { randomFillSync } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { runProgram } from '../harness/run-program.js'
import { qemuIoScript } from './load.js'
import { random } from './random.js'

const MEBIBYTE = 2 ** 20
const BLOCK_BYTES = 4096
const SECTOR_BYTES = 512
const SECTORS = BLOCK_BYTES / SECTOR_BYTES
const SEED = 2026
const PARALLEL = 32
const FILL_MS = 300_000

/** Makes a file of bytes that do not repeat. */
export function writeNoise(path: string, sizeBytes: number): void {
  const fd = openSync(path, 'w')
  try {
    const piece = Buffer.allocUnsafe(MEBIBYTE)
    for (let at = 0; at < sizeBytes; at += piece.length) writeSync(fd, randomFillSync(piece))
  } finally {
    closeSync(fd)
  }
}

/**
 * Writes every block of the unit, through its target, with what is in `file`.
 * @throws Error when the unit did not take it
 */
export async function fillDisk(url: string, file: string): Promise<void> {
  const args = ['convert', '-n', '-S', '0', '-f', 'raw', '-O', 'raw', file, url]
  const { code, stderr } = await runProgram('qemu-img', args, { timeoutMs: FILL_MS })
  if (code !== 0) throw new Error(`filling ${url}: ${stderr}`)
}

/** Writes half of the 4 KiB blocks, chosen by lot. */
export function writeHalfOfBlocks(url: string, sizeBytes: number): Promise<void> {
  const dice = random(SEED)
  const writes: string[] = []
  for (let at = 0; at < sizeBytes; at += BLOCK_BYTES) if (dice() < 0.5) writes.push(write(at, BLOCK_BYTES))
  return qemuIoScript(url, inBatches(writes))
}

/** Writes half of the sectors, chosen by lot: hardly a 4 KiB block is then of one kind. */
export function writeHalfOfSectors(url: string, sizeBytes: number): Promise<void> {
  const dice = random(SEED)
  const writes: string[] = []
  for (let at = 0; at < sizeBytes; at += BLOCK_BYTES) {
    const lot = Math.floor(dice() * 2 ** SECTORS)
    for (let first = 0; first < SECTORS; first++) {
      let end = first
      while (end < SECTORS && lot & (1 << end)) end++
      if (end > first) writes.push(write(at + first * SECTOR_BYTES, (end - first) * SECTOR_BYTES))
      first = end
    }
  }
  return qemuIoScript(url, inBatches(writes))
}

function write(at: number, bytes: number): string {
  return `aio_write -q ${at} ${bytes}`
}

function inBatches(commands: readonly string[]): string[] {
  return commands.flatMap((command, index) => ((index + 1) % PARALLEL === 0 ? [command, 'aio_flush'] : [command]))
}
