// A stream of server-sent events that says when it is silent, and comes again.
import type { Beat } from '../api/shapes'

export type Connection = 'connecting' | 'live' | 'disconnected'

const SILENT_MS = 4_000 // two beats: nothing on the screen may look current after that
const LOOK_MS = 250
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 8_000

export interface Listener {
  /** Take an event's data; false: it does not follow, begin anew. */
  take: (type: string, data: unknown) => boolean
  changed: (connection: Connection) => void
  beat: (beat: Beat) => void
  /** The stream was refused or has died: why, the listener may ask. */
  lost: () => void
}

export class Stream {
  private source: EventSource | null = null
  private heardAt = 0
  private waitMs = FIRST_WAIT_MS
  private again: number | undefined
  private readonly looking: number
  private closed = false

  constructor(
    private readonly path: string,
    private readonly types: readonly string[],
    private readonly listener: Listener,
  ) {
    this.looking = window.setInterval(() => this.look(), LOOK_MS)
    this.connect()
  }

  close(): void {
    this.closed = true
    window.clearInterval(this.looking)
    window.clearTimeout(this.again)
    this.source?.close()
  }

  private connect(): void {
    if (this.closed) return
    this.source?.close()
    const source = new EventSource(this.path)
    this.source = source
    this.heardAt = performance.now()
    for (const type of [...this.types, 'beat']) {
      source.addEventListener(type, (event) => {
        if (this.source === source) this.hear(type, (event as MessageEvent<string>).data)
      })
    }
    source.onerror = () => {
      if (this.source === source) this.lose()
    }
  }

  /** What cannot be read or shown is as bad as silence: the screen must not go on looking current. */
  private hear(type: string, data: string): void {
    try {
      const told: unknown = JSON.parse(data)
      if (type === 'beat') this.listener.beat(told as Beat)
      else if (!this.listener.take(type, told)) return this.lose(0)
    } catch (error) {
      console.error(error)
      return this.lose()
    }
    this.heardAt = performance.now()
    this.waitMs = FIRST_WAIT_MS
    this.listener.changed('live')
  }

  private lose(waitMs: number = this.waitMs): void {
    this.source?.close()
    this.source = null
    if (waitMs > 0) {
      this.listener.changed('disconnected')
      this.listener.lost()
    }
    window.clearTimeout(this.again)
    this.again = window.setTimeout(() => this.connect(), waitMs)
    this.waitMs = Math.min(2 * this.waitMs, LONGEST_WAIT_MS)
  }

  private look(): void {
    if (this.source !== null && performance.now() - this.heardAt > SILENT_MS) this.lose()
  }
}
