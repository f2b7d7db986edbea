// Initiators that are not ours, at work while the server is upgraded again and again: libiscsi's and QEMU's. Neither may have an error, and none of their sessions may be another one
// than at first, which they would not tell of themselves.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { DIES_WITH_PARENT, runProgram } from '../harness/run-program.js'
import { iqn } from '../harness/server.js'
import { withUpgradableServer } from '../harness/upgradable-server.js'
import { content } from '../protocol/lab.js'
import { MIB, upgraded } from './lab.js'

const UPGRADES = 4
/** Between two upgrades. */
const WORK_MS = 500
const PLACES = 16
const PLACE_KIB = 64
const IMAGE_BYTES = 32 * MIB
/** So slowly that it takes seconds. */
const CONVERT_BYTES_PER_SECOND = 8 * MIB
const LIMIT_S = 600
/** To a pipe programs say things when they have a lot to say, unless told. */
const SAYS_AT_ONCE = ['stdbuf', '-o0']
const TARGETS = ['perf', 'patterns', 'image']

const config = {
  workers: 2,
  targets: TARGETS.map(name => ({ name, auth: 'none', luns: [{ sizeBytes: 64 * MIB }] })),
}

/** A program that runs until it is told to end, and what it has said. */
class Running {
  readonly child: ChildProcess
  readonly #exit: Promise<number | null>
  said = ''

  constructor(program: string, args: readonly string[]) {
    this.child = spawn('setpriv', [...DIES_WITH_PARENT, ...SAYS_AT_ONCE, program, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    for (const stream of [this.child.stdout!, this.child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => (this.said += text))
    this.#exit = once(this.child, 'close').then(([code]) => code as number | null)
  }

  get runs(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  async end(): Promise<number | null> {
    const timer = globalThis.setTimeout(() => this.child.kill('SIGKILL'), LIMIT_S * 1000)
    const code = await this.#exit
    clearTimeout(timer)
    return code
  }
}

/** What `qemu-io` is to do in a round: writes at many places at once, and reads of all of them. */
function patterns(round: number): string[] {
  const places = Array.from({ length: PLACES }, (_, place) => `${place * PLACE_KIB}k ${PLACE_KIB}k`)
  const byte = (place: number) => ((round * PLACES + place) % 255) + 1
  return [
    ...places.map((extent, place) => `aio_write -q -P ${byte(place)} ${extent}`),
    'aio_flush',
    'flush',
    ...places.map((extent, place) => `read -q -P ${byte(place)} ${extent}`),
  ]
}

await t.test(`iscsi-perf, qemu-io and qemu-img do not notice ${UPGRADES} upgrades`, async t => {
  await withUpgradableServer(t, { config }, async server => {
    let over = false
    const url = (name: string) => `iscsi://127.0.0.1:${server.port}/${iqn(name)}/0`

    const perf = new Running('iscsi-perf', ['-r', '-b', '8', '-m', '4', '-x', '0', url('perf')])
    const io = new Running('qemu-io', ['-f', 'raw', url('patterns')])
    let rounds = 0
    const write = async () => {
      for (let lines = 0; !over && io.runs; rounds++)
        for (const line of patterns(rounds)) {
          // It takes a line when it asks for one.
          lines++
          while (io.said.split('qemu-io> ').length <= lines && io.runs) await setTimeout(1)
          io.child.stdin!.write(`${line}\n`)
        }
      io.child.stdin!.end('quit\n')
    }
    const image = join(server.dataDir, 'image')
    writeFileSync(image, Buffer.concat([randomBytes(IMAGE_BYTES / 2), content(IMAGE_BYTES / 2, 3)]))
    const convert = async () => {
      const args = ['convert', '-n', '-f', 'raw', '-O', 'raw', '-r', String(CONVERT_BYTES_PER_SECOND), image]
      const runs = []
      do runs.push(await runProgram('qemu-img', [...args, url('image')], { timeoutMs: LIMIT_S * 1000 }))
      while (!over)
      return runs
    }
    const writing = write()
    const converting = convert()
    while (perf.runs && io.runs && (rounds < 2 || !/iops current/.test(perf.said))) await setTimeout(20)

    const pauses: number[] = []
    for (let upgrade = 0; upgrade < UPGRADES; upgrade++) {
      const before = rounds
      // Between two of its runs qemu-img has none.
      pauses.push(await upgraded(t, server, { moved: Number }))
      await setTimeout(WORK_MS)
      while (rounds < before + 2 && io.runs) await setTimeout(20)
    }
    over = true
    perf.child.kill('SIGINT')
    await writing
    const [perfCode, ioCode, runs] = await Promise.all([perf.end(), io.end(), converting])
    t.comment(`pauses ${pauses.join(', ')} ms, ${rounds} rounds of qemu-io, ${runs.length} of qemu-img`)
    t.equal(perfCode, 0, 'iscsi-perf has had no error')
    if (perfCode !== 0) t.comment(perf.said.slice(-2000))
    t.equal(ioCode, 0, 'nor has qemu-io')
    const faults = io.said.split('\n').filter(line => /error|fail/i.test(line))
    t.same(faults, [], 'which has read what it had written')
    t.same(
      runs.filter(({ code }) => code !== 0),
      [],
      'nor has qemu-img',
    )

    const opened = (name: string) =>
      server.log.filter(({ event, target }) => event === 'session.opened' && target === iqn(name)).length
    t.same(TARGETS.map(opened), [1, 1, runs.length], 'each has logged in once')
    const ended = server.log.filter(({ event }) => event === 'session.ended')
    t.same(
      ended.filter(({ outcome }) => outcome !== 'logout' && outcome !== 'closed'),
      [],
    )
    const compared = await runProgram('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', image, url('image')])
    t.match(compared, { code: 0, stdout: /identical/ })
  })
})
