/**
 * The new process of an upgrade, as it has the old one: who it follows, what it inherits, and when it may begin. See `estate.ts` for the order.
 *
 * The old process ends this one when it takes too long. When the old one is gone before it has said *go*, this one has nothing and ends.
 */
import { closeSync } from 'node:fs'
import { createServer, Socket } from 'node:net'
import { type Config, formatAddress } from '@scsipub/config'
import { replaceDescriptor } from '@scsipub/posix'
import { listening } from '../listener.js'
import type { ListeningSockets } from '../systemd/activation.js'
import type { Estate, EstateMessage, ReadyMessage, Terms, TermsMessage } from './estate.js'
import { FORMAT } from './estate.js'
import { LINK_VARIABLE } from './heir-process.js'
import { Link } from './link.js'

const STREAM = 3
const PAIR = 4
const STANDARD_ERROR = 2
const OLD_STANDARD_ERROR = 5

export class Succession {
  readonly #link: Link
  #terms: TermsMessage | undefined
  #begun = false

  readonly #version: string

  private constructor(link: Link, version: string) {
    this.#link = link
    this.#version = version
  }

  /** That of this process, when an upgrade has started it; takes the variable that says so out of `env`. `version`: of this server. */
  static of(env: NodeJS.ProcessEnv, version: string): Succession | undefined {
    const isHeir = env[LINK_VARIABLE] !== undefined
    delete env[LINK_VARIABLE]
    return isHeir ? new Succession(new Link(new Socket({ fd: STREAM }), PAIR), version) : undefined
  }

  /** Whether this process has to go on with what it got: the old one has let it. */
  get begun(): boolean {
    return this.#begun
  }

  /** Compares both configurations. Rejects with one line when this one cannot follow the other. */
  async check(config: Config): Promise<void> {
    const { format, terms } = await this.#told()
    if (format !== FORMAT)
      throw new Error(
        `the server that runs is of another kind (${format}, this is ${FORMAT}); stop it and start this one`,
      )
    const own = termsOf(config)
    for (const key of Object.keys(own) as (keyof Terms)[])
      if (own[key] !== terms[key])
        throw new Error(`${key} is not what it is for the server that runs; stop it and start this one to change that`)
  }

  /** Whether a socket will be inherited: both configurations have the same address for it. */
  async inherits(name: 'iscsi' | 'http', config: Config): Promise<boolean> {
    const { listen } = await this.#told()
    return listen[name] === addressesOf(config)[name]
  }

  /** The sockets that are inherited; closes the others, whose addresses are not listened on any more. */
  async sockets({ sockets }: Estate, config: Config): Promise<ListeningSockets> {
    const inherited: { iscsi?: number; http?: number } = {}
    for (const name of ['iscsi', 'http'] as const) {
      if (await this.inherits(name, config)) inherited[name] = sockets[name]
      else closeSync(sockets[name])
    }
    return inherited
  }

  /** Says that this process is ready; resolves with what it gets. */
  async inherit(): Promise<Estate> {
    const ready: ReadyMessage = { kind: 'ready', pid: process.pid, version: this.#version }
    this.#link.send(ready)
    const ours = await this.#link.receiveDescriptors()
    const { estate } = await this.#link.receive<EstateMessage>('estate')
    const own = (theirs: number) => {
      const fd = ours.get(theirs)
      if (fd === undefined) throw new Error(`descriptor ${theirs} did not come`)
      return fd
    }
    return {
      ...estate,
      sockets: { iscsi: own(estate.sockets.iscsi), http: own(estate.sockets.http) },
      lockFd: own(estate.lockFd),
      sessions: {
        ...estate.sessions,
        connections: estate.sessions.connections.map(connection => ({ ...connection, fd: own(connection.fd) })),
      },
    }
  }

  /** Says that all is there; resolves when this process is to go on with it. */
  async adopted(): Promise<void> {
    this.#link.send({ kind: 'adopted' })
    await this.#link.receive('go')
    this.#begun = true
  }

  /** Says that this process serves, and lets go of the old one. */
  serving(): void {
    this.#link.send({ kind: 'serving' })
    replaceDescriptor(OLD_STANDARD_ERROR, STANDARD_ERROR)
    closeSync(OLD_STANDARD_ERROR)
    this.#link.close()
  }

  async #told(): Promise<TermsMessage> {
    this.#terms ??= await this.#link.receive<TermsMessage>('terms')
    return this.#terms
  }
}

/** Looks whether this process could go on, before it has anything. Rejects with one line when not. */
export async function prepare(succession: Succession, config: Config): Promise<void> {
  await succession.check(config)
  for (const name of ['iscsi', 'http'] as const) {
    if (await succession.inherits(name, config)) continue
    const server = createServer()
    await listening(server, config.listen[name], `listen.${name}`)
    await new Promise(resolve => server.close(resolve))
  }
}

export function termsOf({ dataDir, iqnPrefix, state }: Config): Terms {
  return { dataDir, iqnPrefix, stateUrl: state.url ?? '' }
}

export function addressesOf({ listen }: Config): { iscsi: string; http: string } {
  return { iscsi: formatAddress(listen.iscsi), http: formatAddress(listen.http) }
}
