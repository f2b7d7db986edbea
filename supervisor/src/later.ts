/** A promise that is settled from outside. (Promise.withResolvers is not in Node 20.) */
export class Later<T> {
  readonly promise: Promise<T>
  resolve: (value: T) => void = () => {}
  reject: (error: Error) => void = () => {}

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.promise.catch(() => {}) // whoever waits hears of it; that nobody does is no fault
  }
}
