// The horn: a tone while something unacknowledged stands. Never silently off: it says what it is.
import { ref } from 'vue'

export type Horn = 'off' | 'on' | 'blocked'
const KEPT = 'meltwatch.horn'
const EVERY_MS = 1_600

export const horn = ref<Horn>('off')
let context: AudioContext | null = null
let timer: number | undefined
let wanted = false

export function beginHorn(): void {
  if (window.localStorage.getItem(KEPT) === 'on') void turnOn()
}

export async function turnOn(): Promise<void> {
  window.localStorage.setItem(KEPT, 'on')
  context ??= new AudioContext()
  const resumed = context.resume().then(() => true)
  const tooLong = new Promise<boolean>((done) => window.setTimeout(() => done(false), 400))
  horn.value = (await Promise.race([resumed, tooLong])) && context.state === 'running' ? 'on' : 'blocked'
  sound()
}

export function turnOff(): void {
  window.localStorage.setItem(KEPT, 'off')
  horn.value = 'off'
  sound()
}

export function mind(anything: boolean): void {
  if (wanted === anything) return
  wanted = anything
  sound()
}

function sound(): void {
  window.clearInterval(timer)
  if (!wanted || horn.value !== 'on') return
  beep()
  timer = window.setInterval(beep, EVERY_MS)
}

function beep(): void {
  if (context === null || context.state !== 'running') {
    horn.value = 'blocked'
    return
  }
  for (const [after, pitch] of [[0, 880], [0.28, 660]] as const) {
    const tone = context.createOscillator()
    const volume = context.createGain()
    tone.frequency.value = pitch
    volume.gain.setValueAtTime(0.18, context.currentTime + after)
    volume.gain.exponentialRampToValueAtTime(0.001, context.currentTime + after + 0.24)
    tone.connect(volume).connect(context.destination)
    tone.start(context.currentTime + after)
    tone.stop(context.currentTime + after + 0.25)
  }
}
