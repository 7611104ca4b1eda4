// The plants of an officer's region: a summary of each, whole whenever it changes.
import { defineStore } from 'pinia'
import { ref, shallowRef, triggerRef } from 'vue'
import { api } from '../api/client'
import type { Summary } from '../api/shapes'
import { heardServer } from './clock'
import { makeLink } from './link'

export const useRegion = defineStore('region', () => {
  const plants = shallowRef(new Map<string, Summary>())
  const loaded = ref(false)
  const link = makeLink()

  function open(): void {
    close()
    link.open(api.live, ['summary'], (_, data) => {
      const told = data as Summary
      plants.value.set(told.enterprise, told)
      loaded.value = true
      heardServer(told.now)
      triggerRef(plants)
      return true
    })
  }

  function close(): void {
    link.close()
    plants.value = new Map()
    loaded.value = false
  }

  return { ...link, plants, loaded, open, close }
})
