import { createPinia } from 'pinia'
import { createApp } from 'vue'
import 'element-plus/es/components/base/style/css'
import 'element-plus/es/components/dialog/style/css'
import 'element-plus/es/components/input/style/css'
import 'element-plus/es/components/overlay/style/css'
import './style.css'
import App from './App.vue'
import { router } from './router'
import { sawFault } from './state/fault'
import { i18n } from './words'

document.documentElement.lang = i18n.global.locale.value === 'zh' ? 'zh-CN' : 'en'
const app = createApp(App)
app.config.errorHandler = sawFault
app.use(createPinia()).use(i18n).use(router).mount('#app')
