/** Answers that have to come in time. */

/** Every answer has to come within this. */
export const ANSWER_MS = 2_000
/** This thread may have been late itself: an answer that is there by then is taken in first. */
const LATE_MS = 200

/** The answer, or an error when it does not come in time; `from` says whose it is. */
export async function inTime<T>(answer: Promise<T>, from = ''): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const tell = () => reject(new Error(`no answer${from} in ${ANSWER_MS} ms`))
    timer = setTimeout(() => {
      timer = setTimeout(tell, LATE_MS)
    }, ANSWER_MS)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
