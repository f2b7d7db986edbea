/** The process as scripts and people start it: exit codes, what goes to which stream, signals. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url))

function launch(args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH: process.env['PATH'], ...env } })
  const output = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.err += text))
  const exit = once(child, 'close').then(([code]) => code as number)
  return { child, output, exit }
}

t.test('--help says how to start it, exit code 0', async t => {
  const { output, exit } = launch(['--help'])
  t.equal(await exit, 0)
  t.match(output.out, /npm start \[-- --config FILE\]/)
})

t.test('an unknown argument is exit code 2', async t => {
  const { output, exit } = launch(['--confg', 'x'])
  t.equal(await exit, 2)
  t.match(output.err, /^scsipub: Unknown option '--confg'/)
})

t.test('every fault of the configuration is a line on standard error, exit code 2', async t => {
  const path = join(t.testdir(), 'c.json')
  writeFileSync(path, JSON.stringify({ workers: 0, admin: {}, listen: { iscsi: 'x' } }))
  const { output, exit } = launch(['--config', path])
  t.equal(await exit, 2)
  t.equal(output.err.trimEnd().split('\n').length, 2)
  t.equal(output.out, '')
})

t.test('the ready line is printed whatever the log level, and SIGTERM is exit code 0', async t => {
  const dataDir = join(t.testdir(), 'data')
  const env = {
    SCSIPUB_DATADIR: dataDir,
    SCSIPUB_LISTEN_ISCSI: '127.0.0.1:0',
    SCSIPUB_LISTEN_HTTP: '127.0.0.1:0',
    SCSIPUB_LOG_LEVEL: 'error',
    SCSIPUB_WORKERS: '1',
  }
  const { child, output, exit } = launch([], env)
  let over = false
  exit.then(() => {
    over = true
  })
  while (!output.out.includes('\n') && !over) await Promise.race([once(child.stdout, 'data'), exit])
  t.notOk(over, output.err)
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
    SCSIPUB_DATADIR: join(t.testdir(), 'data'),
    SCSIPUB_LISTEN_ISCSI: '127.0.0.1:0',
    SCSIPUB_LISTEN_HTTP: '127.0.0.1:0',
    SCSIPUB_WORKERS: '1',
  }
  const { child, output, exit } = launch([], env)
  while (!output.out.includes('server.ready')) await Promise.race([once(child.stdout, 'data'), exit])
  const again = setInterval(() => child.kill('SIGTERM'), 1)
  t.equal(await exit, 0, output.err)
  clearInterval(again)
})
