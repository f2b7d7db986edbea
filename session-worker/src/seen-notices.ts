/**
 * Which notices of the storage engine this worker has had: an engine that takes over from one that died tells some of them again, under the same number, since
 * it cannot know whom they had reached. A preempted session is told of it once, and its tasks are ended once.
 */

/** More than an engine has under way when it dies. */
const REMEMBERED = 1024

export class SeenNotices {
  readonly #done = new Map<number, Promise<unknown>>()

  /** Does what a notice wants, unless that was done or is under way; settles as that does. */
  once(noticeId: number, heed: () => unknown): Promise<unknown> {
    const before = this.#done.get(noticeId)
    if (before !== undefined) return before
    // What is synchronous of it is done before this returns.
    const done = new Promise(resolve => resolve(heed()))
    this.#done.set(noticeId, done)
    if (this.#done.size > REMEMBERED) for (const oldest of this.#done.keys()) return this.#forget(oldest, done)
    return done
  }

  #forget(noticeId: number, done: Promise<unknown>): Promise<unknown> {
    this.#done.delete(noticeId)
    return done
  }
}
