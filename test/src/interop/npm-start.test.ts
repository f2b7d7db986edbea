// `npm start`, as the README has it: npm and a shell stand between whoever stops the server and the server.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { DIES_WITH_PARENT, runProgram } from '../harness/run-program.js'
import { ROOT } from '../repository.js'

t.test('npm start serves with the given configuration; SIGTERM to npm drains the server, exit code 0', async t => {
  const dataDir = t.testdir()
  const config = join(dataDir, 'config.json')
  writeFileSync(config, JSON.stringify({ dataDir, listen: { iscsi: '127.0.0.1:0', http: '127.0.0.1:0' } }))
  const child = spawn('setpriv', [...DIES_WITH_PARENT, 'npm', 'start', '--', '--config', config], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const events: string[] = []
  const closed = once(child, 'close') // by then it has printed all
  const port = new Promise<string>((resolve, reject) => {
    child.once('exit', code => reject(new Error(`it ended with code ${code}, after ${events.join(', ')}`)))
    createInterface({ input: child.stdout }).on('line', line => {
      const { event, iscsi } = line.startsWith('{') ? (JSON.parse(line) as { event?: string; iscsi?: string }) : {}
      if (event) events.push(event)
      if (event === 'server.ready' && iscsi) resolve(iscsi)
    })
  })
  const { code, stdout } = await runProgram('iscsi-ls', [`iscsi://${await port}`])
  t.equal(code, 0)
  t.match(stdout, /iqn\.2025-01\.pub\.scsipub:blank/)
  child.kill('SIGTERM')
  const [exitCode] = (await closed) as [number | null]
  t.equal(exitCode, 0)
  t.equal(events.at(-1), 'server.stopped')
})
