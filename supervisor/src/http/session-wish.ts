/**
 * What a call that makes disks may ask for, in its three forms: one image, several, or every LUN spelled out; and what leases make of it. Faults
 * that leases find come back in the words of the request.
 */
import { MAX_LUNS } from '@scsipub/config'
import { type Static, Type } from 'typebox'
import type { LunWish } from '../leases/lease-wish.js'
import { Label, record, SizeBytes } from './schemas.js'

/** A name of the catalog, or the id of a private image. */
const ImageName = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
  description: 'a name of the catalog, the id of a private image, or "blank"',
  'x-rule': 'must be a name of the catalog, the id of a private image, or "blank"',
})

const lunFields = {
  image: Type.Optional(ImageName),
  size_bytes: Type.Optional(SizeBytes),
}

/** One LUN: an image, a blank disk of a size, or an image on a larger disk. */
export const LunBody = record(lunFields, {
  minProperties: 1,
  'x-rule': 'must have image, size_bytes, or both',
})

export const SessionBody = record(
  {
    ...lunFields,
    images: Type.Optional(
      Type.Array(ImageName, { minItems: 1, maxItems: MAX_LUNS, 'x-rule': `must be a list of 1 to ${MAX_LUNS} images` }),
    ),
    luns: Type.Optional(
      Type.Array(LunBody, { minItems: 1, maxItems: MAX_LUNS, 'x-rule': `must be a list of 1 to ${MAX_LUNS} LUNs` }),
    ),
    ttl_seconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'how long it lasts while nobody uses it; unless told, what the tier gives',
        'x-rule': 'must be a whole number of seconds from 1',
      }),
    ),
    name: Type.Optional(Label),
  },
  {
    oneOf: [
      { anyOf: [{ required: ['image'] }, { required: ['size_bytes'] }] },
      { required: ['images'] },
      { required: ['luns'] },
    ],
    'x-rule': 'must have one of: image or size_bytes, images, luns',
  },
)
export type SessionBody = Static<typeof SessionBody>
type LunBody = Static<typeof LunBody>

/** LUNs as leases take them. A blank disk that has no size gets `blankBytes`. */
export function lunWishes({ image, size_bytes, images, luns }: SessionBody, blankBytes: number): LunWish[] {
  if (luns) return luns.map(lun => lunWish(lun, blankBytes))
  if (images) return images.map(image => lunWish({ image }, blankBytes))
  return [
    lunWish({ ...(image !== undefined && { image }), ...(size_bytes !== undefined && { size_bytes }) }, blankBytes),
  ]
}

export function lunWish({ image, size_bytes: sizeBytes }: LunBody, blankBytes: number): LunWish {
  if (image === undefined || image === 'blank') return { sizeBytes: sizeBytes ?? blankBytes }
  return { image, ...(sizeBytes !== undefined && { sizeBytes }) }
}

/** A place in a wish, such as `luns[1].sizeBytes`, as the request has it. */
export function placeInBody(path: string, body: Pick<SessionBody, 'luns' | 'images'>): string {
  const place = path.replace('sizeBytes', 'size_bytes').replace('ttlSeconds', 'ttl_seconds')
  if (body.luns) return place
  if (body.images) return place.replace(/^luns(\[\d+\])(\..*)?$/, 'images$1')
  return place.replace(/^luns\[0\](\.|$)/, '')
}
