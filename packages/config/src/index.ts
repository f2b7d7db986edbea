export { type Address, formatAddress, parseAddress } from './address.js'
export {
  BUILT_IN_TARGETS,
  type Config,
  type FreeTierConfig,
  type LogLevel,
  type LunConfig,
  MAX_LUN_BYTES,
  type TargetConfig,
} from './config.js'
export { ConfigError, type Fault } from './faults.js'
export { loadConfig } from './load.js'
export { NAME_PATTERN } from './schema.js'
