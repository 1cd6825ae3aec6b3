// Draws Slack's mrkdwn as nodes: only text nodes and elements made here, never markup from a payload.
const TOKEN = /```([\s\S]+?)```|`([^`\n]+)`|<([^<>\n]+)>|(?<![\p{L}\p{N}])([*_~])(?=\S)((?:(?!\4)[^\n])*?\S)\4(?![\p{L}\p{N}])/gu;
const SHORTCODE = /:([a-z0-9_+-]{2,40}):/g;
const TAGS = { "*": "strong", _: "em", "~": "s" };
const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
const EMOJI = {
  white_check_mark: "✅", white_large_square: "⬜", large_green_circle: "🟢", large_orange_circle: "🟠",
  red_circle: "🔴", large_yellow_circle: "🟡", white_circle: "⚪", warning: "⚠️", x: "❌", hourglass: "⌛",
  hourglass_flowing_sand: "⏳", speech_balloon: "💬", bust_in_silhouette: "👤", lock: "🔒", eyes: "👀",
  slightly_frowning_face: "🙁", neutral_face: "😐", slightly_smiling_face: "🙂", rotating_light: "🚨",
  chart_with_upwards_trend: "📈", bar_chart: "📊", wastebasket: "🗑", mortar_board: "🎓", zzz: "💤", bell: "🔔",
};

export const names = { people: new Map(), groups: {}, channels: new Map() };

export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// An address that a browser may be sent to; nothing else becomes a link.
export function webAddress(raw) {
  try {
    const address = new URL(raw);
    return ["http:", "https:"].includes(address.protocol) ? address.href : "";
  } catch {
    return "";
  }
}

export function link(address, words) {
  const safe = webAddress(address);
  if (!safe) return document.createTextNode(words);
  return element("a", { href: safe, target: "_blank", rel: "noopener noreferrer" }, words);
}

const decoded = (text) => text.replace(/&(?:amp|lt|gt);/g, (entity) => ENTITIES[entity]);
export const withEmoji = (text) => text.replace(SHORTCODE, (all, name) => EMOJI[name] || all);
const words = (text) => document.createTextNode(withEmoji(decoded(text)));

function day(instant, form, pretty) {
  const days = Math.round((new Date(instant).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86400000);
  if (pretty && Math.abs(days) < 2) return ["yesterday", "today", "tomorrow"][days + 1];
  if (form === "num") return instant.toLocaleDateString("sv");
  const month = form === "short" ? "short" : "long";
  const weekday = form === "long" ? { weekday: "long" } : {};
  return instant.toLocaleDateString("en", { ...weekday, month, day: "numeric", year: "numeric" });
}

function ago(instant) {
  const minutes = Math.round((instant - Date.now()) / 60000);
  const form = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  if (Math.abs(minutes) < 60) return form.format(minutes, "minute");
  if (Math.abs(minutes) < 1440) return form.format(Math.round(minutes / 60), "hour");
  return form.format(Math.round(minutes / 1440), "day");
}

function date(raw) {
  const [head, fallback = ""] = splitOnce(raw, "|");
  const [, seconds, form, address] = head.split("^");
  const instant = new Date(Number(seconds) * 1000);
  if (Number.isNaN(instant.getTime()) || !form) return words(fallback);
  const clock = { hour: "2-digit", minute: "2-digit", hour12: false };
  const shown = form.replace(/\{(date|time|ago)(?:_(num|short|long|secs))?(_pretty)?\}/g, (all, what, kind, pretty) => {
    if (what === "ago") return ago(instant);
    if (what === "date") return day(instant, kind, Boolean(pretty));
    return instant.toLocaleTimeString("en", kind === "secs" ? { ...clock, second: "2-digit" } : clock);
  });
  const time = element("time", { datetime: instant.toISOString(), title: instant.toLocaleString() }, decoded(shown));
  if (!address) return time;
  const anchor = link(decoded(address), "");
  anchor.append(time);
  return anchor;
}

function splitOnce(text, at) {
  const index = text.indexOf(at);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}

function reference(raw) {
  if (raw.startsWith("!date^")) return date(raw);
  const [what, label] = splitOnce(raw, "|");
  const mention = (name) => element("span", { class: "mention" }, name);
  if (what.startsWith("@")) return mention(`@${names.people.get(what.slice(1)) || decoded(label || what.slice(1))}`);
  if (what.startsWith("#")) return mention(`#${names.channels.get(what.slice(1)) || decoded(label || what.slice(1))}`);
  if (what.startsWith("!subteam^")) return mention(`@${names.groups[what.slice(9)] || decoded(label || "group").replace(/^@/, "")}`);
  if (what.startsWith("!")) return mention(`@${decoded(what.slice(1))}`);
  return link(decoded(what), decoded(label || what));
}

function inline(text) {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(TOKEN)) {
    nodes.push(words(text.slice(from, found.index)));
    from = found.index + found[0].length;
    const [, pre, code, angle, mark, inner] = found;
    if (pre !== undefined) nodes.push(element("pre", {}, decoded(pre)));
    else if (code !== undefined) nodes.push(element("code", {}, decoded(code)));
    else if (angle !== undefined) nodes.push(reference(angle));
    else nodes.push(element(TAGS[mark], {}, ...inline(inner)));
  }
  nodes.push(words(text.slice(from)));
  return nodes;
}

export function mrkdwn(text) {
  const nodes = [];
  for (const part of text.split(/((?:^(?:&gt;|>)[^\n]*\n?)+)/m)) {
    if (/^(?:&gt;|>)/.test(part)) {
      nodes.push(element("blockquote", {}, ...inline(part.replace(/^(?:&gt;|>) ?/gm, "").trimEnd())));
    } else if (part) nodes.push(...inline(part));
  }
  return nodes;
}

export function textObject(text) {
  if (!text) return [];
  if (text.type === "mrkdwn") return mrkdwn(text.text);
  return [document.createTextNode(text.emoji ? withEmoji(text.text) : text.text)];
}
