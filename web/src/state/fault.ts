// A fault of the screen itself: it must be seen, for what is shown may no longer follow the plant.
import { ref } from 'vue'

export const faulty = ref(false)

export function sawFault(error: unknown): void {
  console.error(error)
  faulty.value = true
}
