// iSCSI names: iqn., eui. and naa. [7143 §4.2.7], checked loosely and put into one form for comparison.
//
// Left out: the full stringprep profile of RFC 3722. Names are lower-cased and brought to NFKC, which is what it does to
// every name that people use; whether the date or the domain of an iqn exists is nobody's business here.

/** Longest iSCSI name in bytes [7143 §4.2.7.1]. */
export const MAX_NAME_BYTES = 223

const FORMS = [/^iqn\.[0-9]{4}-[0-9]{2}\.[^:]+(:.*)?$/, /^eui\.[0-9a-f]{16}$/, /^naa\.([0-9a-f]{16}|[0-9a-f]{32})$/]
/** Controls, white space of any kind, and lone surrogates have no place in a name. */
const UNPRINTABLE = /[\p{C}\p{Z}]/u

/** The name in lower case, or undefined when it is not an iSCSI name. */
export function normalizeName(text: string): string | undefined {
  const name = text.normalize('NFKC').toLowerCase()
  if (Buffer.byteLength(name) > MAX_NAME_BYTES || UNPRINTABLE.test(name)) return undefined
  return FORMS.some(form => form.test(name)) ? name : undefined
}
