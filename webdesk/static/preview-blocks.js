// Draws Block Kit: blocks in, nodes out. What is pressed is told to `press`, what is filled in is read by `typed`.
import { chart, table } from "./preview-charts.js";
import { element, link, mrkdwn, names, textObject, webAddress } from "./preview-mrkdwn.js";

let serial = 0;
const fresh = (kind) => `${kind}-${serial += 1}`;
const plainOf = (text) => (text && text.text) || "";

// ── blocks ──────────────────────────────────────────────────────────────────────────────────────

const DRAW = {
  section: (block, screen) => {
    const node = element("div", { class: "section" });
    const said = element("div", { class: "prose" });
    if (block.text) said.append(element("div", { class: "words" }, ...textObject(block.text)));
    if (block.fields) said.append(element("div", { class: "fields" }, ...block.fields.map((field) => element("div", { class: "words" }, ...textObject(field)))));
    node.append(said);
    if (block.accessory) node.append(drawElement(block.accessory, block, screen));
    return node;
  },
  header: (block) => element("h3", {}, ...textObject(block.text)),
  context: (block) => element("div", { class: "context" }, ...block.elements.map((part) => (
    part.type === "image" ? element("span", {}, part.alt_text || "") : element("span", { class: "words" }, ...textObject(part))
  ))),
  divider: () => element("hr"),
  rich_text: (block) => element("div", { class: "rich" }, ...block.elements.map(richPart)),
  markdown: (block) => element("div", { class: "words" }, block.text || ""),
  alert: (block) => element("p", { class: `alert ${["info", "warning", "error", "success"].includes(block.level) ? block.level : "info"}` }, ...textObject(block.text)),
  actions: (block, screen) => element("div", { class: "row" }, ...block.elements.map((part) => drawElement(part, block, screen))),
  input: drawInput,
  data_visualization: chart,
  data_table: table,
};

export function drawBlocks(blocks, screen) {
  return blocks.map((block) => {
    const draw = DRAW[block.type];
    if (!draw) return element("p", { class: "unknown" }, `[a ${block.type} block]`);
    try {
      return draw(block, screen);
    } catch {
      return element("p", { class: "unknown" }, `[a ${block.type} block that cannot be drawn]`);
    }
  });
}

export function drawText(text) {
  return element("div", { class: "words" }, ...mrkdwn(text));
}

function richPart(part) {
  const inside = (part.elements || []).map((leaf) => (leaf.elements ? element("li", {}, ...leaf.elements.map(richLeaf)) : richLeaf(leaf)));
  if (part.type === "rich_text_list") return element(part.style === "ordered" ? "ol" : "ul", {}, ...inside);
  const tag = { rich_text_quote: "blockquote", rich_text_preformatted: "pre" }[part.type] || "div";
  return element(tag, { class: "words" }, ...inside);
}

function richLeaf(leaf) {
  if (leaf.type === "link") return link(leaf.url, leaf.text || leaf.url);
  if (leaf.type === "user") return element("span", { class: "mention" }, `@${names.people.get(leaf.user_id) || leaf.user_id}`);
  if (leaf.type === "date") return document.createTextNode(leaf.fallback || "");
  const style = leaf.style || {};
  const tag = style.code ? "code" : style.bold ? "strong" : style.italic ? "em" : style.strike ? "s" : "";
  const text = document.createTextNode(String(leaf.text ?? leaf.name ?? ""));
  return tag ? element(tag, {}, text) : text;
}

// ── what is pressed ─────────────────────────────────────────────────────────────────────────────

function drawElement(part, block, screen) {
  const draw = { button, overflow: menu, static_select: menu, users_select: menu }[part.type];
  return draw ? draw(part, block, screen) : element("span", { class: "unknown" }, `[a ${part.type}]`);
}

function button(part, block, screen) {
  const style = part.style === "primary" || part.style === "danger" ? part.style : undefined;
  const common = { class: style, "data-action": part.action_id, "aria-label": part.accessibility_label };
  const address = part.url ? webAddress(part.url) : "";
  const node = address
    ? element("a", { ...common, class: `button ${style || ""}`, href: address, target: "_blank", rel: "noopener noreferrer" })
    : element("button", { ...common, type: "button" });
  node.append(...textObject(part.text));
  node.addEventListener("click", () => screen.press(node, block, part, undefined));
  return node;
}

// A menu of buttons: a native list in which the arrow keys choose would press what was only looked at.
function menu(part, block, screen) {
  const words = part.type === "overflow" ? "⋯" : plainOf(part.initial_option && part.initial_option.text) || plainOf(part.placeholder);
  const summary = element("summary", { class: "button", "data-action": part.action_id, "aria-label": part.type === "overflow" ? "More actions" : undefined }, words);
  const list = element("ul");
  const box = element("details", { class: "menu" }, summary, list);
  for (const [value, text, description] of optionsOf(part)) {
    const choice = element("button", { type: "button" }, text);
    if (description) choice.append(element("small", {}, description));
    choice.addEventListener("click", () => {
      box.open = false;
      summary.focus();
      screen.press(summary, block, part, value);
    });
    list.append(element("li", {}, choice));
  }
  box.addEventListener("toggle", () => { if (box.open) list.scrollIntoView({ block: "nearest" }); });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !box.open) return;
    event.preventDefault();
    event.stopPropagation();
    box.open = false;
    summary.focus();
  });
  box.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !box.contains(event.relatedTarget)) box.open = false;
  });
  return box;
}

function optionsOf(part) {
  if (part.type === "users_select") return [...names.people].map(([id, name]) => [id, name, ""]);
  return (part.options || []).map((option) => [option.value, plainOf(option.text), plainOf(option.description)]);
}

// ── what is filled in ───────────────────────────────────────────────────────────────────────────

const FIELDS = {
  plain_text_input: (part, common) => {
    const node = element(part.multiline ? "textarea" : "input", { ...common, maxlength: part.max_length, placeholder: plainOf(part.placeholder) || undefined, rows: part.multiline ? "6" : undefined });
    node.value = part.initial_value || "";
    return [node, () => node.value];
  },
  static_select: selectField,
  users_select: selectField,
  radio_buttons: (part, common) => choiceField(part, common, "radio", part.initial_option ? [part.initial_option.value] : []),
  checkboxes: (part, common) => choiceField(part, common, "checkbox", (part.initial_options || []).map((option) => option.value)),
  datetimepicker: (part, common) => {
    const node = element("input", { ...common, type: "datetime-local" });
    if (part.initial_date_time) node.value = localTime(part.initial_date_time);
    return [node, () => (node.value ? Math.floor(new Date(node.value).getTime() / 1000) : null)];
  },
};

function localTime(seconds) {
  const instant = new Date(seconds * 1000);
  return new Date(instant.getTime() - instant.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

function selectField(part, common) {
  const node = element("select", common, element("option", { value: "" }, plainOf(part.placeholder) || "Choose…"));
  for (const [value, text] of optionsOf(part)) node.append(element("option", { value }, text));
  node.value = (part.initial_option && part.initial_option.value) || part.initial_user || "";
  return [node, () => node.value || null];
}

function choiceField(part, common, type, chosen) {
  const name = fresh("choice");
  const boxes = optionsOf(part).map(([value, text, description]) => {
    const box = element("input", { type, name, value, checked: chosen.includes(value) });
    const label = element("label", { class: "check" }, box, element("span", {}, text));
    if (description) label.lastChild.append(element("small", {}, description));
    return [box, label];
  });
  const node = element("div", { role: type === "radio" ? "radiogroup" : "group", "aria-labelledby": common["data-label"], "aria-describedby": common["aria-describedby"], class: "choices" }, ...boxes.map(([, label]) => label));
  const values = () => boxes.filter(([box]) => box.checked).map(([box]) => box.value);
  return [node, () => (type === "radio" ? values()[0] ?? null : values())];
}

function drawInput(block, screen) {
  const part = block.element;
  const make = FIELDS[part.type];
  if (!make) return element("p", { class: "unknown" }, `[a ${part.type}]`);
  const id = fresh("field");
  const hint = block.hint ? element("p", { class: "help", id: `${id}-hint` }, ...textObject(block.hint)) : "";
  const error = element("p", { class: "error", id: `${id}-error`, role: "alert", hidden: true });
  const grouped = part.type === "radio_buttons" || part.type === "checkboxes";
  const described = [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" ");
  const common = { id, "aria-describedby": described, "data-label": `${id}-label`, "aria-required": block.optional ? undefined : "true" };
  const [node, value] = make(part, common);
  const optional = block.optional ? element("span", { class: "optional" }, " (optional)") : "";
  const label = element(grouped ? "p" : "label", { id: `${id}-label`, class: "label", for: grouped ? undefined : id }, ...textObject(block.label), optional);
  screen.fields.push({ block: block.block_id, action: part.action_id, node, error, value });
  return element("div", { class: "input" }, label, node, hint, error);
}

export function typed(screen) {
  const told = {};
  for (const field of screen.fields) (told[field.block] ||= {})[field.action] = field.value();
  return told;
}

export function showErrors(screen, errors) {
  let first = null;
  for (const field of screen.fields) {
    const words = errors[field.block] || "";
    field.error.textContent = words;
    field.error.hidden = !words;
    if (words && !field.node.matches("[role=group]")) field.node.setAttribute("aria-invalid", "true");
    else field.node.removeAttribute("aria-invalid");
    if (words) first ||= field.node;
  }
  if (first) (first.matches("input, textarea, select") ? first : first.querySelector("input")).focus();
}
