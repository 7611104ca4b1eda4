import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

// Control rooms keep old browsers: Chrome 109 is the last one of Windows 7 and 8.
export default defineConfig({
  plugins: [vue()],
  build: {
    target: 'chrome109',
    outDir: '../src/meltwatch/present/screens',
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the content security policy knows no data: scripts
    chunkSizeWarningLimit: 1500,
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8700' } },
  test: { include: ['src/**/*.test.ts'] },
})
