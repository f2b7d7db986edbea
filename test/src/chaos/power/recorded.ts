// What the replacements of file calls tell the recorder. Descriptors and paths that are not below its folder are passed over.

import type { MappedFiles } from './mapped-files.js'

export interface Recorded {
  readonly mapped: MappedFiles
  /** Records what was stored into mappings since the last record. */
  noteStores(): void
  /** Whether it is a path below the folder. */
  inside(path: unknown): path is string
  /** Whether the descriptor is of a file below the folder. */
  known(fd: number): boolean
  pathOf(fd: number): string | undefined
  /** Opens by `act`; `opened` is to be called with the descriptor. */
  opening<T>(path: string, flags: unknown, act: () => T): { result: T; opened: (fd: number) => void }
  /** Without a position, a write goes to where the last one ended. */
  written(fd: number, data: Uint8Array, position: number | null | undefined): void
  truncated(fd: number, length: number): void
  allocated(fd: number, position: number, length: number): void
  zeroed(fd: number, position: number, length: number): void
  /** A sync begins; returns what is to be called when it has succeeded. */
  syncing(fd: number): () => void
  closed(fd: number): void
}
