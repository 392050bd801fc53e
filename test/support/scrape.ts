// What /metrics says.
import { get } from './doors.ts';

export interface Scraped {
  text: string;
  /** The value of a sample, by its name and its labels in any order; undefined where there is none. */
  value(name: string, labels?: Record<string, string>): number | undefined;
  /** All samples of a name, by the value of one label, those alike in it added up. */
  sums(name: string, label: string): Record<string, number>;
}

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const SAMPLE = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

function parse(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
    if (line.startsWith('#') || name === '') return [];
    const pairs = [...labels.matchAll(LABEL)].map(([, key = '', of = '']) => [key, of.replaceAll('\\\\', '\\')]);
    return [{ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }];
  });
}

export async function scrape(address: string, authorization: string): Promise<Scraped> {
  const { status, text } = await get(`${address}/metrics`, { authorization });
  if (status !== 200) throw new Error(`/metrics answered ${status}: ${text}`);
  const samples = parse(text);
  return {
    text,
    value: (name, labels = {}) =>
      samples.find(
        (sample) =>
          sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
      )?.value,
    sums: (name, label) => {
      const sums: Record<string, number> = {};
      for (const sample of samples) {
        if (sample.name !== name) continue;
        const key = sample.labels[label] ?? '';
        sums[key] = (sums[key] ?? 0) + sample.value;
      }
      return sums;
    },
  };
}
