/** Pages of the bitmap that says which sectors a volume has. What its bits mean, and when they are on disk, is in packages/volume. */

/** One page of the bitmap file, in bytes: the unit in which the durable bitmap is brought up to date. */
export const BITMAP_PAGE_BYTES = 4096
/** Sectors that one page of the bitmap describes. */
export const SECTORS_PER_BITMAP_PAGE = BITMAP_PAGE_BYTES * 8
