/**
 * Listening sockets that the service manager has opened before it started the server [sd_listen_fds(3)]: descriptors from 3 on, `LISTEN_FDS` of them, named by
 * `LISTEN_FDNAMES`, and meant for the process `LISTEN_PID`. What is listened on is then the socket unit's to say, not the configuration's.
 *
 * Left out: several sockets for one purpose; datagram sockets.
 */

const FIRST_DESCRIPTOR = 3
const VARIABLES = ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES'] as const

/** Descriptors of listening sockets, by what they are for; absent: the server opens that one itself. */
export interface ListeningSockets {
  readonly iscsi?: number
  readonly http?: number
}

/**
 * Takes the sockets out of `env`, which child processes would misunderstand.
 * @throws Error with one line for the operator when the names are not those that there should be
 */
export function activatedSockets(env: NodeJS.ProcessEnv, pid = process.pid): ListeningSockets {
  const [count, forPid, names] = VARIABLES.map(name => env[name])
  for (const name of VARIABLES) delete env[name]
  if (count === undefined || Number(forPid) !== pid) return {}
  const sockets: { iscsi?: number; http?: number } = {}
  const given = names === undefined || names === '' ? [] : names.split(':')
  for (let index = 0; index < Number(count); index++) {
    const name = given[index] ?? 'unknown'
    if (name !== 'iscsi' && name !== 'http')
      throw new Error(
        `the service manager gives a socket named "${name}"; name it by FileDescriptorName=iscsi or FileDescriptorName=http`,
      )
    if (sockets[name] !== undefined)
      throw new Error(`the service manager gives two sockets named "${name}"; there can be one`)
    sockets[name] = FIRST_DESCRIPTOR + index
  }
  return sockets
}
