// Single keys for those who answer all day. Off while writing, and off altogether when asked.
const OFF = "heard-keys-off";
let chord = "";

const on = () => localStorage.getItem(OFF) !== "1";
const writing = (node) => node.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
const rows = () => [...document.querySelectorAll("#rows > tr")];
const here = () => document.querySelector("#rows > tr.here");

function step(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(here());
  const to = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  all.forEach((row) => row.classList.toggle("here", row === to));
  to.querySelector("a.open").focus({ preventScroll: true });
  to.scrollIntoView({ block: "nearest" });
}

function openBox(id) {
  const box = document.getElementById(id);
  if (!box) return;
  box.open = true;
  box.querySelector("textarea, input:not([type=hidden]), select")?.focus();
}

function onQueue(key) {
  const row = here() || document.activeElement.closest("#rows > tr");
  const address = row && row.querySelector("a.open").getAttribute("href");
  if (key === "j") step(1);
  else if (key === "k") step(-1);
  else if (key === "n" && !row) location.href = "/next";
  else if (!row) return false;
  else if (key === "t") row.querySelector("form.take")?.requestSubmit();
  else if (key === "n") location.href = `/next?after=${row.dataset.id}`;
  else if (key === "a") location.href = `${address}#approve`;
  else if (key === "e") location.href = `${address}#edit`;
  else if (key === "r") location.href = `${address}#reject`;
  else if (key === "s") location.href = `${address}#snooze`;
  else if (key === "Enter") location.href = address;
  else return false;
  return true;
}

function onCase(key) {
  if (key === "a") document.getElementById("approve")?.requestSubmit();
  else if (key === "t") document.getElementById("take")?.requestSubmit();
  else if (key === "e") openBox("edit");
  else if (key === "r") openBox("reject");
  else if (key === "s") openBox("snooze");
  else if (key === "n") document.getElementById("next").click();
  else return false;
  return true;
}

function everywhere(key) {
  if (chord === "g" && key === "q") location.href = "/";
  else if (chord === "g" && key === "s") location.href = "/promises";
  else if (key === "?") document.getElementById("keys").showModal();
  else if (key === "/") {
    const search = document.querySelector("input[type=search]");
    if (search) search.focus(); else location.href = "/";
  } else return false;
  return true;
}

function pressed(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const form = event.target.closest("form");
    if (form) { event.preventDefault(); form.requestSubmit(form.querySelector("button[type=submit]")); }
    return;
  }
  if (!on() || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat && event.key !== "j" && event.key !== "k") return;
  if (writing(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  const page = document.body.dataset.page;
  const done = everywhere(event.key) || (chord === "" && (page === "queue" ? onQueue(event.key) : page === "case" && onCase(event.key)));
  chord = event.key === "g" && chord === "" ? "g" : "";
  if (done) event.preventDefault();
}

export function startKeys() {
  const dialog = document.getElementById("keys");
  const button = document.getElementById("keys-button");
  const box = document.getElementById("keys-on");
  if (!dialog) return;
  button.hidden = false;
  box.checked = on();
  box.addEventListener("change", () => localStorage.setItem(OFF, box.checked ? "0" : "1"));
  button.addEventListener("click", () => dialog.showModal());
  document.getElementById("keys-close").addEventListener("click", () => dialog.close());
  document.addEventListener("keydown", pressed);
}
