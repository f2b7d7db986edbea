// Numbers that look random and are the same in every run, so that every run puts the same bits into a bitmap. xorshift32.

/** A generator of numbers from 0 up to, but not including, 1. */
export function random(seed: number): () => number {
  let state = (seed ^ 0x9e37_79b9) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
