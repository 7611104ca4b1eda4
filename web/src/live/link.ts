// What a screen knows of its line to the server: alive or not, since when not, and why.
import { computed, ref, shallowRef } from 'vue'
import { api, Refusal } from '../api/client'
import type { Text } from '../api/shapes'
import { heardServer, serverNow } from './clock'
import { Stream, type Connection } from './stream'

export type Take = (type: string, data: unknown) => boolean

export function makeLink() {
  const connection = ref<Connection>('connecting')
  const disconnectedAt = ref<number | null>(null)
  const coreAwaySince = ref<number | null>(null)
  const heardAt = ref(0) // by the clock of this machine
  const why = shallowRef<Text | null>(null)
  const refused = shallowRef<{ status: number; text: Text } | null>(null)
  let stream: Stream | null = null

  /** Since when what the screen shows is not what is so now; null: it is. */
  const oldSince = computed(() => (connection.value === 'disconnected' ? disconnectedAt.value : coreAwaySince.value))

  function open(path: string, types: readonly string[], take: Take): void {
    const mine: Stream = new Stream(path, types, {
      take,
      changed: (told) => {
        if (told === 'live') {
          heardAt.value = Date.now()
          why.value = null
        } else if (connection.value !== told) {
          const silentMs = heardAt.value === 0 ? 0 : Date.now() - heardAt.value
          disconnectedAt.value = serverNow.value - silentMs
        }
        connection.value = told
      },
      beat: (beat) => {
        heardServer(beat.now)
        coreAwaySince.value = beat.core_away_since
      },
      lost: () => void ask(path, () => stream === mine),
    })
    stream = mine
  }

  async function ask(path: string, current: () => boolean): Promise<void> {
    const refusal = await api.whyNot(path)
    if (refusal !== null && current() && connection.value !== 'live') hear(refusal)
  }

  /** Signed out, or nothing of ours: that is the end. Anything else may pass, and is told meanwhile. */
  function hear(refusal: Refusal): void {
    if ([401, 403, 404].includes(refusal.status)) refused.value = { status: refusal.status, text: refusal.text }
    else why.value = refusal.text
  }

  function close(): void {
    stream?.close()
    stream = null
    connection.value = 'connecting'
    heardAt.value = 0
    disconnectedAt.value = null
    coreAwaySince.value = null
    why.value = null
    refused.value = null
  }

  return { connection, disconnectedAt, coreAwaySince, oldSince, heardAt, why, refused, open, close, hear }
}
