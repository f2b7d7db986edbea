// Runs a program of this machine to its end, within a time. It dies with this process, however that ends: a test run that is
// killed leaves no server and no machine behind.

import { spawn } from 'node:child_process'

export interface Ran {
  /** Exit code; 127 when there is no such program, 124 when its time was up, 128 when a signal ended it. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** After this the program is killed; 300 s unless told. */
  readonly timeoutMs?: number
  readonly cwd?: string
}

/** Arguments of setpriv (util-linux), to be followed by the command: the kernel kills that one when its parent dies. */
export const DIES_WITH_PARENT: readonly string[] = ['--pdeathsig', 'KILL']

/** Runs `program` without a shell. Never throws: a test looks at the exit code. */
export function runProgram(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise(resolve => {
    const child = spawn('setpriv', [...DIES_WITH_PARENT, program, ...args], {
      cwd: options.cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    let late = false
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, options.timeoutMs ?? 300_000)
    child.on('error', error => {
      clearTimeout(timer)
      resolve({ code: 127, stdout, stderr: String(error) })
    })
    child.on('close', code => {
      clearTimeout(timer)
      resolve({ code: late ? 124 : (code ?? 128), stdout, stderr })
    })
  })
}
