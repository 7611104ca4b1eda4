// One plant as the screen holds it: what it is made of, what is so now, and the last minutes.
import { defineStore } from 'pinia'
import { ref, shallowRef, triggerRef } from 'vue'
import { api, Refusal } from '../api/client'
import type { Delta, Picture, Plant, Value } from '../api/shapes'
import { apply, begin, type Now } from './apply'
import { heardServer, serverNow } from './clock'
import { makeLink } from './link'
import { timesOf } from './times'
import { KEPT_MS, note, seed, type Trace } from './trace'

const SEEDED = 60
const SEED_STEPS = 150
const AGAIN_MS = 3_000

export const usePlant = defineStore('plant', () => {
  const plant = shallowRef<Plant | null>(null)
  const now = shallowRef<Now | null>(null)
  const traces = shallowRef(new Map<string, Trace>())
  const link = makeLink()
  const enterprise = ref('')
  let again: number | undefined
  let seeded = false

  async function open(which: string): Promise<void> {
    close()
    enterprise.value = which
    if (await frame(which)) {
      link.open(api.liveOf(which), ['picture', 'delta'], (type, data) =>
        type === 'picture' ? start(data as Picture) : goOn(data as Delta),
      )
    }
  }

  /** Ask what the plant is made of; whoever does not answer, or does not know it yet, is asked again. */
  async function frame(which: string): Promise<boolean> {
    for (;;) {
      try {
        const told = await api.plant(which)
        if (enterprise.value !== which) return false
        plant.value = told
        return true
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        if (enterprise.value !== which) return false
        link.hear(error)
        if (link.refused.value !== null) return false
        await new Promise((done) => (again = window.setTimeout(done, AGAIN_MS)))
        if (enterprise.value !== which) return false
      }
    }
  }

  function close(): void {
    link.close()
    window.clearTimeout(again)
    enterprise.value = ''
    seeded = false
    plant.value = null
    now.value = null
    traces.value = new Map()
  }

  function start(picture: Picture): boolean {
    if (now.value !== null) void frame(enterprise.value) // another picture: its configuration may be another
    now.value = begin(picture)
    heardServer(picture.now)
    link.coreAwaySince.value = picture.core_away_since
    remember(picture.values)
    if (!seeded) {
      seeded = true
      void seedAll(enterprise.value)
    }
    return true
  }

  /** Fetch the minutes before this screen was opened, point after point, so nobody waits for it. */
  async function seedAll(which: string): Promise<void> {
    for (const point of plant.value?.points.slice(0, SEEDED) ?? []) {
      const to = timesOf(plant.value, now.value, serverNow.value).of(point.source)
      try {
        const told = await api.trend(which, point.code, to - KEPT_MS, to, SEED_STEPS)
        if (enterprise.value !== which) return
        const trace = traces.value.get(point.code) ?? { at: [], value: [] }
        seed(trace, told)
        traces.value.set(point.code, trace)
        triggerRef(traces)
      } catch {
        return // the lines then begin with this screen
      }
    }
  }

  function goOn(delta: Delta): boolean {
    if (now.value === null || !apply(now.value, delta)) return false
    remember(delta.values)
    triggerRef(now)
    return true
  }

  function remember(values: Record<string, Value>): void {
    for (const [code, value] of Object.entries(values)) {
      const trace = traces.value.get(code) ?? { at: [], value: [] }
      traces.value.set(code, trace)
      note(trace, value)
    }
    triggerRef(traces)
  }

  return { ...link, plant, now, traces, open, close }
})
