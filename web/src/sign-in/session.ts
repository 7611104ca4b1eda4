// Who is signed in.
import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import { api, Refusal } from '../api/client'
import type { Role, Standing } from '../api/shapes'
import { heardServer } from '../live/clock'

const REGULATORS: Role[] = ['county', 'city', 'province', 'ministry', 'admin']

export const useSession = defineStore('session', () => {
  const standing = shallowRef<Standing | null>(null)
  const asked = shallowRef(false)

  const home = computed(() => {
    const account = standing.value?.account
    if (!account) return '/sign-in'
    if (REGULATORS.includes(account.role) || account.enterprise === null) return '/region'
    return `/plant/${encodeURIComponent(account.enterprise)}`
  })
  const mayHandle = computed(() => ['shift', 'safety'].includes(standing.value?.account.role ?? ''))
  const mayClose = computed(() => standing.value?.account.role === 'safety')
  const isRegulator = computed(() => REGULATORS.includes(standing.value?.account.role ?? 'shift'))

  function take(told: Standing): void {
    standing.value = told
    asked.value = true
    heardServer(told.now)
  }

  async function look(): Promise<void> {
    try {
      take(await api.standing())
    } catch (error) {
      standing.value = null
      asked.value = error instanceof Refusal && error.status !== 0
    }
  }

  async function signIn(login: string, password: string): Promise<void> {
    take(await api.signIn(login, password))
  }

  async function signOut(): Promise<void> {
    try {
      await api.signOut()
    } finally {
      standing.value = null
    }
  }

  return { standing, asked, home, mayHandle, mayClose, isRegulator, look, signIn, signOut }
})
