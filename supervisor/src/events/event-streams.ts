/**
 * Who watches the server's events over HTTP: a stream of server-sent events [WHATWG HTML §9.2] each. Who comes back says by Last-Event-ID what was
 * seen, and gets what happened since, as far as it is kept.
 *
 * Nobody is waited for: who reads too slowly is cut off, and may come back.
 */
import type { ServerResponse } from 'node:http'
import type { ServerEvent, ServerEvents } from './server-events.js'

/** Watchers at a time. */
export const MAX_STREAMS = 16
/** What may wait for one of them, in bytes; all that is kept fits. */
const MAX_WAITING_BYTES = 2 << 20
/** A comment this often keeps proxies from ending a quiet stream, and finds those that have gone. */
const QUIET_MS = 15_000
/** How long a watcher is told to wait before it comes back. */
const RETRY_MS = 2_000

const LAST_EVENT_ID = /^([0-9a-f]{8})-([0-9]{1,15})$/

export class EventStreams {
  readonly #events: ServerEvents
  readonly #open = new Set<() => void>()

  constructor(events: ServerEvents) {
    this.#events = events
  }

  get isFull(): boolean {
    return this.#open.size >= MAX_STREAMS
  }

  /** Sends events until the other side goes or the server stops. `lastEventId`: what was seen of them by now. */
  serve(response: ServerResponse, lastEventId: string | undefined): void {
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      connection: 'close',
      'x-accel-buffering': 'no',
    })
    const send = (text: string) => {
      response.write(text)
      if (response.writableLength > MAX_WAITING_BYTES) response.destroy()
    }
    send(`retry: ${RETRY_MS}\n\n${this.#missed(lastEventId)}`)
    const stop = this.#events.listen(event => send(this.#frame(event)))
    const quiet = setInterval(() => send(':\n\n'), QUIET_MS).unref()
    const end = () => void response.end()
    this.#open.add(end)
    response.once('close', () => {
      stop()
      clearInterval(quiet)
      this.#open.delete(end)
    })
  }

  /** Ends all streams. */
  close(): void {
    for (const end of this.#open) end()
  }

  /** What happened since that event. One of another process says nothing of ours, so all that is kept is sent. */
  #missed(lastEventId: string | undefined): string {
    if (lastEventId === undefined) return ''
    const [, epoch, number] = LAST_EVENT_ID.exec(lastEventId) ?? []
    const { events, lost } = this.#events.after(epoch === this.#events.epoch ? Number(number) : 0)
    const gap = lost === 0 ? '' : `event: events.lost\ndata: ${JSON.stringify({ event: 'events.lost', lost })}\n\n`
    return gap + events.map(event => this.#frame(event)).join('')
  }

  #frame({ number, time, level, fields }: ServerEvent): string {
    const data = JSON.stringify({ time, level, ...fields })
    return `id: ${this.#events.epoch}-${number}\nevent: ${fields.event}\ndata: ${data}\n\n`
  }
}
