/**
 * Challenges of CHAP that nobody can guess, and that this server knows again wherever it meets them.
 *
 *   16 random bytes │ first 16 bytes of HMAC-SHA-256 over them, by a key that is made at the start
 *
 * An initiator that gives back a challenge of ours wants us to answer our own question; that must be refused, on whichever
 * connection it was given out [7143 §9.2.1]. By the second half this is seen without remembering a single challenge, and no
 * initiator makes one by chance.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

const RANDOM_BYTES = 16
const TAG_BYTES = 16

export class Challenges {
  #key = randomBytes(32)

  /** By which another process of the server knows these challenges, too. Secret. */
  get key(): Buffer {
    return this.#key
  }

  /** Goes on with the key of another process. */
  import(key: Uint8Array): void {
    this.#key = Buffer.from(key)
  }

  /** A challenge of 32 bytes that was never given out before. */
  make(): Buffer {
    const random = randomBytes(RANDOM_BYTES)
    return Buffer.concat([random, this.#tag(random)])
  }

  /** Whether these bytes are a challenge that this server has made. */
  isOurs(bytes: Buffer): boolean {
    if (bytes.length !== RANDOM_BYTES + TAG_BYTES) return false
    return timingSafeEqual(bytes.subarray(RANDOM_BYTES), this.#tag(bytes.subarray(0, RANDOM_BYTES)))
  }

  #tag(random: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(random).digest().subarray(0, TAG_BYTES)
  }
}
