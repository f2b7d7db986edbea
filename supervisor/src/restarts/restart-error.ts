/** Why session workers are not restarted; the service is as it was. Codes are stable, since scripts get them by the HTTP API. */
export type RestartFaultCode = 'restart-running' | 'stopping' | 'worker-unknown' | 'worker-cannot-start'

export class RestartError extends Error {
  readonly code: RestartFaultCode

  /** `message` is a sentence for the operator. */
  constructor(code: RestartFaultCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RestartError'
    this.code = code
  }
}
