// Counts down against the server's clock, which may run faster than this machine's.
let serverNow = Number(document.body.dataset.now);
let speed = Number(document.body.dataset.speed);
let heardAt = performance.now();

export function now() {
  return serverNow + (performance.now() - heardAt) * speed;
}

export function setClock(ms, rate) {
  serverNow = ms;
  speed = rate;
  heardAt = performance.now();
}

// The same words as words.py says.
export function left(ms) {
  let seconds = Math.floor(ms / 1000);
  const late = seconds < 0;
  seconds = Math.abs(seconds);
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  let words;
  if (days) words = `${days} d ${hours} h`;
  else if (hours) words = `${hours} h ${minutes} min`;
  else if (late) words = minutes ? `${minutes} min` : `${seconds} s`;
  else words = `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
  return `${words} ${late ? "late" : "left"}`;
}

export function tick() {
  const present = now();
  for (const node of document.querySelectorAll("[data-due]")) {
    const rest = Number(node.dataset.due) - present;
    const words = left(rest);
    if (node.textContent !== words) node.textContent = words;
    node.classList.toggle("is-late", rest <= 0);
  }
}

export function startClock() {
  tick();
  setInterval(tick, 1000);
}
