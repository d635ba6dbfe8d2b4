// The description of the station's addresses (OpenAPI), as a page.

const make = (name, text = "", className = "") => {
  const element = document.createElement(name);
  element.textContent = text;
  if (className) element.className = className;
  return element;
};

// What a schema's reference is called, or what kind of value it holds.
const kind = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.join(" · ");
  if (schema.type === "array") return `list of ${kind(schema.items)}`;
  return [schema.type ?? "anything"].flat().join(" or ");
};

const table = (heading, rows) => {
  if (!rows.length) return [];
  const list = make("dl");
  for (const [name, text] of rows) {
    const term = make("dt");
    term.append(make("code", name));
    list.append(term, make("dd", text));
  }
  return [make("h3", heading), list];
};

const address = (path, method, operation) => {
  const box = make("details", "", "address");
  const head = make("summary");
  head.append(make("b", method.toUpperCase(), "method"), make("code", path), make("span", operation.summary));
  const inside = make("div", "", "inside");
  const parameters = operation.parameters.map((own) => [
    own.name,
    [`in the ${own.in}`, own.description, own.schema.enum && kind(own.schema)].filter(Boolean).join("; "),
  ]);
  const answers = Object.entries(operation.responses).map(([status, own]) => {
    const types = Object.entries(own.content ?? {}).map(([type, { schema }]) => [type, kind(schema)].filter(Boolean).join(": "));
    return [status, [own.description, types.join(", ")].filter(Boolean).join(" ")];
  });
  inside.append(...table("Parameters", parameters), ...table("Answers", answers));
  if (operation.security) inside.append(make("p", "Wants the header Authorization: Bearer TOKEN."));
  box.append(head, inside);
  return box;
};

const schema = (name, own) => {
  const box = make("details", "", "address");
  const head = make("summary");
  head.append(make("code", name));
  const rows = Object.entries(own.properties).map(([field, of]) => [field, [kind(of), of.description].filter(Boolean).join("; ")]);
  const inside = make("div", "", "inside");
  inside.append(...table("Fields", rows));
  box.append(head, inside);
  return box;
};

const show = (told) => {
  const main = document.getElementById("addresses");
  main.replaceChildren();
  document.getElementById("station").textContent = told.info.title;
  const operations = Object.entries(told.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  for (const tag of told.tags) {
    main.append(make("h2", tag.name), make("p", tag.description));
    for (const { path, method, operation } of operations) {
      if (operation.tags.includes(tag.name)) main.append(address(path, method, operation));
    }
  }
  main.append(make("h2", "what is told"), ...Object.entries(told.components.schemas).map((own) => schema(...own)));
};

try {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`${answer.status}`);
  show(await answer.json());
} catch (error) {
  document.getElementById("wait").textContent = `openapi.json cannot be read: ${error.message}`;
}
