// The plants of an officer's region: a summary of each, whole whenever it changes.
import { defineStore } from 'pinia'
import { ref, shallowRef, triggerRef } from 'vue'
import { api, Refusal } from '../api/client'
import type { Summary, Text } from '../api/shapes'
import { heardServer, serverNow } from './clock'
import { Stream, type Connection } from './stream'

export const useRegion = defineStore('region', () => {
  const plants = shallowRef(new Map<string, Summary>())
  const loaded = ref(false)
  const connection = ref<Connection>('connecting')
  const disconnectedAt = ref<number | null>(null)
  const coreAwaySince = ref<number | null>(null)
  const refused = shallowRef<{ status: number; text: Text } | null>(null)
  let stream: Stream | null = null

  function open(): void {
    close()
    stream = new Stream(api.live, ['summary'], {
      take: (_, data) => {
        const told = data as Summary
        plants.value.set(told.enterprise, told)
        loaded.value = true
        heardServer(told.now)
        triggerRef(plants)
        return true
      },
      changed: (told) => {
        if (told === 'disconnected' && connection.value !== told) disconnectedAt.value = serverNow.value
        connection.value = told
      },
      beat: (beat) => {
        heardServer(beat.now)
        loaded.value = true
        coreAwaySince.value = beat.core_away_since
      },
      lost: () => void stillIn(),
    })
  }

  function close(): void {
    stream?.close()
    stream = null
    plants.value = new Map()
    loaded.value = false
    refused.value = null
    connection.value = 'connecting'
    coreAwaySince.value = null
  }

  async function stillIn(): Promise<void> {
    try {
      await api.standing()
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) refused.value = { status: 401, text: error.text }
    }
  }

  return { plants, loaded, connection, disconnectedAt, coreAwaySince, refused, open, close }
})
