/**
 * What a loaded configuration looks like, and its defaults. Frozen all the way down: whoever holds it may rely on it.
 *
 * Left out: keys that this version does not serve (see `unsupported.ts`).
 */
import { availableParallelism } from 'node:os'
import type { Address } from './address.js'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** One LUN of an operator's target: blank of that size, an image of the catalog, or the image on a larger disk. */
export interface LunConfig {
  readonly image?: string
  readonly sizeBytes?: number
  /** Size of a logical block, 512 unless told; `sizeBytes` is a multiple of it. */
  readonly blockBytes?: 512 | 4096
  /** Size of a physical block, that of a logical one unless told, and not less: what initiators had better align to. */
  readonly physicalBlockBytes?: 512 | 4096
  /** Initiators can read it only. */
  readonly readOnly?: boolean
  /** A medium that initiators can eject and load. */
  readonly removable?: boolean
  /** False: fully provisioned, so that initiators cannot give blocks back. */
  readonly thin?: boolean
}

/** The hash algorithms of CHAP, by the names that a configuration has for them. */
export const CHAP_ALGORITHM_NAMES = ['md5', 'sha1', 'sha256', 'sha3-256'] as const

/** Name and secret that one side of CHAP proves to know. Secrets are printable ASCII, 12 to 255 characters. */
export interface ChapIdentity {
  readonly user: string
  readonly secret: string
}

/** CHAP: what initiators prove, what the target proves in return (`mutual`, then demanded), and by which algorithms. */
export interface ChapConfig extends ChapIdentity {
  readonly mutual?: ChapIdentity
  readonly algorithms?: readonly (typeof CHAP_ALGORITHM_NAMES)[number][]
}

export type AuthConfig = 'none' | { readonly chap: ChapConfig }

/** Where initiators are sent in place of the target, for now or for good. */
export interface RedirectConfig {
  readonly to: Address
  readonly permanent: boolean
}

/** An operator's target: shared by all who may log in, persistent, without quota. LUN numbers are the indexes of `luns`. */
export interface TargetConfig {
  readonly name: string
  readonly auth: AuthConfig
  /** May be empty only with `redirect`. */
  readonly luns: readonly LunConfig[]
  readonly redirect?: RedirectConfig
}

/** The free tier. `quotaBytes` bounds what one LUN of one session may write; 0 lifts a cap on sessions. */
export interface FreeTierConfig {
  readonly blankBytes: number
  readonly quotaBytes: number
  readonly maxSessions: number
  readonly maxSessionsPerAddress: number
  readonly capLoopback: boolean
}

/** What an account of a tier may have: sessions at a time, bytes of all their LUNs together, and how long one lasts that nobody uses. */
export interface TierConfig {
  readonly maxSessions: number
  readonly maxBytes: number
  readonly ttlSeconds: number
}

/** `replicas` of that Redis must have a write before it counts. */
export interface StateConfig {
  readonly url?: string
  readonly replicas: number
}

/**
 * When session workers are restarted without anybody asking: one whose memory (heap and buffers) stays above `memoryBytes` (0: never for that), and all of them,
 * one after the other, `everyHours` after the start and after each time, or once a day `at` that time (HH:MM, local time).
 */
export interface RestartsConfig {
  readonly memoryBytes: number
  readonly everyHours?: number
  readonly at?: string
}

export interface Config {
  /** Absolute. */
  readonly dataDir: string
  readonly iqnPrefix: string
  /** Session worker threads. */
  readonly workers: number
  readonly listen: { readonly iscsi: Address; readonly http: Address }
  /** What SendTargets tells; absent, the address that the initiator connected to. */
  readonly advertise: { readonly iscsi?: Address }
  readonly free: FreeTierConfig
  /** The paid tiers by name; `paid` is always there. */
  readonly tiers: Readonly<Record<string, TierConfig>>
  readonly targets: readonly TargetConfig[]
  /** Who may ask for the targets; see `targets.ts` of the supervisor for which of them are shown. */
  readonly discovery: { readonly auth: AuthConfig }
  /** Where leases and accounts are kept: a Redis (see `state-url.ts`), or without `url` a file of the data directory. */
  readonly state: StateConfig
  /** What the calls of an administrator must show; without it there are none. */
  readonly admin: { readonly token?: string }
  readonly restarts: RestartsConfig
  readonly log: { readonly level: LogLevel }
  /** Keys that were given and that this version does not serve, for a warning. */
  readonly unserved: readonly string[]
}

interface TargetFile extends Omit<TargetConfig, 'luns' | 'redirect'> {
  luns?: LunConfig[]
  redirect?: { to: string; permanent?: boolean }
}

/** A configuration as it stands in a file: every key optional, addresses still text. */
export interface ConfigFile {
  dataDir?: string
  iqnPrefix?: string
  workers?: number
  listen?: { iscsi?: string; http?: string }
  advertise?: { iscsi?: string }
  free?: Partial<FreeTierConfig>
  tiers?: Record<string, Partial<TierConfig>>
  targets?: TargetFile[]
  discovery?: { auth?: AuthConfig }
  state?: Partial<StateConfig>
  admin?: { token?: string }
  restarts?: Partial<RestartsConfig>
  log?: { level?: LogLevel }
}

export const MAX_WORKERS = 64
/** 8 TiB: the bitmap of a volume is mapped whole, and takes 1/4096 of its size. */
export const MAX_LUN_BYTES = 2 ** 43
export const MAX_LUNS = 256
export const MAX_STATE_REPLICAS = 16
/** Targets of the free tier that are always there. */
export const BUILT_IN_TARGETS: readonly string[] = ['blank', 'multi']

const MEBIBYTE = 1024 * 1024

/** What holds where neither the file nor the environment says otherwise. */
export const defaults = {
  dataDir: 'data',
  iqnPrefix: 'iqn.2025-01.pub.scsipub',
  workers: Math.min(availableParallelism(), MAX_WORKERS),
  listenIscsi: '0.0.0.0:3260',
  /** HTTP is not encrypted: beyond this machine it goes through a proxy that does TLS. */
  listenHttp: '127.0.0.1:8080',
  free: {
    blankBytes: 64 * MEBIBYTE,
    quotaBytes: 64 * MEBIBYTE,
    maxSessions: 20_000,
    maxSessionsPerAddress: 64,
    capLoopback: false,
  },
  /** What a tier has that says nothing else. */
  tier: { maxSessions: 20, maxBytes: 100 * 1024 * MEBIBYTE, ttlSeconds: 30 * 86_400 },
  /** Three quarters of the heap that a worker can have before it dies. */
  restarts: { memoryBytes: 384 * MEBIBYTE },
  logLevel: 'info',
} as const
