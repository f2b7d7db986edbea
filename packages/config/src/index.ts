export { type Address, formatAddress, parseAddress } from './address.js'
export {
  type AuthConfig,
  BUILT_IN_TARGETS,
  type ChapConfig,
  type Config,
  type FreeTierConfig,
  type LogLevel,
  type LunConfig,
  MAX_LUN_BYTES,
  MAX_LUNS,
  type RedirectConfig,
  type TargetConfig,
  type TierConfig,
} from './config.js'
export { ConfigError, type Fault } from './faults.js'
export { loadConfig } from './load.js'
export { NAME_PATTERN } from './schema.js'
export { parseStateUrl, type StateAddress } from './state-url.js'
