/** Writes a new home's `config.toml` and `app.toml`: every setting with its default, and a word on what it is for. */

import { appConfigSections } from './app-config-keys.ts';
import { configSections, type Section, type SettingValue } from './config-keys.ts';
import { standInSentence } from './version.ts';

/** `<section>.<key>` → value in place of the default. */
export type ConfigOverrides = Readonly<Record<string, SettingValue>>;

function valueText(value: SettingValue): string {
  if (typeof value === 'object') return `[${value.map((item) => JSON.stringify(item)).join(', ')}]`;
  return JSON.stringify(value);
}

function sectionText({ name, comment, settings }: Section, overrides: ConfigOverrides): string {
  const rule = '#'.repeat(60);
  const head = [rule, `### ${comment}`, rule, ...(name === '' ? [] : [`[${name}]`])].join('\n');
  const lines = settings.map(({ key, value, comment }) => {
    const place = name === '' ? key : `${name}.${key}`;
    return `${comment ? `# ${comment}\n` : ''}${key} = ${valueText(overrides[place] ?? value)}\n`;
  });
  return `${head}\n\n${lines.join('\n')}`;
}

const fileText = (what: string, sections: readonly Section[], overrides: ConfigOverrides): string =>
  `# ${what}, as a chain's binary reads it. Written by ${standInSentence}.\n\n${sections
    .map((section) => sectionText(section, overrides))
    .join('\n')}`;

export function configText(overrides: ConfigOverrides): string {
  return fileText('Node settings', configSections, overrides);
}

export function appConfigText(overrides: ConfigOverrides): string {
  return fileText('Application settings', appConfigSections, overrides);
}
