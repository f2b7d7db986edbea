/**
 * POPULATE TOKEN and WRITE USING TOKEN. A token stands for the data as it was, so populating copies the data aside, and writing copies it from
 * there: no later write to the source can show. [SBC-3 §4.28, §5.7, §5.48]
 *
 * Pieces of zeros are left out of the copy, whose file has a hole there.
 */
import { randomBytes } from 'node:crypto'
import {
  type BlockRange,
  designates,
  encodeRodToken,
  type PopulateToken,
  ROD_TOKEN_RANDOM_BYTES,
  senseCodes,
  unitDesignators,
  type WriteUsingToken,
} from '@scsipub/scsi'
import { CopyFailed } from './copy-failure.js'
import { type CopyRun, type CopyUnit, PIECE_BYTES } from './copy-run.js'
import type { TokenStore } from './token-store.js'

const zeros = Buffer.alloc(PIECE_BYTES)

/** Copies the ranges aside and makes a token for them. Rejects with `CopyFailed` or VolumeError; nothing is kept then. */
export async function populateToken(run: CopyRun, job: PopulateToken, store: TokenStore): Promise<void> {
  const { volume, lu } = run.lun
  const draft = await store.begin(job.totalBlocks * lu.blockBytes)
  try {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, draft.bytes))
    let at = 0
    for (const { position, length } of pieces(job.ranges, lu.blockBytes)) {
      await run.turn()
      await volume.read(position, piece, 0, length)
      if (piece.compare(zeros, 0, length, 0, length) !== 0) await draft.write(at, piece, length)
      at += length
      run.count(length)
    }
    const token = encodeRodToken({
      creator: unitDesignators(lu)[0],
      blockBytes: lu.blockBytes,
      bytes: draft.bytes,
      random: randomBytes(ROD_TOKEN_RANDOM_BYTES),
    })
    await store.keep(draft, token, { timeoutMs: job.inactivityTimeoutS * 1000, unit: run.lun })
    run.token = token
  } catch (error) {
    await store.discard(draft)
    throw error
  }
}

/**
 * Writes what a token stands for, or zeros. Rejects with `CopyFailed` or VolumeError; what was written by then stays. A token is good only
 * where the unit that it came from can be seen.
 */
export async function writeUsingToken(
  run: CopyRun,
  job: WriteUsingToken,
  store: TokenStore,
  luns: ReadonlyMap<number, CopyUnit>,
): Promise<void> {
  const { token } = job
  if (token.kind === 'zero') return writeRanges(run, job, async () => zeros)
  if (![...luns.values()].some(({ lu }) => designates(token.creator, lu)))
    throw new CopyFailed({ code: senseCodes.tokenUnknown })
  const copy = await store.open(token.token)
  try {
    const piece = Buffer.allocUnsafeSlow(PIECE_BYTES)
    const start = job.offsetBlocks * token.blockBytes
    await writeRanges(run, job, async (at, length) => {
      await copy.read(start + at, piece, length)
      return piece
    })
  } finally {
    await copy.close()
  }
  if (job.deleteToken) await store.remove(token.token)
}

async function writeRanges(
  run: CopyRun,
  job: WriteUsingToken,
  fetch: (at: number, length: number) => Promise<Buffer>,
): Promise<void> {
  const { volume, lu } = run.lun
  let at = 0
  for (const { position, length } of pieces(job.ranges, lu.blockBytes)) {
    await run.turn()
    await volume.write(position, await fetch(at, length), 0, length)
    at += length
    run.count(length)
  }
}

/** Ranges in bytes, cut to pieces. */
function* pieces(
  ranges: readonly BlockRange[],
  blockBytes: number,
): Generator<{ position: number; length: number }, void> {
  for (const { lba, blocks } of ranges) {
    const end = (lba + blocks) * blockBytes
    for (let position = lba * blockBytes; position < end; position += PIECE_BYTES)
      yield { position, length: Math.min(PIECE_BYTES, end - position) }
  }
}
