// Memory in which PDUs are gathered, used again and again: a fresh 64 KiB for every large PDU costs more than copying it does.
//
// Buffers come in powers of two. What is given back is kept up to a bound, for all framers of the thread together, so that an
// idle connection holds nothing.

const SMALLEST = 4096
const KEPT_BYTES = 16 << 20

const free = new Map<number, Buffer[]>()
let kept = 0

/** A buffer of at least `bytes`, with anything in it. */
export function takeBuffer(bytes: number): Buffer {
  if (bytes < SMALLEST) return Buffer.allocUnsafe(bytes)
  const size = 2 ** Math.ceil(Math.log2(bytes))
  const buffer = free.get(size)?.pop()
  if (!buffer) return Buffer.allocUnsafeSlow(size)
  kept -= size
  return buffer
}

/** Gives back what `takeBuffer` gave. Nobody may refer to it any more. */
export function giveBuffer(buffer: Buffer): void {
  const size = buffer.length
  if (size < SMALLEST || kept + size > KEPT_BYTES) return
  const row = free.get(size)
  if (row) row.push(buffer)
  else free.set(size, [buffer])
  kept += size
}
