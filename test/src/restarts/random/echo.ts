// The echo that pings are compared with: a process of its own, on the same machine at the same time.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { DIES_WITH_PARENT } from '../../harness/run-program.js'

const SCRIPT = fileURLToPath(new URL('./echo-process.js', import.meta.url))
const BYTES = Buffer.alloc(48)

export class Echo {
  readonly #child: ChildProcess
  readonly #socket: Socket

  private constructor(child: ChildProcess, socket: Socket) {
    this.#child = child
    this.#socket = socket
  }

  static async start(): Promise<Echo> {
    const child = spawn('setpriv', [...DIES_WITH_PARENT, process.execPath, SCRIPT], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [port] = (await once(child.stdout!, 'data')) as [Buffer]
    const socket = connect({ host: '127.0.0.1', port: Number(String(port)), noDelay: true })
    await once(socket, 'connect')
    return new Echo(child, socket)
  }

  /** As many bytes as a ping has, there and back; one at a time. In milliseconds. */
  async measure(): Promise<number> {
    const began = performance.now()
    this.#socket.write(BYTES)
    for (let left = BYTES.length; left > 0; ) left -= ((await once(this.#socket, 'data')) as [Buffer])[0].length
    return performance.now() - began
  }

  stop(): void {
    this.#socket.destroy()
    this.#child.kill('SIGKILL')
  }
}
