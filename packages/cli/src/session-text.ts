/** Sessions in words, and what to type to use their disks. */
import type { OwnSession, Session } from './answers.js'
import { formatMoment, formatSize } from './quantities.js'
import { table } from './table.js'

/** One session, all of it. */
export function sessionText(session: OwnSession): string {
  const { attached_sessions: attached, refused } = session
  const lines = [
    ['session', session.name === undefined ? session.id : `${session.id} (${session.name})`],
    ['target', session.iqn],
    ['portal', session.portal],
    ['CHAP user', session.chap_user],
    ['CHAP secret', session.chap_secret],
    ['state', attached > 0 ? `${session.state}, by ${attached} initiator${attached > 1 ? 's' : ''}` : session.state],
    ['expires', `${formatMoment(session.expires_at)}${session.expiring ? ', which is soon' : ''}, unless it is used`],
    ...(refused === undefined ? [] : [['refused', refused]]),
    ...session.luns.map(({ lun, image, size_bytes }) => [`LUN ${lun}`, `${image}, ${formatSize(size_bytes)}`]),
  ]
  return lines.map(([key = '', value]) => `${`${key}:`.padEnd(13)}${value}\n`).join('')
}

/** How to log in with open-iscsi: without discovery, since nothing is left to be found out. */
export function loginText({ iqn, portal, chap_user: user, chap_secret: secret }: OwnSession): string {
  const node = `iscsiadm -m node -T ${iqn} -p ${portal}`
  return `To log in with open-iscsi, as root:

  ${node} -o new
  ${node} -o update -n node.session.auth.authmethod -v CHAP
  ${node} -o update -n node.session.auth.username -v ${user}
  ${node} -o update -n node.session.auth.password -v ${secret}
  ${node} --login
`
}

/** Sessions, a line each. */
export function sessionsText(sessions: readonly Session[]): string {
  if (sessions.length === 0) return 'no sessions; make one: scsipub session create\n'
  return table(
    ['ID', 'NAME', 'STATE', 'LUNS', 'SIZE', 'EXPIRES'],
    sessions.map(({ id, name = '', state, luns, expires_at }) => {
      const bytes = luns.reduce((sum, { size_bytes }) => sum + size_bytes, 0)
      return [id, name, state, String(luns.length), formatSize(bytes), formatMoment(expires_at)]
    }),
  )
}
