/**
 * Life of a volume as borrowers see it. A descriptor may be older than its volume; this word is not.
 *   unwritten        no files: nobody has written yet
 *   materialised     overlay and bitmap exist
 *   gone             closed or destroyed
 *   sanitizing       materialised, and being erased: no I/O but that of the storage engine
 *   sanitizeFailed   the erasing has failed: no I/O until it succeeds or is given up
 *   replaced         the volume has other files or another size now, and another control block: no I/O by this one ever again
 */
export const VOLUME_STAGE = {
  unwritten: 0,
  materialised: 1,
  gone: 2,
  sanitizing: 3,
  sanitizeFailed: 4,
  replaced: 5,
} as const
export type VolumeStage = (typeof VOLUME_STAGE)[keyof typeof VOLUME_STAGE]
