/** What the kernel says of a thread of this process, by its number in /proc/self/task. */
import { readFileSync } from 'node:fs'

/** `state`: R running or ready to run, S sleeping, D waiting for a disk, and others. `ticks`: of processor time that it has had. */
export interface ThreadState {
  readonly state: string
  readonly ticks: number
}

const UTIME = 11
const STIME = 12

/** Undefined when the thread is no more. */
export function threadState(taskId: number): ThreadState | undefined {
  try {
    const stat = readFileSync(`/proc/self/task/${taskId}/stat`, 'latin1')
    // The state follows the name, which may itself have parentheses and spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', ticks: Number(fields[UTIME]) + Number(fields[STIME]) }
  } catch {
    return undefined
  }
}
