/**
 * What can be wrong with a Redis, in the words of a person who has to mend it, and what the store does about each.
 *
 * `reconnect`: this connection is of no more use. `person`: it does not go away by itself, so it is told even where the store was out already.
 */

export interface Trouble {
  readonly why: string
  readonly reconnect: boolean
  readonly person: boolean
  /** The connection ended, and that is all there is to say: another one may come at once. */
  readonly lost: boolean
  /** Nobody can write, which the answer to one operation shows. */
  readonly concernsAll: boolean
}

/** By what an error of the connection or an answer of the server begins with; the first that fits. */
const TROUBLES: readonly (readonly [sign: RegExp, why: string, also?: 'reconnect' | 'person' | 'both'])[] = [
  [/ECONNREFUSED/, 'nobody listens there (connection refused)', 'reconnect'],
  [/ENOTFOUND|EAI_AGAIN/, 'its name cannot be resolved', 'reconnect'],
  [/ENOENT/, 'there is no such socket', 'reconnect'],
  [/EACCES/, 'the socket may not be opened by this user', 'both'],
  [/EHOSTUNREACH|ENETUNREACH/, 'it cannot be reached over the network', 'reconnect'],
  [/ETIMEDOUT|no answer in/, 'it is too slow or hangs (no answer in 2 s)', 'reconnect'],
  [/no TLS handshake/, 'it is too slow, hangs, or does not speak TLS (no answer in 2 s)', 'reconnect'],
  [/All sentinels are unreachable/, 'no sentinel names a primary that can be reached', 'reconnect'],
  [/CERT_HAS_EXPIRED|certificate has expired/, 'its certificate has expired', 'both'],
  [/ALTNAME_INVALID/, 'its certificate is for another host', 'both'],
  [
    /SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY)|CERT_UNTRUSTED/,
    'its certificate is signed by no authority that is trusted here (see NODE_EXTRA_CA_CERTS)',
    'both',
  ],
  [
    /alert.*certificate/,
    'it demands a certificate of its clients, which scsipub has not (set tls-auth-clients no)',
    'both',
  ],
  [/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|wrong version number/i, 'it does not speak TLS', 'both'],
  [/CERT|certificate|SSL|TLS/, 'its certificate is not valid, or TLS with it fails', 'both'],
  [/^WRONGPASS|invalid password/, 'the password or the user is wrong', 'both'],
  [/^NOAUTH/, 'it demands a password, and none is configured', 'both'],
  [/^NOPERM/, 'the user may not do what is needed (scripts, pub/sub and all keys that begin with "scsipub:")', 'both'],
  [/DB index/, 'it has no database of that number', 'both'],
  [/max number of clients/, 'it has as many clients as it takes', 'reconnect'],
  [/^LOADING/, 'it is loading its data', 'reconnect'],
  [/\bREADONLY\b/, 'it is a read-only replica', 'reconnect'],
  [/^MASTERDOWN/, 'it is a replica that has lost its primary', 'reconnect'],
  [/\bOOM\b/, 'it is out of memory (maxmemory)'],
  [/\bMISCONF\b/, 'it cannot write its data to disk'],
  [/\bNOREPLICAS\b/, 'it has lost its replicas'],
  [/^BUSY/, 'it is busy with a script of somebody else', 'reconnect'],
  [/^FORMAT/, 'its records are in the format of another version of scsipub', 'both'],
]

/** What an error means. */
export function troubleOf(error: unknown): Trouble {
  const { name = '', message = '', code = '' } = error as { name?: string; message?: string; code?: string }
  const text = message.replace(/^ERR (?:Error running script.*?: )?/, '')
  const known = TROUBLES.find(([sign]) => sign.test(text) || sign.test(code))
  if (known) {
    const [, why, also] = known
    const [reconnect, person] = [also === 'reconnect' || also === 'both', also === 'person' || also === 'both']
    return { why, reconnect, person, lost: false, concernsAll: true }
  }
  // What the server answered leaves the connection as it was; all else is the connection's end.
  const answered = name === 'ReplyError'
  const why = answered ? `it answers: ${printable(text)}` : 'the connection was lost'
  return { why, reconnect: !answered, person: false, lost: !answered, concernsAll: false }
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '').slice(0, 200)
}
