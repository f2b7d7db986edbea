/** The process as scripts and people start it: exit codes, what goes to which stream, signals. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { testFolder } from '@scsipub/testkit'
import t, { type Test } from 'tap'

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url))

function launch(t: Test, args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH: process.env['PATH'], ...env } })
  const output = { out: '', err: '' }
  let serve = () => {}
  const serves = new Promise<void>(resolve => (serve = resolve))
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.out += text
    if (/server\.ready.*\n/.test(output.out)) serve()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.err += text))
  const exit = once(child, 'close').then(([code]) => code as number)
  t.teardown(() => child.kill('SIGKILL'))
  /** It serves, or has ended. */
  const begun = Promise.race([serves, exit])
  return { child, output, exit, begun }
}

t.test('--help says how to start it, exit code 0', async t => {
  const { output, exit } = launch(t, ['--help'])
  t.equal(await exit, 0)
  t.match(output.out, /npm start \[-- --config FILE\]/)
})

t.test('an unknown argument is exit code 2', async t => {
  const { output, exit } = launch(t, ['--confg', 'x'])
  t.equal(await exit, 2)
  t.match(output.err, /^scsipub: Unknown option '--confg'/)
})

t.test('every fault of the configuration is a line on standard error, exit code 2', async t => {
  const path = join(testFolder(t), 'c.json')
  writeFileSync(path, JSON.stringify({ workers: 0, admin: {}, listen: { iscsi: 'x' } }))
  const { output, exit } = launch(t, ['--config', path])
  t.equal(await exit, 2)
  t.equal(output.err.trimEnd().split('\n').length, 2)
  t.equal(output.out, '')
})

t.test('the ready line is printed whatever the log level, and SIGTERM is exit code 0', async t => {
  const dataDir = join(testFolder(t), 'data')
  const env = {
    SCSIPUB_DATADIR: dataDir,
    SCSIPUB_LISTEN_ISCSI: '127.0.0.1:0',
    SCSIPUB_LISTEN_HTTP: '127.0.0.1:0',
    SCSIPUB_LOG_LEVEL: 'error',
    SCSIPUB_WORKERS: '1',
  }
  const { child, output, exit, begun } = launch(t, [], env)
  await begun
  t.equal(child.exitCode, null, output.err)
  t.match(JSON.parse(output.out), {
    event: 'server.ready',
    iscsi: /^127\.0\.0\.1:\d+$/,
    http: /^127\.0\.0\.1:\d+$/,
    targets: 2,
  })
  child.kill('SIGTERM')
  t.equal(await exit, 0)
  t.equal(output.err, '')
})

t.test('SIGTERM again and again, to the last moment, is exit code 0 all the same', async t => {
  const env = {
    SCSIPUB_DATADIR: join(testFolder(t), 'data'),
    SCSIPUB_LISTEN_ISCSI: '127.0.0.1:0',
    SCSIPUB_LISTEN_HTTP: '127.0.0.1:0',
    SCSIPUB_WORKERS: '1',
  }
  const { child, output, exit, begun } = launch(t, [], env)
  await begun
  t.match(output.out, 'server.ready')
  const again = setInterval(() => child.kill('SIGTERM'), 1)
  t.equal(await exit, 0, output.err)
  clearInterval(again)
})
