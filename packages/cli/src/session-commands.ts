/** `scsipub session …` */
import type { OwnSession, Session } from './answers.js'
import type { Command, Invocation, Outcome } from './command.js'
import { formatSize, parseDuration, parseNumber, parseSize } from './quantities.js'
import { loginText, sessionsText, sessionText } from './session-text.js'

const LUN_FORM =
  'IMAGE is a name of the catalog (scsipub catalog), the id of a private image, or "blank"; SIZE is 10G, 512M, or bytes.'

export const sessionCommands: readonly Command[] = [
  {
    words: 'session create',
    args: '[IMAGE[:SIZE] …]',
    minArgs: 0,
    maxArgs: 256,
    about: 'make a target of your own, with a LUN for each IMAGE (none: one blank disk)',
    more: `${LUN_FORM} Prints the commands to log in.`,
    options: {
      name: { value: 'NAME', about: 'what you call it' },
      ttl: { value: 'TIME', about: 'how long it lasts while nobody uses it: 7d, 12h, or seconds' },
    },
    as: 'account',
    run: create,
  },
  {
    words: 'session list',
    args: '',
    minArgs: 0,
    maxArgs: 0,
    about: 'list your sessions',
    as: 'account',
    run: async ({ client, token }) => {
      const json = await client.call<{ sessions: Session[] }>('GET /api/sessions', { token: token() })
      return { json, text: sessionsText(json.sessions) }
    },
  },
  {
    words: 'session show',
    args: 'ID',
    minArgs: 1,
    maxArgs: 1,
    about: 'show a session, its secret, and the commands to log in',
    as: 'account',
    run: async invocation => {
      const session = await call(invocation, 'GET', '')
      return { json: session, text: `${sessionText(session)}\n${loginText(session)}` }
    },
  },
  {
    words: 'session rm',
    args: 'ID',
    minArgs: 1,
    maxArgs: 1,
    about: 'remove a session and all that is on its disks',
    as: 'account',
    run: async invocation => {
      await call(invocation, 'DELETE', '')
      return { json: {}, text: `session ${invocation.args[0]} is gone\n` }
    },
  },
  {
    words: 'session add-lun',
    args: 'ID IMAGE[:SIZE]',
    minArgs: 2,
    maxArgs: 2,
    about: 'add a disk, while initiators are attached too',
    more: LUN_FORM,
    as: 'account',
    run: async invocation => changed(await call(invocation, 'POST', '/luns', lunOf(invocation.args[1] ?? ''))),
  },
  {
    words: 'session rm-lun',
    args: 'ID LUN',
    minArgs: 2,
    maxArgs: 2,
    about: 'remove a disk and all that is on it',
    as: 'account',
    run: async invocation => changed(await call(invocation, 'DELETE', `/luns/${lunNumber(invocation.args[1])}`)),
  },
  {
    words: 'session resize',
    args: 'ID LUN SIZE',
    minArgs: 3,
    maxArgs: 3,
    about: 'make a disk larger; initiators are told',
    as: 'account',
    run: async invocation => {
      const body = { size_bytes: parseSize(invocation.args[2] ?? '') }
      return changed(await call(invocation, 'PATCH', `/luns/${lunNumber(invocation.args[1])}`, body))
    },
  },
  {
    words: 'session snapshot',
    args: 'ID NAME',
    minArgs: 2,
    maxArgs: 2,
    about: 'keep a disk as it is at this moment, as a private image',
    options: { lun: { value: 'LUN', about: 'which disk; the lowest unless told' } },
    as: 'account',
    run: snapshot,
  },
]

async function create({ client, token, args, values }: Invocation): Promise<Outcome> {
  const { name, ttl } = values as { name?: string; ttl?: string }
  const body = {
    luns: (args.length === 0 ? ['blank'] : args).map(lunOf),
    ...(name !== undefined && { name }),
    ...(ttl !== undefined && { ttl_seconds: parseDuration(ttl) }),
  }
  const session = await client.call<OwnSession>('POST /api/sessions', { token: token(), body })
  return { json: session, text: `${sessionText(session)}\n${loginText(session)}` }
}

async function snapshot({ client, token, args, values }: Invocation): Promise<Outcome> {
  const { lun } = values as { lun?: string }
  const [id = '', name] = args
  const body = { name, ...(lun !== undefined && { lun: lunNumber(lun) }) }
  const what = `POST /api/sessions/${encodeURIComponent(id)}/snapshot`
  const image = await client.call<{ id: string; size_bytes: number }>(what, { token: token(), body })
  const text = `image ${image.id}, ${formatSize(image.size_bytes)}\nuse it: scsipub session create ${image.id}\n`
  return { json: image, text }
}

function call({ client, token, args }: Invocation, method: string, below: string, body?: object): Promise<OwnSession> {
  return client.call(`${method} /api/sessions/${encodeURIComponent(args[0] ?? '')}${below}`, { token: token(), body })
}

function changed(session: OwnSession): Outcome {
  return { json: session, text: sessionText(session) }
}

/** `debian-12:20G` */
function lunOf(text: string): { image: string; size_bytes?: number } {
  const [image = '', size] = text.split(/:(?=[^:]*$)/)
  return { image, ...(size !== undefined && { size_bytes: parseSize(size) }) }
}

function lunNumber(text = ''): number {
  return parseNumber(text, 'the number of a LUN')
}
