// Helps on the case page: a live count of characters, copying, and news of what others did meanwhile.
import { tick } from "./clock.js";
import { toast } from "./queue.js";

function dirty() {
  const inside = document.activeElement?.closest("#case textarea, #case input, #case select");
  const typed = [...document.querySelectorAll("#case textarea, #case input:not([type=hidden])")];
  return Boolean(inside) || typed.some((field) => field.value !== field.defaultValue);
}

async function refresh(version) {
  const box = document.getElementById("case");
  if (dirty()) { news("This case changed while you were writing."); return; }
  const open = [...box.querySelectorAll("details[open]")].map((node) => node.id);
  const answer = await fetch(`/cases/${box.dataset.case}`);
  if (!answer.ok || answer.redirected) { news("This case changed."); return; }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("case");
  if (!fresh || Number(fresh.dataset.version) < version) return;
  if (dirty()) { news("This case changed while you were writing."); return; }
  const notice = document.getElementById("notice");
  document.getElementById("case").replaceWith(fresh);
  if (notice && !document.getElementById("notice")) fresh.querySelector(".head").after(notice);
  for (const id of open) { const node = id && document.getElementById(id); if (node) node.open = true; }
  startForms();
  tick();
  toast("This case changed; you see it as it is now.");
}

function news(words) {
  document.getElementById("news-words").textContent = words;
  document.getElementById("news").hidden = false;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("The reply is copied. Paste it there, then say that you posted it.");
  } catch {
    toast("Your browser did not let us copy. Select the reply and copy it yourself.");
  }
}

function startCheck(form) {
  const field = form.querySelector("textarea");
  const used = form.querySelector("[data-used]");
  const list = form.querySelector("[data-objections]");
  let timer = 0;
  let asked = 0;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const mine = ++asked;
      const answer = await fetch(form.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (!answer.ok || mine !== asked) return;
      const found = await answer.json();
      used.textContent = found.used;
      used.parentElement.classList.toggle("over", found.used > found.limit);
      list.replaceChildren(...found.objections.map((words) => {
        const item = document.createElement("li");
        item.textContent = words;
        return item;
      }));
      list.hidden = found.objections.length === 0;
    }, 250);
  });
}

function startForms() {
  document.querySelectorAll("form[data-check]").forEach(startCheck);
  const button = document.getElementById("copy-open");
  if (button?.dataset.copy) button.addEventListener("click", () => copy(button.dataset.copy));
}

export function startCase() {
  startForms();
  const target = location.hash.slice(1);
  if (["edit", "reject", "snooze"].includes(target)) {
    const box = document.getElementById(target);
    if (box) { box.open = true; box.querySelector("textarea, input:not([type=hidden]), select")?.focus(); }
  } else if (target === "approve") document.querySelector("#approve button")?.focus();
  // A double click is one decision.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
    setTimeout(() => { delete form.dataset.sent; }, 5000);
  });
  const version = () => Number(document.getElementById("case").dataset.version);
  const id = document.getElementById("case").dataset.case;
  return {
    onSync(data) { if (data.versions[id] > version()) refresh(data.versions[id]); },
    onChange(data) { for (const row of data.rows) if (row.id === id && row.version > version()) refresh(row.version); },
  };
}
