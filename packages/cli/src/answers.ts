/** What the API answers, as far as the command shows it. */

export interface Lun {
  readonly lun: number
  readonly image: string
  readonly size_bytes: number
}

export interface Session {
  readonly id: string
  readonly name?: string
  readonly iqn: string
  readonly portal: string
  readonly state: string
  readonly luns: readonly Lun[]
  readonly expires_at: string
  readonly attached_sessions: number
  readonly expiring: boolean
  readonly refused?: string
}

export interface OwnSession extends Session {
  readonly chap_user: string
  readonly chap_secret: string
}

export interface CatalogEntry {
  readonly image: string
  readonly title: string
  readonly size_bytes: number
  readonly private: boolean
}

export interface Account {
  readonly id: string
  readonly name: string
  readonly tier: string
  readonly created_at: string
}
