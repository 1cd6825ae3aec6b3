// Keeps the queue true without moving anything under the cursor: rows change in place, new ones wait.
import { tick } from "./clock.js";

export function toast(text) {
  const node = document.getElementById("toast");
  node.textContent = text;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { node.textContent = ""; }, 8000);
}

const rows = () => document.getElementById("rows");
const rowOf = (id) => document.getElementById(`row-${id}`);

function parseRow(html) {
  const box = document.createElement("template");
  box.innerHTML = `<table><tbody>${html}</tbody></table>`;
  return box.content.querySelector("tr");
}

function putInPlace(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement.tagName : null;
  fresh.classList.toggle("here", old.classList.contains("here"));
  fresh.classList.add("fresh");
  old.replaceWith(fresh);
  if (focused) (fresh.querySelector(focused.toLowerCase()) || fresh.querySelector("a")).focus();
}

function setCounts(counts) {
  for (const [name, number] of Object.entries(counts)) {
    const node = document.querySelector(`[data-count="${name}"]`);
    if (node && node.textContent !== String(number)) node.textContent = number;
  }
  const urgent = counts.late ? `(${counts.late} late) ` : "";
  document.title = urgent + document.title.replace(/^\(\d+ late\) /, "");
}

export function startQueue() {
  const bar = document.getElementById("new-bar");
  const fresh = new Set();

  function showBar() {
    bar.hidden = fresh.size === 0;
    bar.textContent = `${fresh.size} new – show`;
    if (fresh.size && !rows().children.length) reload();
  }

  async function fetchRows() {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) { location.reload(); return null; }
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  async function reload() {
    const page = await fetchRows();
    if (!page) return;
    const here = rows().querySelector("tr.here");
    document.getElementById("rows-wrap").replaceWith(page.getElementById("rows-wrap"));
    if (here) { const again = rowOf(here.dataset.id); if (again) again.classList.add("here"); }
    fresh.clear();
    showBar();
    tick();
  }

  async function mend(versions) {
    const page = await fetchRows();
    if (!page) return;
    for (const row of [...rows().children]) {
      const now = page.getElementById(`row-${row.dataset.id}`);
      if (now && now.dataset.version !== row.dataset.version) putInPlace(row, now);
      else if (!(row.dataset.id in versions)) leave(row);
    }
    tick();
  }

  function leave(row) {
    row.classList.add("gone");
    row.querySelectorAll("form, .c-due").forEach((node) => node.replaceChildren());
  }

  bar.addEventListener("click", reload);
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form.take");
    if (!form) return;
    event.preventDefault();
    await take(form);
  });

  async function take(form) {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" } });
    if (answer.headers.get("content-type")?.startsWith("application/json")) toast((await answer.json()).message);
    else location.reload();
  }

  return {
    query: location.search,
    onSync(data) {
      setCounts(data.counts);
      const shown = [...rows().children];
      const stale = shown.some((row) => !row.classList.contains("gone") && String(data.versions[row.dataset.id]) !== row.dataset.version);
      fresh.clear();
      const limited = document.querySelector(".more");
      if (!limited) for (const id of Object.keys(data.versions)) if (!rowOf(id)) fresh.add(id);
      showBar();
      if (stale) mend(data.versions);
    },
    onChange(data) {
      setCounts(data.counts);
      for (const change of data.rows) {
        const old = rowOf(change.id);
        if (old) {
          if (Number(old.dataset.version) < change.version) putInPlace(old, parseRow(change.html));
        } else if (change.waiting) fresh.add(change.id);
        if (!change.waiting) fresh.delete(change.id);
      }
      showBar();
    },
  };
}
