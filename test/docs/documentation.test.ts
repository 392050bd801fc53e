// The documentation against what it speaks of: links lead somewhere, and reference tables are complete.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { dnsServersFile } from '../../src/dns/server-settings.ts';
import { ACTIONS } from '../../src/legacy/actions.ts';
import { readSettings, SETTING_NAMES } from '../../src/settings.ts';
import { anchorsOf, codesOf, linksOf, type Page, readPage, readPages, tableRows } from '../support/markdown.ts';
import { PROJECT } from '../support/npm-start.ts';

const pages = await readPages('**/*.md');
const docs = pages.filter(({ path }) => path === 'README.md' || path.startsWith('docs/'));
const readme = await readPage('README.md');

/** What is wrong with a link of a page; null for one that leads somewhere, or out of the project. */
function faultOf(page: Page, link: string): string | null {
  if (/^(https?|mailto):/.test(link)) return null;
  if (/^(\/|\w+:)/.test(link)) return `${link} is a path of one machine`;
  const [file = '', anchor] = link.split('#', 2);
  const path = file === '' ? page.path : normalize(join(dirname(page.path), file));
  if (path.startsWith('..') || !existsSync(join(PROJECT, path))) return `${link} leads to no file`;
  if (anchor === undefined) return null;
  const target = pages.find((candidate) => candidate.path === path);
  return target !== undefined && anchorsOf(target).has(anchor) ? null : `${link} leads to no heading`;
}

describe('links', () => {
  test.each(pages)('of $path lead to files and headings that are there', (page) => {
    expect(linksOf(page).flatMap((link) => faultOf(page, link) ?? [])).toEqual([]);
  });

  test('the README and the index lead to every page', () => {
    const names = docs.map(({ path }) => path).filter((path) => /^docs\/(?!README)[^/]+$/.test(path));
    expect(names.length).toBeGreaterThan(10);
    const index = pages.find(({ path }) => path === 'docs/README.md');
    const linked = (page: Page | undefined) =>
      page === undefined ? [] : linksOf(page).map((link) => link.split('#')[0]);
    expect(names.filter((name) => !linked(readme).includes(name))).toEqual([]);
    expect(names.filter((name) => !linked(index).includes(name.slice('docs/'.length)))).toEqual([]);
  });

  test('no page has a path of the machine that it was written on', () => {
    const isOfMachine = ({ text }: Page) => /(^|[\s("'`])\/(home|Users|root|work|tmp)\//m.test(text);
    expect(docs.filter(isOfMachine).map(({ path }) => path)).toEqual([]);
  });
});

test('files and folders that a page names are there', () => {
  const FOLDERS = 'src|test|docs|deploy|scripts|bench|examples|bin';
  const named = docs.flatMap(({ path: page, text }) =>
    [...text.matchAll(new RegExp(`\`((?:${FOLDERS})/[\\w./-]*)\``, 'g'))].map(([, path = '']) => ({ page, path })),
  );
  expect(named.length).toBeGreaterThan(100);
  expect(named.filter(({ path }) => !existsSync(join(PROJECT, path)))).toEqual([]);
});

test('the README stays short', () => {
  expect(readme.text.split('\n').length).toBeLessThanOrEqual(151);
});

test('every npm script that a page names is one', async () => {
  const { scripts } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')) as { scripts: object };
  const named = docs.flatMap(({ text }) =>
    [...text.matchAll(/npm run (?:-s )?([\w:-]+)/g)].map(([, name = '']) => name),
  );
  expect(named.length).toBeGreaterThan(10);
  expect([...new Set(named)].filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
});

describe('the page of the settings', async () => {
  const rows = tableRows(await readPage('docs/settings.md'), 'variable');

  test('has each once, and no other', () => {
    const listed = rows.flatMap(([variable]) => codesOf(variable));
    expect(listed.toSorted()).toEqual(SETTING_NAMES.toSorted());
  });

  test('has their defaults', () => {
    for (const name of SETTING_NAMES) vi.stubEnv(name, '');
    onTestFinished(() => void vi.unstubAllEnvs());
    const defaults = new Map(Object.entries(readSettings()).map(([name, value]) => [name, value as unknown]));
    const isPlain = (name: string) => ['string', 'number', 'boolean'].includes(typeof defaults.get(name));
    const shown = rows.map(([variable, shownDefault]) => [codesOf(variable)[0] ?? '', shownDefault] as const);
    const plain = shown.filter(([name]) => isPlain(name));
    expect(plain.length).toBeGreaterThan(15);
    expect(plain).toEqual(plain.map(([name]) => [name, `\`${defaults.get(name)}\``]));
    const without = shown.filter(([name]) => defaults.get(name) === undefined);
    expect(without.filter(([, shownDefault]) => !shownDefault?.startsWith('none'))).toEqual([]);
  });
});

test('the page of GraphQL has every code that a fault can have', async () => {
  const union = /export type FaultCode =([^;]+);/.exec(await readFile(join(PROJECT, 'src/lib/faults.ts'), 'utf8'))?.[1];
  const codes = [...(union ?? '').matchAll(/'(\w+)'/g)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(5);
  const listed = tableRows(await readPage('docs/graphql.md'), 'code').flatMap(([code]) => codesOf(code));
  expect(listed).toEqual(expect.arrayContaining(codes));
});

test('the page of the old API has every action with its methods and parameters', async () => {
  const rows = tableRows(await readPage('docs/legacy-api.md'), 'action');
  expect(
    rows.map(([action, methods, parameters]) => [codesOf(action)[0], methods, codesOf(parameters).toSorted()]),
  ).toEqual(
    ACTIONS.map(({ name, methods, parameters }) => [
      name,
      methods.join(' or '),
      parameters.map((parameter) => parameter.name).toSorted(),
    ]),
  );
});

test('the file on the page of DNS is one that DNS_SERVERS takes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slotkeeper-docs-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [json] = (await readPage('docs/dns.md')).code.filter(({ language }) => language === 'json');
  const path = join(folder, 'servers.json');
  await writeFile(path, json?.text ?? '');
  expect(Object.keys(dnsServersFile.parse(path))).toEqual(['ns1', 'ns2']);
});
