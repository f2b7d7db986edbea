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
  type RedirectConfig,
  type TargetConfig,
} from './config.js'
export { ConfigError, type Fault } from './faults.js'
export { loadConfig } from './load.js'
export { NAME_PATTERN } from './schema.js'
