// Runs a program to its end and keeps what it printed.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The folder of the root package.json. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * @param {string} program name or path
 * @param {string[]} args
 * @param {{ cwd?: string }} [options] `cwd` defaults to the repository's root
 * @returns {Promise<{ code: number, output: string }>} stdout and stderr in the order of arrival; code 127 when the
 *   program cannot be started, 128 when a signal ended it
 */
export function command(program, args, { cwd = ROOT } = {}) {
  const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' }
  for (const name of Object.keys(env)) if (/^TAP(_|$)/.test(name)) delete env[name]
  return new Promise(resolve => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', text => (output += text))
    child.stderr.setEncoding('utf8').on('data', text => (output += text))
    child.on('error', error => resolve({ code: 127, output: String(error) }))
    child.on('close', (code, signal) =>
      resolve({ code: code ?? 128, output: signal ? `${output}\nended by ${signal}` : output }),
    )
  })
}

/** A program as a step without counts of its own: one passed or one failed. */
export async function check(program, args, options) {
  const { code, output } = await command(program, args, options)
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, output }
}
