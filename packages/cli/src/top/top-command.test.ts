/** `scsipub top` on a terminal that is the test's, and without one. */
import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import t from 'tap'
import { overviewThat, workerThat } from '../fixtures/overview.js'
import { json, scsipub, serverThat } from '../fixtures/stub-server.js'
import type { Terminal } from './screen.js'

const ADMIN = { SCSIPUB_ADMIN_TOKEN: 'the token' }

/** A terminal that keeps what is written to it. */
class TestTerminal implements Terminal {
  readonly keys = new EventEmitter()
  readonly window = Object.assign(new EventEmitter(), { columns: 200, rows: 50 })
  written = ''
  raw: boolean[] = []
  #news: () => void = () => {}
  readonly input = Object.assign(this.keys, {
    setRawMode: (mode: boolean) => {
      this.raw.push(mode)
      return this.input
    },
    resume: () => this.input,
    pause: () => this.input,
  }) as unknown as Terminal['input']
  readonly output = Object.assign(this.window, {
    write: (text: string) => {
      this.written += text
      this.#news()
      return true
    },
  }) as unknown as Terminal['output']

  press(key: string): void {
    this.keys.emit('data', Buffer.from(key))
  }

  async until(what: RegExp): Promise<void> {
    while (!what.test(this.written)) await new Promise<void>(resolve => (this.#news = resolve))
  }
}

/** Answers with more reads each time. */
function busy() {
  let reads = 0
  return (response: ServerResponse) => {
    reads += 1_000_000
    json(overviewThat({ workers: [workerThat({ reads, read_bytes: reads * 512 })] }))(response)
  }
}

const ENTER = '\x1b[?1049h'
const LEAVE = '\x1b[?1049l'

t.test('pictures follow each other until q, and the terminal is as it was', async t => {
  for (const key of ['q', 'Q', '\x03']) {
    const { url } = await serverThat(t, busy())
    const terminal = new TestTerminal()
    const running = scsipub(['top', '--interval', '0.1', '--server', url], ADMIN, terminal)
    await terminal.until(/I\/O [1-9]\d*\/s/)
    terminal.press('x')
    terminal.written = ''
    await terminal.until(/I\/O [1-9]\d*\/s.*I\/O [1-9]\d*\/s/s)
    terminal.press(key)
    t.match(await running, { code: 0, out: '', err: '' })
    t.ok(terminal.written.endsWith(LEAVE))
    t.same(terminal.raw, [true, false])
    t.equal(terminal.keys.listenerCount('data') + terminal.window.listenerCount('resize'), 0)
  }
})

t.test('a picture is cut to the window, and shown again when that changes', async t => {
  const { url } = await serverThat(t, busy())
  const terminal = new TestTerminal()
  Object.assign(terminal.window, { columns: 20, rows: 2 })
  const running = scsipub(['top', '--interval', '3600', '--server', url], ADMIN, terminal)
  await terminal.until(/one moment/)
  t.ok(terminal.written.startsWith(ENTER))
  terminal.written = ''
  Object.assign(terminal.window, { columns: 10, rows: 1 })
  terminal.window.emit('resize')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  t.match(terminal.written, /^\x1b\[H\x1b\[1mscsipub: o\x1b\[0m\x1b\[K\x1b\[J$/)
  terminal.press('q')
  t.equal((await running).code, 0)
})

t.test('a server that is away for a while, as during an upgrade, is asked again', async t => {
  let calls = 0
  const answer = busy()
  const { url } = await serverThat(t, (response, request: IncomingMessage) => {
    calls++
    if (calls === 3) request.socket.destroy()
    else answer(response)
  })
  const terminal = new TestTerminal()
  const running = scsipub(['top', '--interval', '0.1', '--server', url], ADMIN, terminal)
  await terminal.until(/cannot reach .*trying again/)
  terminal.written = ''
  await terminal.until(/I\/O [1-9]\d*\/s/)
  terminal.press('q')
  t.equal((await running).code, 0)
})

t.test('one that refuses ends it, with the terminal as it was', async t => {
  const { url } = await serverThat(
    t,
    json({ detail: 'this is not it', code: 'admin-token-invalid' }, 401, 'application/problem+json'),
  )
  const terminal = new TestTerminal()
  const { code, err } = await scsipub(['top', '--server', url], ADMIN, terminal)
  t.equal(code, 2)
  t.match(err, /admin-token-invalid/)
  t.ok(terminal.written.endsWith(LEAVE))
  t.same(terminal.raw, [true, false])
})

t.test('--once, and no terminal, print what one interval was like', async t => {
  for (const options of [['--once'], []]) {
    const { url, seen } = await serverThat(t, busy())
    const terminal = options.length > 0 ? new TestTerminal() : undefined
    const args = ['top', ...options, '--interval', '0.2', '--server', url]
    const { code, out } = await scsipub(args, ADMIN, terminal)
    t.equal(code, 0)
    t.equal(seen.length, 2)
    t.match(out, /^scsipub, up .*I\/O [1-9]\d{3,}\/s .*WORKER/s)
    t.notOk(out.includes('\x1b'), 'for scripts')
    t.equal(terminal?.written ?? '', '')
  }
})

t.test('an interval that is none is refused', async t => {
  for (const interval of ['0', 'x', '-1', '1e9'])
    t.equal((await scsipub(['top', `--interval=${interval}`], ADMIN)).code, 1, interval)
})
