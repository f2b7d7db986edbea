// The log of one life of the storage engine: every change that it made to its files, every sync, and what the load asked and was answered, in the
// order in which they happened. A record is a header in JSON and maybe bytes; the file is only ever appended to, so it is right up to where its
// writer was killed.
//
//   bytes 0..3   length of the header     bytes 4..7   length of the data     then both

import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'

/** `path`s are absolute. Descriptors are numbers of the process that the last `process` record began. */
export type FileRecord =
  /** A new process; all descriptors of an earlier one are closed. */
  | { readonly op: 'process' }
  | {
      readonly op: 'open'
      readonly fd: number
      readonly path: string
      readonly created: boolean
      readonly truncated: boolean
    }
  | { readonly op: 'close'; readonly fd: number }
  | { readonly op: 'write'; readonly fd: number; readonly position: number }
  | { readonly op: 'truncate'; readonly fd: number; readonly length: number }
  /** Room is set aside, and the file grows to it. */
  | { readonly op: 'allocate'; readonly fd: number; readonly position: number; readonly length: number }
  /** The range reads as zeros; the size stays. */
  | { readonly op: 'zero'; readonly fd: number; readonly position: number; readonly length: number }
  /** Found changed in a mapping of the file: `data` stands at `position`. */
  | { readonly op: 'store'; readonly path: string; readonly position: number }
  | { readonly op: 'syncBegin'; readonly id: number; readonly fd: number }
  | { readonly op: 'syncEnd'; readonly id: number }
  | { readonly op: 'mkdir'; readonly path: string }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'rename'; readonly from: string; readonly to: string }
  /** Something of the load's own. */
  | { readonly op: 'mark'; readonly mark: unknown }

export type LoggedRecord = FileRecord & { readonly data?: Buffer }

const PREFIX_BYTES = 8

export class RecordWriter {
  readonly #fd: number
  readonly #write: typeof writeSync

  /** Appends to the file. Takes the functions of `node:fs` as they are now, whoever replaces them later. */
  constructor(path: string) {
    this.#fd = openSync(path, 'a', 0o600)
    this.#write = writeSync
  }

  append(record: FileRecord, data?: Uint8Array): void {
    const header = Buffer.from(JSON.stringify(record))
    const prefix = Buffer.alloc(PREFIX_BYTES)
    prefix.writeUInt32LE(header.length, 0)
    prefix.writeUInt32LE(data?.length ?? 0, 4)
    const bytes = Buffer.concat(data ? [prefix, header, data] : [prefix, header])
    for (let done = 0; done < bytes.length; ) done += this.#write(this.#fd, bytes, done, bytes.length - done)
  }

  close(): void {
    closeSync(this.#fd)
  }
}

/** All whole records of a log. */
export function readRecords(path: string): LoggedRecord[] {
  const bytes = readFileSync(path)
  const records: LoggedRecord[] = []
  for (let at = 0; at + PREFIX_BYTES <= bytes.length; ) {
    const headerEnd = at + PREFIX_BYTES + bytes.readUInt32LE(at)
    const end = headerEnd + bytes.readUInt32LE(at + 4)
    if (end > bytes.length) break
    const record = JSON.parse(bytes.toString('utf8', at + PREFIX_BYTES, headerEnd)) as FileRecord
    records.push(end > headerEnd ? { ...record, data: bytes.subarray(headerEnd, end) } : record)
    at = end
  }
  return records
}
