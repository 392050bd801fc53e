// Reads Markdown as far as tests of the documentation need it: links, anchors, tables and code.
import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PROJECT } from './npm-start.ts';

export interface CodeBlock {
  /** What stands behind the opening fence, such as `sh`. */
  language: string;
  text: string;
}

export interface Page {
  /** Relative to the project. */
  path: string;
  text: string;
  /** Without its fenced code. */
  prose: string;
  code: CodeBlock[];
}

const FENCE = /^(`{3,})(\S*)[^\n]*\n(.*?)^\1$\n?/gms;
const IGNORED_FOLDERS = ['node_modules', 'dist', 'data', 'coverage', '.git'];

/** The pages that a pattern finds, such as `docs/*.md`, in the order of their paths. */
export function readPages(pattern: string): Promise<Page[]> {
  const paths = globSync(pattern, { cwd: PROJECT, exclude: (name) => IGNORED_FOLDERS.includes(name) }).toSorted();
  return Promise.all(paths.map(readPage));
}

export async function readPage(path: string): Promise<Page> {
  const text = await readFile(join(PROJECT, path), 'utf8');
  const code = [...text.matchAll(FENCE)].map(([, , language = '', block = '']) => ({ language, text: block }));
  return { path, text, prose: text.replace(FENCE, ''), code };
}

/** The targets of links and pictures, as they are written. */
export function linksOf({ prose }: Page): string[] {
  const text = prose.replace(/`[^`\n]*`/g, '');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g), ...text.matchAll(/\b(?:src|srcset|href)="([^"]+)"/g)];
  return links.map(([, target = '']) => target);
}

/** What links can name after a `#`: each heading as GitHub makes an anchor of it, with a number where it is there twice. */
export function anchorsOf({ prose }: Page): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of prose.matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const shown = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '');
    const anchor = shown
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-');
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count += 1) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

/** The rows of all tables whose first column has this heading: their cells, without the blanks around them. */
export function tableRows({ prose }: Page, firstColumn: string): string[][] {
  const rows: string[][] = [];
  let isWanted = false;
  let isHead = true;
  for (const line of prose.split('\n')) {
    if (!line.startsWith('|')) {
      isHead = true;
      continue;
    }
    const cells = line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (isHead) isWanted = cells[0] === firstColumn;
    else if (isWanted && !/^:?-+:?$/.test(cells[0] ?? '')) rows.push(cells);
    isHead = false;
  }
  return rows;
}

/** The texts in backticks. */
export function codesOf(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}
