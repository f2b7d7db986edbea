/**
 * What the old and the new server process of an upgrade say to each other. Two sockets between them: a stream for messages, each a length and a value as
 * `v8.serialize` writes it, and a pair that keeps the bounds of messages for descriptors.
 *
 *   stream   [ length, 4 bytes LE │ message ] …
 *   pair     [ message │ up to 250 descriptors ] …    each announced on the stream by 'descriptors' and answered by 'taken'
 *
 * The stream's end is the other process's end, and every wait on it ends then. Left out: what is said when; see `upgrade.ts` and `succession.ts`.
 */
import { closeSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { DefaultDeserializer, serialize } from 'node:v8'
import { MAX_DESCRIPTORS, receiveDescriptors, sendDescriptors } from '@scsipub/posix'

/** What is said on a link; further fields are as the kind has them. */
export interface LinkMessage {
  readonly kind: string
}

interface Announcement extends LinkMessage {
  readonly kind: 'descriptors'
  /** Their numbers in the process that sends them. */
  readonly numbers: readonly number[]
}

const LENGTH_BYTES = 4
/** Far more than a server with all of its sessions. */
const MAX_MESSAGE_BYTES = 1 << 30

export class Link {
  readonly #stream: Duplex
  readonly #pair: number
  readonly #messages: LinkMessage[] = []
  #waiting: { resolve: (message: LinkMessage) => void; reject: (error: Error) => void } | undefined
  #pieces: Buffer[] = []
  #buffered = 0
  #end: Error | undefined

  /** The link closes both in the end. */
  constructor(stream: Duplex, pair: number) {
    this.#stream = stream
    this.#pair = pair
    stream.on('data', (piece: Buffer) => this.#received(piece))
    stream.on('error', error => this.#ended(error.message))
    stream.on('close', () => this.#ended('it is closed'))
    stream.on('end', () => this.#ended('it is closed'))
  }

  send(message: LinkMessage): void {
    const body = serialize(message)
    const length = Buffer.alloc(LENGTH_BYTES)
    length.writeUInt32LE(body.length)
    this.#stream.write(length)
    this.#stream.write(body)
  }

  /** The next message, of one of these kinds. Rejects when the other process says something else, or has ended. */
  async receive<T extends LinkMessage>(...kinds: readonly T['kind'][]): Promise<T> {
    const message = this.#messages.shift() ?? (await this.#next())
    if ((kinds as readonly string[]).includes(message.kind)) return message as T
    throw new Error(`the other process says "${message.kind}" where ${kinds.join(' or ')} is expected`)
  }

  /** Gives duplicates of open files to the other process; resolves when it has all of them. Nothing else may be received meanwhile. */
  async sendDescriptors(fds: readonly number[]): Promise<void> {
    for (let at = 0; at < fds.length; at += MAX_DESCRIPTORS) {
      if (this.#end) throw this.#end
      const numbers = fds.slice(at, at + MAX_DESCRIPTORS)
      sendDescriptors(this.#pair, numbers, Buffer.from([0]))
      this.send({ kind: 'descriptors', numbers } as Announcement)
      await this.receive('taken')
    }
    this.send({ kind: 'descriptors', numbers: [] } as Announcement)
  }

  /** Takes what `sendDescriptors` gives: the numbers there → ours. Closes what came when not all of it does. */
  async receiveDescriptors(): Promise<Map<number, number>> {
    const ours = new Map<number, number>()
    try {
      for (;;) {
        const { numbers } = await this.receive<Announcement>('descriptors')
        if (numbers.length === 0) return ours
        const fds = receiveDescriptors(this.#pair)?.fds ?? []
        for (const [index, fd] of fds.entries()) ours.set(numbers[index] ?? -1 - index, fd)
        if (fds.length !== numbers.length) throw new Error(`${fds.length} of ${numbers.length} descriptors came`)
        this.send({ kind: 'taken' })
      }
    } catch (error) {
      for (const fd of ours.values()) closeSync(fd)
      throw error
    }
  }

  /** Ends the link when what was sent has left. */
  close(): void {
    if (this.#end === undefined || !this.#stream.destroyed) this.#stream.end(() => this.#stream.destroy())
    this.#ended('it is closed')
  }

  #next(): Promise<LinkMessage> {
    if (this.#end) return Promise.reject(this.#end)
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }))
  }

  #received(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#buffered += piece.length
    while (this.#buffered >= LENGTH_BYTES) {
      if ((this.#pieces[0]?.length ?? 0) < LENGTH_BYTES) this.#pieces = [Buffer.concat(this.#pieces)]
      const length = this.#pieces[0]!.readUInt32LE()
      if (length > MAX_MESSAGE_BYTES) return this.#broken()
      if (this.#buffered < LENGTH_BYTES + length) return
      const all = Buffer.concat(this.#pieces)
      const rest = all.subarray(LENGTH_BYTES + length)
      this.#pieces = [rest]
      this.#buffered = rest.length
      this.#deliver(read(all.subarray(LENGTH_BYTES, LENGTH_BYTES + length)))
    }
  }

  #deliver(message: LinkMessage): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting) waiting.resolve(message)
    else this.#messages.push(message)
  }

  #broken(): void {
    this.#ended('what it says cannot be understood')
    this.#stream.destroy()
  }

  #ended(why: string): void {
    if (this.#end) return
    this.#end = new Error(`the other process has ended: ${why}`)
    closeSync(this.#pair)
    this.#waiting?.reject(this.#end)
    this.#waiting = undefined
  }
}

/** Not in the types of Node, which documents it. */
const readView = (DefaultDeserializer.prototype as unknown as { _readHostObject(): ArrayBufferView })._readHostObject

/**
 * Bytes in a message have buffers of their own. `v8.deserialize` makes views of the one buffer that holds the whole message, and who posts such a view to a thread
 * has all of that copied, for each of thousands of sessions.
 */
class OwnBytes extends DefaultDeserializer {
  _readHostObject(): ArrayBufferView {
    const view = readView.call(this)
    return view instanceof Uint8Array ? new Uint8Array(view) : view
  }
}

function read(message: Buffer): LinkMessage {
  const bytes = new OwnBytes(message)
  bytes.readHeader()
  return bytes.readValue() as LinkMessage
}
