// What the quota of a disk has to count, by the bits in its bitmap file alone.

/** Sectors that a live bitmap has as present and not deallocated: its first two regions of three behind a page of header. */
export function countBooked(bitmap: Buffer, sectors: number): number {
  const region = (bitmap.length - 4096) / 3
  let booked = 0
  for (let sector = 0; sector < sectors; sector++) {
    const bit = (at: number) => (bitmap[4096 + at * region + (sector >> 3)]! >> (sector & 7)) & 1
    booked += bit(0) & ~bit(1)
  }
  return booked
}
