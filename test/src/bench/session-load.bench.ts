// The initiator of the sessions benchmark, a process of its own. It prints one line of JSON with what it did.
//
//   hold PORT COUNT             logs COUNT sessions in and keeps them until its input ends
//   cycle PORT PARALLEL SECONDS logs in and out again and again, PARALLEL sessions at a time

import { once } from 'node:events'
import { BareSession } from './bare-session.js'

const TARGET = 'blank'
/** Logins under way at a time while sessions are piled up. */
const PARALLEL_LOGINS = 32

/** What is printed: how many logins in which time. */
export interface LoginCount {
  readonly logins: number
  readonly seconds: number
}

async function hold(port: number, count: number): Promise<void> {
  const sessions: BareSession[] = []
  let begun = 0
  await tell(PARALLEL_LOGINS, async () => {
    if (begun >= count) return false
    sessions.push(await BareSession.login(port, TARGET, begun++))
    return true
  })
  process.stdin.resume()
  await once(process.stdin, 'end')
  for (const session of sessions) session.close()
}

async function cycle(port: number, parallel: number, seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1000
  let begun = 0
  await tell(parallel, async () => {
    if (performance.now() >= end) return false
    const session = await BareSession.login(port, TARGET, begun++)
    await session.logout()
    return true
  })
}

/** Runs `one` in `parallel` loops until it says false, and prints the count. */
async function tell(parallel: number, one: () => Promise<boolean>): Promise<void> {
  const began = performance.now()
  let logins = 0
  const loop = async () => {
    while (await one()) logins++
  }
  await Promise.all(Array.from({ length: parallel }, loop))
  const count: LoginCount = { logins, seconds: (performance.now() - began) / 1000 }
  process.stdout.write(`${JSON.stringify(count)}\n`)
}

const [what, ...numbers] = process.argv.slice(2)
const [port = 0, count = 0, seconds = 0] = numbers.map(Number)
if (what === 'hold') await hold(port, count)
else await cycle(port, count, seconds)
