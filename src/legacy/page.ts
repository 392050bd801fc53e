// The old API for people: one page without scripts or anything from elsewhere, made from the action table.
import { ACTIONS, type LegacyAction } from './actions.ts';
import { LEGACY_PATH } from './openapi.ts';
import { REPEAT_FIELDS, REPEAT_ITEMS } from './repeat-items.ts';

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, texts: readonly string[]) =>
    texts.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join('');
  const body = rows.map((texts) => `<tr>${cells('td', texts)}</tr>`).join('\n');
  return `<table>\n<thead><tr>${cells('th', head)}</tr></thead>\n<tbody>\n${body}\n</tbody>\n</table>`;
}

function sectionOf({ name, summary, methods, parameters, changes, example }: LegacyAction): string {
  const rows = parameters.map(({ name, isRequired, accepted }) => [name, isRequired ? 'yes' : 'no', accepted]);
  return `<section id="${name}">
<h2>${name}</h2>
<p>${escapeHtml(summary)} ${methods.join(' or ')}.${changes ? ' Takes an Idempotency-Key.' : ''}</p>
<pre>${escapeHtml(`${LEGACY_PATH}?target=scheduler&action=${name}`)}</pre>
${rows.length === 0 ? '<p>No parameters.</p>' : tableOf(['Parameter', 'Required', 'Accepted'], rows)}
<p>Example reply:</p>
<pre>${escapeHtml(example)}</pre>
</section>`;
}

function itemsSection(): string {
  const rows = REPEAT_FIELDS.map(({ name, type, isCalendar }) => [
    name,
    `${type.accepted}${isCalendar ? ', or * for every' : ''}`,
    name === 'repeat_minute' ? '0' : isCalendar ? 'every' : 'none',
  ]);
  return `<section id="${REPEAT_ITEMS}">
<h2>${REPEAT_ITEMS}</h2>
<p>Each item is an object with these fields. A call with a single item may send them as parameters of its own.</p>
${tableOf(['Field', 'Accepted', 'Default'], rows)}
</section>`;
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; border-bottom: 1px solid #8884; padding: .25rem .75rem .25rem 0; vertical-align: top; }
pre { overflow-x: auto; padding: .75rem; background: #8882; white-space: pre-wrap; overflow-wrap: anywhere; }`;

/** The page as HTML. */
export function legacyApiPage(): string {
  const links = ACTIONS.map(({ name }) => `<li><a href="#${name}">${name}</a></li>`).join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The old scheduler API</title>
<style>${STYLE}</style>
</head>
<body>
<h1>The old scheduler API</h1>
<p>Slotkeeper answers the calls of <code>api.php?target=scheduler</code> unchanged. The machine-readable description is
<code>openapi.json</code>, next to this page (OpenAPI 3.1). New clients use GraphQL, at <code>/graphql</code>.</p>
<h2>Calling</h2>
<p>A call carries <code>apiKey</code> and, last, <code>hash</code>: base64(HMAC-SHA256(secret, the query string up to
<code>&amp;hash=</code>)). Basic and Bearer credentials work too. A body is a JSON object or a form; its parameters override
those in the query string, except <code>target</code>, <code>action</code>, <code>apiKey</code> and <code>hash</code>, because
the body is not signed. Every outcome has status 200, except missing or wrong credentials, which have 401. An error is
<code>{"success":0,"message":"…"}</code>.</p>
<p>The header <code>Idempotency-Key</code> makes retries of calls that change something safe: within 24 hours the same call
with the same key returns the first reply and does nothing; another call with that key is refused.</p>
<ul>
${links}
</ul>
${ACTIONS.map(sectionOf).join('\n')}
${itemsSection()}
</body>
</html>
`;
}
