/**
 * A terminal that shows one picture after the other: the alternate screen, no cursor, each picture in place of the last one and cut to the window. Ends when somebody presses q
 * or Ctrl-C, and leaves the terminal as it was, whatever happens.
 */

/** What is needed of a terminal: `process.stdin` and `process.stdout` have it. */
export interface Terminal {
  readonly input: Pick<NodeJS.ReadStream, 'on' | 'off' | 'setRawMode' | 'resume' | 'pause'>
  readonly output: Pick<NodeJS.WriteStream, 'on' | 'off' | 'write' | 'columns' | 'rows'>
}

const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'
const BOLD = '\x1b[1m'
const PLAIN = '\x1b[0m'
const CTRL_C = '\x03'
/** Where a terminal does not say how large it is. */
const USUAL = { columns: 80, rows: 24 }

export class Screen {
  /** Settles when somebody wants to leave. */
  readonly left: Promise<void>
  readonly #terminal: Terminal
  #text = ''
  #leave: () => void = () => {}
  readonly #onKey = (data: Buffer) => {
    const keys = data.toString()
    if (keys.includes('q') || keys.includes('Q') || keys.includes(CTRL_C)) this.#leave()
  }
  readonly #onResize = () => this.show(this.#text)

  /** Takes the terminal. */
  constructor(terminal: Terminal) {
    this.#terminal = terminal
    this.left = new Promise(resolve => (this.#leave = resolve))
    const { input, output } = terminal
    input.setRawMode(true)
    input.resume()
    input.on('data', this.#onKey)
    output.on('resize', this.#onResize)
    output.write(ENTER)
  }

  /** Shows lines of text; the first is bold. What has no room is left out. */
  show(text: string): void {
    this.#text = text
    const { output } = this.#terminal
    const { columns, rows } = { columns: output.columns || USUAL.columns, rows: output.rows || USUAL.rows }
    const lines = text.trimEnd().split('\n').slice(0, rows)
    const shown = lines.map((line, index) => {
      const cut = [...line].slice(0, columns).join('')
      return `${index === 0 ? `${BOLD}${cut}${PLAIN}` : cut}${CLEAR_LINE}`
    })
    output.write(`${HOME}${shown.join('\r\n')}${CLEAR_BELOW}`)
  }

  /** Gives the terminal back. */
  close(): void {
    const { input, output } = this.#terminal
    input.off('data', this.#onKey)
    output.off('resize', this.#onResize)
    input.setRawMode(false)
    input.pause()
    output.write(LEAVE)
  }
}
