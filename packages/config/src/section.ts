/** An object of the configuration that has these keys and no others, as JSON schema. */
export function section<P extends Record<string, object>>(properties: P) {
  return { type: 'object', additionalProperties: false, explain: 'must be an object', properties } as const
}
