// What one account asks of the HTTP API of the server that is killed. A call that the kill breaks off rejects, as with any client.

export const ADMIN_TOKEN = 'an-administrator-of-the-chaos'

/** A lease as the API shows it to its owner. */
export interface LeaseAnswer {
  readonly id: string
  readonly name?: string
  readonly iqn: string
  readonly chap_user: string
  readonly chap_secret: string
  readonly state: string
  readonly luns: readonly { readonly lun: number; readonly image: string; readonly size_bytes: number }[]
  readonly refused?: string
}

/** A private image as the catalog shows it. */
export interface ImageAnswer {
  readonly image: string
  readonly title: string
  readonly private: boolean
}

export class Tenant {
  readonly #key: string

  private constructor(key: string) {
    this.#key = key
  }

  /** Makes an account. @throws Error */
  static async make(api: string): Promise<Tenant> {
    const made = await call<{ api_key: string }>(api, ADMIN_TOKEN, 'POST /api/admin/accounts', { name: 'chaos' })
    return new Tenant(requireStatus(made, 201, 'making an account').api_key)
  }

  /** Asks; gives what came with one of the statuses. @throws Error for any other */
  async ask<T>(api: string, what: string, status: number, body?: object): Promise<T> {
    return requireStatus(await call<T>(api, this.#key, what, body), status, what)
  }

  /** Asks for something that may be refused with that status and code: false then. @throws Error for any other refusal */
  async may(api: string, what: string, status: number, refusal: { status: number; code: string }): Promise<boolean> {
    const answer = await call<{ code?: string }>(api, this.#key, what)
    if (answer.status === refusal.status && answer.body.code === refusal.code) return false
    requireStatus(answer, status, what)
    return true
  }

  async sessions(api: string): Promise<LeaseAnswer[]> {
    const { sessions } = await this.ask<{ sessions: LeaseAnswer[] }>(api, 'GET /api/sessions', 200)
    return Promise.all(sessions.map(({ id }) => this.ask<LeaseAnswer>(api, `GET /api/sessions/${id}`, 200)))
  }

  async images(api: string): Promise<ImageAnswer[]> {
    const { images } = await this.ask<{ images: ImageAnswer[] }>(api, 'GET /api/catalog', 200)
    return images.filter(image => image.private)
  }
}

interface Answer<T> {
  readonly status: number
  readonly body: T
}

async function call<T>(api: string, token: string, what: string, body?: object): Promise<Answer<T>> {
  const [method = '', path = ''] = what.split(' ')
  // A connection of its own: one that is kept may be closed by the server in the moment in which it is used again.
  const headers = {
    authorization: `Bearer ${token}`,
    connection: 'close',
    ...(body && { 'content-type': 'application/json' }),
  }
  const response = await fetch(`${api}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  const text = await response.text()
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as T }
}

function requireStatus<T>({ status, body }: Answer<T>, wanted: number, what: string): T {
  if (status !== wanted) throw new Error(`${what}: status ${status}, ${JSON.stringify(body)}`)
  return body
}
