// One plant as the screen holds it: what it is made of, what is so now, and the last minutes.
import { defineStore } from 'pinia'
import { ref, shallowRef, triggerRef } from 'vue'
import { api, Refusal } from '../api/client'
import type { Delta, Picture, Plant, Text, Value } from '../api/shapes'
import { apply, begin, type Now } from './apply'
import { heardServer, serverNow } from './clock'
import { Stream, type Connection } from './stream'

const KEPT_MS = 10 * 60_000
const KEPT_VALUES = 1200
const SEEDED = 60
const SEED_STEPS = 150

export interface Trace {
  at: number[]
  value: (number | null)[]
}

export const usePlant = defineStore('plant', () => {
  const plant = shallowRef<Plant | null>(null)
  const now = shallowRef<Now | null>(null)
  const traces = shallowRef(new Map<string, Trace>())
  const connection = ref<Connection>('connecting')
  const disconnectedAt = ref<number | null>(null)
  const coreAwaySince = ref<number | null>(null)
  const refused = shallowRef<{ status: number; text: Text } | null>(null)
  let stream: Stream | null = null
  let enterprise = ''
  let seeded = false

  async function open(which: string): Promise<void> {
    close()
    enterprise = which
    try {
      plant.value = await api.plant(which)
    } catch (error) {
      if (error instanceof Refusal) refused.value = { status: error.status, text: error.text }
      if (error instanceof Refusal && error.status === 0) window.setTimeout(() => enterprise === which && open(which), 3000)
      return
    }
    if (enterprise !== which) return
    stream = new Stream(api.liveOf(which), ['picture', 'delta'], {
      take: (type, data) => (type === 'picture' ? start(data as Picture) : goOn(data as Delta)),
      changed: (told) => {
        if (told === 'disconnected' && connection.value !== told) disconnectedAt.value = serverNow.value
        connection.value = told
      },
      beat: (beat) => {
        heardServer(beat.now)
        coreAwaySince.value = beat.core_away_since
      },
      lost: () => void stillIn(),
    })
  }

  function close(): void {
    stream?.close()
    stream = null
    enterprise = ''
    seeded = false
    plant.value = null
    now.value = null
    refused.value = null
    traces.value = new Map()
    connection.value = 'connecting'
    coreAwaySince.value = null
  }

  function start(picture: Picture): boolean {
    now.value = begin(picture)
    heardServer(picture.now)
    note(picture.values)
    if (!seeded) {
      seeded = true
      void seed(enterprise)
    }
    return true
  }

  /** Fetch the minutes before this screen was opened, point after point, so nobody waits for it. */
  async function seed(which: string): Promise<void> {
    for (const point of plant.value?.points.slice(0, SEEDED) ?? []) {
      const to = serverNow.value
      try {
        const told = await api.trend(which, point.code, to - KEPT_MS, to, SEED_STEPS)
        if (enterprise !== which) return
        const trace = traces.value.get(point.code) ?? { at: [], value: [] }
        const first = trace.at[0] ?? Infinity
        const older = told.at.map((at, n) => [at, told.last[n] ?? null] as const).filter(([at]) => at < first)
        trace.at.unshift(...older.map(([at]) => at))
        trace.value.unshift(...older.map(([, value]) => value))
        traces.value.set(point.code, trace)
        triggerRef(traces)
      } catch {
        return // the lines then begin with this screen
      }
    }
  }

  function goOn(delta: Delta): boolean {
    if (now.value === null || !apply(now.value, delta)) return false
    note(delta.values)
    triggerRef(now)
    return true
  }

  function note(values: Record<string, Value>): void {
    for (const [code, [at, value]] of Object.entries(values)) {
      const trace = traces.value.get(code) ?? { at: [], value: [] }
      traces.value.set(code, trace)
      if (trace.at.length > 0 && at <= trace.at[trace.at.length - 1]!) continue
      trace.at.push(at)
      trace.value.push(value)
      while (trace.at.length > KEPT_VALUES || trace.at[0]! < at - KEPT_MS) {
        trace.at.shift()
        trace.value.shift()
      }
    }
    triggerRef(traces)
  }

  async function stillIn(): Promise<void> {
    try {
      await api.standing()
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) refused.value = { status: 401, text: error.text }
    }
  }

  return { plant, now, traces, connection, disconnectedAt, coreAwaySince, refused, open, close }
})
