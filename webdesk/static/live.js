// Listens to the server's stream of changes and says honestly whether it is still there.
import { setClock, tick } from "./clock.js";

const SILENCE_MS = 30000;
const RETRY_MS = 3000;

export function startLive({ onSync = () => {}, onChange = () => {}, query = "" }) {
  const dot = document.getElementById("live");
  const words = document.getElementById("live-words");
  let source = null;
  let lastId = "";
  let lastHeard = performance.now();
  let lastTime = new Date();

  function say(state, text) {
    if (dot.dataset.state !== state) dot.dataset.state = state;
    if (words.textContent !== text) words.textContent = text;
  }

  function heard(event) {
    lastHeard = performance.now();
    lastTime = new Date();
    if (event.lastEventId) lastId = event.lastEventId;
    const data = JSON.parse(event.data);
    setClock(data.now, data.speed);
    say("on", "Live");
    return data;
  }

  function open() {
    if (source) return;
    const params = new URLSearchParams(query);
    if (lastId) params.set("after", lastId);
    source = new EventSource(`/live?${params}`);
    source.addEventListener("sync", (event) => { onSync(heard(event)); tick(); });
    source.addEventListener("change", (event) => { onChange(heard(event)); tick(); });
    source.addEventListener("error", () => {
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        setTimeout(() => { if (!document.hidden) open(); }, RETRY_MS);
      }
    });
  }

  function close() {
    if (source) source.close();
    source = null;
  }

  // A browser gives one site six connections: a tab that nobody sees lets go of its own.
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else open(); });
  addEventListener("pagehide", close);
  addEventListener("pageshow", () => { if (!document.hidden) open(); });
  setInterval(() => {
    if (performance.now() - lastHeard > SILENCE_MS) {
      const time = lastTime.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
      say("lost", `Not live – last update ${time}`);
    }
  }, 1000);
  if (!document.hidden) open();
}
