// The Slack preview: asks what this person's Slack shows, draws it, and tells what they press.
import { drawBlocks, drawText, showErrors, typed } from "./preview-blocks.js";
import { element, names } from "./preview-mrkdwn.js";

const EVERY_MS = 500;
const BOT = "heard";
const byId = (id) => document.getElementById(id);
const root = byId("slack");
const toast = byId("toast");

const HOME = "home";
const phone = matchMedia("(max-width: 48rem)");
let mark = "";
let place = "";
let seen = { channels: [], people: [], home: null, dialog: null };
let messages = new Map();
let unread = new Map();
let looking = null;
let modal = { id: "", hash: "", errors: "", screen: null };
let homeHash = "";

// A phone has no room for a box that scrolls in a page that scrolls.
const scroller = () => (phone.matches ? document.scrollingElement : byId("scroll"));
const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 60;

function goToEnd() {
  const box = scroller();
  box.scrollTop = box.scrollHeight;
  byId("newer").hidden = true;
}

// ── asking and telling ──────────────────────────────────────────────────────────────────────────

function say(words) {
  toast.textContent = "";
  requestAnimationFrame(() => { toast.textContent = words; });
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { toast.textContent = ""; }, 8000);
}

async function ask() {
  const answer = await fetch(`/preview/state?since=${encodeURIComponent(mark)}`, { headers: { Accept: "application/json" } });
  if (answer.redirected || answer.status === 401 || answer.status === 404) {
    location.reload();
    return;
  }
  if (!answer.ok) return;
  const told = await answer.json();
  if (told.mark !== mark) draw(told);
}

function look() {
  looking ||= ask().catch(() => {}).finally(() => { looking = null; });
  return looking;
}

async function lookAgain() {
  await looking;
  await look();
}

async function tell(did) {
  const body = new URLSearchParams({ csrf: root.dataset.csrf, did: JSON.stringify(did) });
  try {
    const answer = await fetch("/preview/press", { method: "POST", body, headers: { Accept: "application/json" } });
    const told = await answer.json();
    if (told.problem || !answer.ok) say(told.problem || told.message || "That did not work. Reload the page.");
  } catch {
    say("The desk cannot be reached, so nothing was done.");
  }
  await lookAgain();
}

async function press(node, did, confirm) {
  if (node.getAttribute("aria-busy") === "true") return;
  if (confirm && !(await confirmed(confirm))) return;
  node.setAttribute("aria-busy", "true");
  await tell(did);
  node.removeAttribute("aria-busy");
}

function confirmed(question) {
  const box = byId("ask");
  byId("ask-title").textContent = question.title.text;
  byId("ask-text").textContent = question.text.text;
  byId("ask-yes").textContent = question.confirm ? question.confirm.text : "Yes";
  byId("ask-no").textContent = question.deny ? question.deny.text : "Cancel";
  box.returnValue = "no";
  box.showModal();
  return new Promise((done) => {
    box.addEventListener("close", () => done(box.returnValue === "yes"), { once: true });
  });
}

// ── drawing ─────────────────────────────────────────────────────────────────────────────────────

function draw(told) {
  if (told.fresh) {
    messages = new Map();
    unread = new Map();
    byId("messages").replaceChildren();
  }
  const first = !mark;
  mark = told.mark;
  if (!told.channels) return;
  seen = told;
  names.people = new Map(told.people.map((person) => [person.id, person.name]));
  names.channels = new Map(told.channels.map((channel) => [channel.id, channel.name]));
  names.groups = told.groups;
  if (!place) {
    open(told.channels[0].id);
    // A command is given in a channel, so there is none to give before this.
    for (const part of byId("command").elements) part.disabled = false;
  }
  const touched = new Set();
  for (const message of told.messages) {
    const old = messages.get(key(message));
    messages.set(key(message), message);
    touched.add(`${message.channel}/${message.thread || message.ts}`);
    if (!old && !first && message.channel !== place) unread.set(message.channel, (unread.get(message.channel) || 0) + 1);
  }
  drawPlaces();
  drawTouched(touched);
  drawHome();
  drawDialog();
}

const key = (message) => `${message.channel}/${message.ts}`;
const of = (message) => `${message.channel}/${message.thread || message.ts}`;

function drawPlaces() {
  byId("workspace").textContent = seen.workspace;
  byId("who").textContent = `You are ${seen.you.name} (${seen.you.role}). What you press here is decided in your name.`;
  const entries = [...seen.channels.map((one) => [one.id, one.app ? `${BOT}, messages` : `# ${one.name}`]), [HOME, `${BOT}, Home`]];
  const focused = document.activeElement.dataset.place;
  byId("places").replaceChildren(...entries.map(([id, words]) => {
    const button = element("button", { type: "button", "data-place": id, "aria-current": id === place ? "page" : undefined }, words);
    const count = unread.get(id) || 0;
    if (count) button.append(" ", element("span", { class: "count" }, String(count), element("span", { class: "sr" }, " new")));
    button.addEventListener("click", () => open(id));
    return element("li", {}, button);
  }));
  if (focused) byId("places").querySelector(`[data-place="${CSS.escape(focused)}"]`)?.focus();
}

function open(id) {
  place = id;
  unread.delete(id);
  const channel = seen.channels.find((one) => one.id === id);
  byId("place-title").textContent = id === HOME ? `Home of ${BOT}` : channel.app ? `Messages of ${BOT}` : `#${channel.name}`;
  byId("messages").hidden = id === HOME;
  byId("home").hidden = id !== HOME;
  byId("newer").hidden = true;
  byId("messages").replaceChildren();
  drawPlaces();
  if (id === HOME) {
    byId("scroll").scrollTop = 0;
    tell({ kind: "home" });
  } else drawTouched(new Set([...messages.values()].filter((one) => one.channel === id).map(of)), true);
  drawHome();
  if (phone.matches && id === HOME) byId("place-title").scrollIntoView();
}

function drawTouched(touched, toEnd = false) {
  const list = byId("messages");
  const stay = toEnd || atEnd(scroller());
  let added = false;
  for (const root of [...touched].sort()) {
    if (root.startsWith(`${place}/`)) added = drawRoot(list, root) || added;
  }
  drawEmpty();
  if (place === HOME) return;
  if (stay) goToEnd();
  else if (added) byId("newer").hidden = false;
}

// Draws one message with its thread anew; returns whether it was not there before.
function drawRoot(list, root) {
  const old = [...list.children].find((item) => item.dataset.root === root);
  const main = messages.get(root);
  const there = main && !main.gone;
  const replies = [...messages.values()].filter((one) => of(one) === root && one !== main && !one.gone).sort((a, b) => (a.ts < b.ts ? -1 : 1));
  if (!there && !replies.length) {
    old?.remove();
    return false;
  }
  const item = element("li", { "data-root": root }, there ? drawMessage(main) : element("p", { class: "message unknown" }, "This message was deleted."));
  if (replies.length) {
    const words = replies.length === 1 ? "1 reply" : `${replies.length} replies`;
    item.append(element("ol", { class: "thread", "aria-label": `Thread, ${words}` }, ...replies.map((reply) => element("li", {}, drawMessage(reply)))));
  }
  if (old) {
    keepingFocus(old, item, () => old.replaceWith(item));
    return false;
  }
  const next = [...list.children].find((other) => other.dataset.root > root);
  list.insertBefore(item, next || null);
  return true;
}

function keepingFocus(old, made, replace) {
  const at = old.contains(document.activeElement) ? document.activeElement.dataset.action : null;
  replace();
  if (at === null) return;
  const same = at ? made.querySelector(`[data-action="${CSS.escape(at)}"]`) : null;
  if (same) same.focus();
  else byId("scroll").focus({ preventScroll: true });
}

function drawMessage(message) {
  const at = new Date(Number(message.ts) * 1000);
  const clock = at.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hour12: false });
  const head = element("p", { class: "by" }, element("b", {}, BOT), element("span", { class: "app" }, "APP"), element("time", { datetime: at.toISOString() }, clock));
  if (message.private) head.append(element("span", { class: "private" }, "Only visible to you"));
  const screen = {
    fields: [],
    press: (node, block, part, value) => press(node, {
      kind: "press", channel: message.channel, ts: message.ts, shown: message.shown,
      block: block.block_id, element: part.action_id, value,
    }, part.confirm),
  };
  const blocks = message.blocks.length ? drawBlocks(message.blocks, screen) : [drawText(message.text)];
  return element("article", { class: message.private ? "message is-private" : "message", "aria-label": `${BOT} at ${clock}` }, head, element("div", { class: "blocks" }, ...blocks));
}

function drawEmpty() {
  const nothing = place === HOME ? !seen.home : !byId("messages").children.length;
  byId("empty").hidden = !nothing;
  byId("empty").textContent = place === HOME ? "Home is being drawn…" : "No messages yet. They come here by themselves.";
}

// ── views ───────────────────────────────────────────────────────────────────────────────────────

function viewScreen(view) {
  const screen = {
    fields: [],
    press: (node, block, part, value) => press(node, {
      kind: "press", view: view.id, hash: view.hash, typed: typed(screen),
      block: block.block_id, element: part.action_id, value,
    }, part.confirm),
  };
  return screen;
}

function drawHome() {
  if (place === HOME) drawEmpty();
  const home = seen.home;
  if (!home || home.hash === homeHash) return;
  homeHash = home.hash;
  const made = element("div", { id: "home", class: "home", hidden: place !== HOME }, element("div", { class: "blocks" }, ...drawBlocks(home.blocks, viewScreen(home))));
  const old = byId("home");
  keepingFocus(old, made, () => old.replaceWith(made));
}

function drawDialog() {
  const view = seen.dialog;
  const box = byId("modal");
  if (!view) {
    if (box.open) box.close();
    modal = { id: "", hash: "", errors: "", screen: null };
    return;
  }
  if (view.hash !== modal.hash) {
    const screen = viewScreen(view);
    byId("modal-title").textContent = view.title ? view.title.text : "";
    byId("modal-blocks").replaceChildren(...drawBlocks(view.blocks, screen));
    byId("modal-close").textContent = view.close ? view.close.text : "Close";
    byId("modal-submit").hidden = !view.submit;
    byId("modal-submit").textContent = view.submit ? view.submit.text : "Send";
    modal = { id: view.id, hash: view.hash, errors: "{}", screen };
    if (!box.open) box.showModal();
    (byId("modal-blocks").querySelector("textarea, input, select") || byId("modal-close")).focus();
  }
  const errors = JSON.stringify(view.errors);
  if (errors !== modal.errors) {
    modal.errors = errors;
    showErrors(modal.screen, view.errors);
  }
}

function leaveDialog() {
  const { id, hash, screen } = modal;
  const values = screen ? typed(screen) : {};
  byId("modal").close();
  if (id) tell({ kind: "close", view: id, hash, typed: values });
}

byId("modal-form").addEventListener("submit", (event) => {
  event.preventDefault();
  // The same words beside the same field are said again.
  modal.errors = "";
  press(byId("modal-submit"), { kind: "submit", view: modal.id, hash: modal.hash, typed: typed(modal.screen) });
});
byId("modal-close").addEventListener("click", leaveDialog);
byId("modal").addEventListener("cancel", (event) => {
  event.preventDefault();
  leaveDialog();
});

// ── everything else ─────────────────────────────────────────────────────────────────────────────

byId("command").addEventListener("submit", async (event) => {
  event.preventDefault();
  const words = byId("words");
  const text = words.value;
  words.value = "";
  const channel = place === HOME ? seen.channels.find((one) => one.app).id : place;
  if (place === HOME) open(channel);
  await tell({ kind: "command", channel, text });
});

byId("newer").addEventListener("click", goToEnd);
for (const box of [byId("scroll"), document]) {
  box.addEventListener("scroll", () => { if (atEnd(scroller())) byId("newer").hidden = true; });
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
setInterval(() => { if (!document.hidden) look(); }, EVERY_MS);
look();
