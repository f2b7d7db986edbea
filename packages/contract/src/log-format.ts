/** How every thread writes its log lines, as options for pino: the level by name, the time in ISO 8601, nothing that is the same in every line. */
export const logFormat = {
  base: null,
  formatters: { level: (label: string) => ({ level: label }) },
  timestamp: () => `,"time":"${new Date().toISOString()}"`,
}
