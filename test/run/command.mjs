// Runs a program to its end and keeps what it printed. Each test file has a time limit of its own (`timeout` in the tap
// settings of its workspace, fit for a machine ten times slower than usual); here is what ends that which these do not end.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The folder of the root package.json. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The longest that any program may run. */
const LIMIT_MS = 4 * 3_600_000
/** How long a program that was told to end has for that. */
const END_MS = 10_000
/** How long output is waited for after the end: what a program has left running may hold its pipes open for ever. */
const LINGER_MS = 5_000

/**
 * @param {string} program name or path
 * @param {string[]} args
 * @param {{ cwd?: string, limitMs?: number, env?: Record<string, string> }} [options] `cwd` defaults to the repository's root
 * @returns {Promise<{ code: number, stdout: string, output: string }>} `output`: stdout and stderr in the order of arrival; code
 *   127 when the program cannot be started, 128 when a signal ended it
 */
export function command(program, args, { cwd = ROOT, limitMs = LIMIT_MS, env: more = {} } = {}) {
  const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' }
  for (const name of Object.keys(env)) if (/^TAP(_|$)/.test(name)) delete env[name]
  Object.assign(env, more)
  return new Promise(resolve => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let output = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      stdout += text
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', text => (output += text))
    const timers = [
      setTimeout(() => {
        output += `\nit has not ended within ${limitMs / 1000} s`
        child.kill('SIGTERM')
      }, limitMs),
      setTimeout(() => child.kill('SIGKILL'), limitMs + END_MS),
    ]
    const done = result => {
      for (const timer of timers) clearTimeout(timer)
      resolve(result)
    }
    child.on('exit', () => {
      const letGo = () => {
        for (const stream of [child.stdout, child.stderr]) stream.destroy()
      }
      // What lies in the pipes is read first, also when this process stood still until now.
      timers.push(setTimeout(() => setImmediate(letGo), LINGER_MS))
    })
    child.on('error', error => done({ code: 127, stdout, output: String(error) }))
    child.on('close', (code, signal) =>
      done({ code: code ?? 128, stdout, output: signal ? `${output}\nended by ${signal}` : output }),
    )
  })
}

/** A program as a step without counts of its own: one passed or one failed. */
export async function check(program, args, options) {
  const { code, output } = await command(program, args, options)
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, output }
}
