// The server's clock as this screen knows it, ticking; ages are shown by it and not by ours.
import { ref } from 'vue'

const offset = ref(0)
export const serverNow = ref(Date.now())

export function heardServer(now: number): void {
  offset.value = now - Date.now()
  serverNow.value = now
}

window.setInterval(() => {
  serverNow.value = Date.now() + offset.value
}, 500)
